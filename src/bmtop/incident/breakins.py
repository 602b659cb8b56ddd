"""Failed logins: which client tried which names, which account was tried from where, and who got in."""

from bmtop.incident.picture import Attacked, FailedLogin
from bmtop.incident.reasons import BreakIn, Thresholds
from bmtop.incident.window import WindowCounts

# Anybody can fail under any name from any address, so both are bounded: the ones longest unseen go first.
_CLIENTS = 10_000
_ACCOUNTS = 10_000
_NAMES = 1_000
# So many names tried are no person's mistake; who then gets in under another one is named, too.
_LIST = 3


class _Failures:
    """The failures of one client, or at one account; `got_in` has the moment for each login, or client."""

    __slots__ = ("counts", "first_seen", "got_in", "last_seen", "name")

    def __init__(self, window: float, time: float) -> None:
        self.counts = WindowCounts(window, _NAMES)
        self.name = "unknown"
        self.first_seen = self.last_seen = time
        self.got_in: dict[str, float] = {}


class BreakIns:
    """Every client that failed to log in, and every account where one did."""

    def __init__(self, limits: Thresholds, window: float) -> None:
        self._limits = limits
        self._window = window
        self._clients: dict[str, _Failures] = {}
        self._accounts: dict[str, _Failures] = {}
        self._broke_in: set[str] = set()

    def failed(self, time: float, client: str, name: str, login: str | None, account: str | None) -> None:
        """A login failed; `login` and `account` are None where Postfix did not say which."""
        tries = self._failure(self._clients, _CLIENTS, client, time)
        if name != "unknown":
            tries.name = name
        if login is None or account is None:
            tries.counts.add(time, "unnamed")
            return
        tries.counts.see(time, "login", login)
        tries.counts.see(time, "account", account)
        self._failure(self._accounts, _ACCOUNTS, account, time).counts.see(time, "client", client)

    def _failure(self, known: dict[str, _Failures], most: int, key: str, time: float) -> _Failures:
        found = known.pop(key, None) or _Failures(self._window, time)
        known[key] = found
        if len(known) > most:
            del known[next(iter(known))]
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
        found = BreakIn(client, own, names, every - own, others - (own > 0), shared)
        if tries is not None and (own or (names >= _LIST and not shared)):
            tries.got_in.setdefault(login, time)
            stuffed = names >= self._limits.names_tried and not shared
            if own >= self._limits.failed_logins or stuffed:
                self._broke_in.add(client)
            if target is not None:
                target.got_in.setdefault(client, time)
        return found if own or every or (names >= self._limits.names_tried and not shared) else None

    def read(self, now: float) -> tuple[FailedLogin, ...]:
        """Return a row a client: those that broke in first, then who got in at all, then by failures."""
        _forget(self._clients, now)
        self._broke_in &= self._clients.keys()
        rows = [self._row(client, tries) for client, tries in self._clients.items()]
        rows.sort(key=lambda row: (not row.broke_in, not row.succeeded, -row.failures, row.client))
        return tuple(rows)

    def by(self, client: str) -> FailedLogin | None:
        """Return the row of one client; None where it failed at nothing."""
        tries = self._clients.get(client)
        return None if tries is None else self._row(client, tries)

    def _row(self, client: str, tries: _Failures) -> FailedLogin:
        return FailedLogin(
            client=client,
            name=tries.name,
            logins=tuple(tries.counts.of("login")),
            failures=tries.counts["failures"],
            succeeded=tuple(tries.got_in),
            last_seen=tries.last_seen,
            unnamed=tries.counts["unnamed"],
            first_seen=tries.first_seen,
            got_in=tuple(tries.got_in.items()),
            broke_in=client in self._broke_in,
        )

    def attacked(self, now: float) -> tuple[Attacked, ...]:
        """Return a row an account at which several clients failed: where one got in first, then by clients."""
        _forget(self._accounts, now)
        rows = [
            _attacked(account, tries)
            for account, tries in self._accounts.items()
            if tries.counts.distinct("client") > 1
        ]
        rows.sort(key=lambda row: (not row.got_in, -len(row.clients), -row.failures, row.login))
        return tuple(rows)

    def at(self, account: str) -> Attacked | None:
        """Return the failures at one account, of a single client, too; None for none."""
        tries = self._accounts.get(account)
        return None if tries is None else _attacked(account, tries)


def _attacked(account: str, tries: _Failures) -> Attacked:
    return Attacked(
        login=account,
        clients=tuple(tries.counts.of("client")),
        failures=tries.counts["failures"],
        got_in=tuple(tries.got_in.items()),
        first_seen=tries.first_seen,
        last_seen=tries.last_seen,
    )


def _forget(known: dict[str, _Failures], now: float) -> None:
    for key, tries in list(known.items()):
        tries.counts.expire(now)
        if tries.counts.empty:
            del known[key]
