"""Failed logins: which client tried which names, which account was tried from where, and who got in."""

from typing import Generic, TypeVar

from bmtop.incident.picture import Attacked, FailedLogin
from bmtop.incident.reasons import BreakIn, Thresholds
from bmtop.incident.sketch import Heaviest
from bmtop.incident.steps import Steps
from bmtop.incident.window import WindowCounts

# Anybody can fail under any name from any address, so both are bounded: the ones with most failures are told apart,
# and those where somebody got in.
_CLIENTS = 10_000
_ACCOUNTS = 10_000
_NAMES = 1_000
# Clients of which is remembered who sent from there: the newest ones.
_USED = 20_000
# Rows that are looked at in a step.
_STEP = 16
# So many names tried are no person's mistake; who then gets in under another one is named, too.
_LIST = 3

Row = TypeVar("Row")


class _Failures(Generic[Row]):
    """The failures of one client, or at one account; `got_in` has the moment for each login, or client.

    `row` is the one that was made last, of the state `made_of`.
    """

    __slots__ = ("counts", "first_seen", "got_in", "last_seen", "made_of", "name", "row")

    def __init__(self, window: float, time: float) -> None:
        self.counts = WindowCounts(window, _NAMES)
        self.name = "unknown"
        self.first_seen = self.last_seen = time
        self.got_in: dict[str, float] = {}
        self.made_of: tuple[object, ...] = ()
        self.row: Row | None = None

    @property
    def weight(self) -> int:
        return self.counts["failures"]

    @property
    def matters(self) -> bool:
        return bool(self.got_in)


class BreakIns:
    """Every client that failed to log in, and every account where one did."""

    def __init__(self, limits: Thresholds, window: float) -> None:
        self._limits = limits
        self._window = window
        self._tries = Heaviest[_Failures[FailedLogin]](
            _CLIENTS, window, lambda tries: tries.weight, lambda tries: tries.matters
        )
        self._targets = Heaviest[_Failures[Attacked]](
            _ACCOUNTS, window, lambda tries: tries.weight, lambda tries: tries.matters
        )
        self._clients = self._tries.known
        self._accounts = self._targets.known
        self._broke_in: set[str] = set()
        self._tried_names: set[str] = set()
        # The first account that sent from each client, and whether nothing had failed there at it; and the clients
        # where more accounts came, and nothing had failed at one of them.
        self._used: dict[str, tuple[str, bool]] = {}
        self._several: dict[str, None] = {}

    def failed(self, time: float, client: str, name: str, login: str | None, account: str | None) -> None:
        """A login failed; `login` and `account` are None where Postfix did not say which."""
        tries = self._failure(self._tries, client, time)
        if name != "unknown":
            tries.name = name
        if login is None or account is None:
            tries.counts.add(time, "unnamed")
            return
        tries.counts.see(time, "login", login)
        tries.counts.see(time, "account", account)
        self._failure(self._targets, account, time).counts.see(time, "client", client)

    def _failure(self, among: Heaviest[_Failures[Row]], key: str, time: float) -> _Failures[Row]:
        found = among.known.get(key)
        if found is None:
            found = _Failures[Row](self._window, time)
            among.add(key, found, time)
        found.counts.add(time, "failures")
        found.last_seen = max(found.last_seen, time)
        return found

    def accepted(self, time: float, client: str, login: str, account: str, *, shared: bool) -> BreakIn | None:
        """A client got into an account for the first time: return what had failed before, None for nothing.

        `shared` says that the client is the server itself: webmail, where everybody's tries come from.
        """
        tries, target = self._clients.get(client), self._accounts.get(account)
        own = names = every = others = 0
        if tries is not None:
            tries.counts.expire(time)
            own, names = tries.counts.count("account", account), tries.counts.distinct("account")
        if target is not None:
            target.counts.expire(time)
            every, others = target.counts["failures"], target.counts.distinct("client")
        self._came(client, account, not own)
        found = BreakIn(client, own, names, every - own, others - (own > 0), shared)
        if tries is not None and (own or (names >= _LIST and not shared)):
            tries.got_in.setdefault(login, time)
            if own >= self._limits.failed_logins:
                self._broke_in.add(client)
            if names >= self._limits.names_tried and not shared:
                self._tried_names.add(client)
            if target is not None:
                target.got_in.setdefault(client, time)
        return found if own or every or (names >= self._limits.names_tried and not shared) else None

    def _came(self, client: str, account: str, clean: bool) -> None:
        first, first_clean = self._used.setdefault(client, (account, clean))
        if first != account and (clean or first_clean):
            self._several[client] = None
        if len(self._used) > _USED:
            gone = next(iter(self._used))
            del self._used[gone]
            self._several.pop(gone, None)

    def several(self, client: str) -> bool:
        """Tell whether several accounts send from this client, one of which it never failed at: as an office does
        behind one address, where one infected machine may try many names.
        """
        return client in self._several

    @property
    def missing(self) -> int:
        """How many failures a client or an account may lack, since not all are told apart; 0 while they are."""
        return max(self._tries.missing, self._targets.missing)

    def read(self, now: float) -> Steps[tuple[FailedLogin, ...]]:
        """Return a row a client: those that broke in first, then who got in at all, then by failures."""
        yield from _forget(self._tries, now)
        self._broke_in &= self._clients.keys()
        self._tried_names &= self._clients.keys()
        rows = []
        for number, (client, tries) in enumerate(list(self._clients.items())):
            if number % _STEP == 0:
                yield
            rows.append(self._row(client, tries))
        rows.sort(key=lambda row: (not row.broke_in, not row.succeeded, -row.failures, row.client))
        yield
        return tuple(rows)

    def by(self, client: str) -> FailedLogin | None:
        """Return the row of one client; None where it failed at nothing."""
        tries = self._clients.get(client)
        return None if tries is None else self._row(client, tries)

    def _row(self, client: str, tries: _Failures[FailedLogin]) -> FailedLogin:
        broke_in = client in self._broke_in or (client in self._tried_names and not self.several(client))
        made_of = tries.counts.changes, len(tries.got_in), broke_in
        if tries.row is None or tries.made_of != made_of:
            tries.made_of = made_of
            tries.row = FailedLogin(
                client=client,
                name=tries.name,
                logins=tuple(tries.counts.of("login")),
                failures=tries.counts["failures"],
                succeeded=tuple(tries.got_in),
                last_seen=tries.last_seen,
                unnamed=tries.counts["unnamed"],
                first_seen=tries.first_seen,
                got_in=tuple(tries.got_in.items()),
                broke_in=broke_in,
            )
        return tries.row

    def attacked(self, now: float) -> Steps[tuple[Attacked, ...]]:
        """Return a row an account at which several clients failed: where one got in first, then by clients."""
        yield from _forget(self._targets, now)
        rows = []
        for number, (account, tries) in enumerate(list(self._accounts.items())):
            if number % _STEP == 0:
                yield
            if tries.counts.distinct("client") > 1:
                rows.append(_attacked(account, tries))
        rows.sort(key=lambda row: (not row.got_in, -len(row.clients), -row.failures, row.login))
        yield
        return tuple(rows)

    def at(self, account: str) -> Attacked | None:
        """Return the failures at one account, of a single client, too; None for none."""
        tries = self._accounts.get(account)
        return None if tries is None else _attacked(account, tries)


def _attacked(account: str, tries: _Failures[Attacked]) -> Attacked:
    made_of = tries.counts.changes, len(tries.got_in)
    if tries.row is None or tries.made_of != made_of:
        tries.made_of = made_of
        tries.row = Attacked(
            login=account,
            clients=tuple(tries.counts.of("client")),
            failures=tries.counts["failures"],
            got_in=tuple(tries.got_in.items()),
            first_seen=tries.first_seen,
            last_seen=tries.last_seen,
        )
    return tries.row


def _forget(among: Heaviest[_Failures[Row]], now: float) -> Steps[None]:
    """Leave those of which nothing is in the window any more."""
    among.settle(now)
    for number, (key, tries) in enumerate(list(among.known.items())):
        if number % _STEP == 0:
            yield
        tries.counts.expire(now)
        if tries.counts.empty and key in among.known:
            among.remove(key)
