"""SASL senders: what each account sent in the window, from where, as whom, and why it is suspected."""

from dataclasses import replace

from bmtop.incident.accounts import Accounts, lower
from bmtop.incident.activity import Activity, Owner, Queued
from bmtop.incident.message import Message
from bmtop.incident.picture import Sender
from bmtop.incident.reasons import BreakIn, Figures, Thresholds, judge
from bmtop.incident.territory import Territory

_RATE_SPAN = 300.0
# Accounts that are remembered though they were quiet for the whole window.
_RESTING = 10_000


class _Account:
    """`row` is the one that was made last, of the state `made_of`."""

    __slots__ = ("activity", "break_in", "made_of", "row")

    def __init__(self, window: float) -> None:
        self.activity = Activity(window)
        self.break_in: BreakIn | None = None
        self.made_of: tuple[object, ...] = ()
        self.row: Sender | None = None


class Senders:
    """Every account that sent, or has mail in the queue, kept up by events. Who only failed to log in is none."""

    def __init__(self, accounts: Accounts, territory: Territory, limits: Thresholds, window: float) -> None:
        self._rules = accounts
        self.territory = territory
        self._limits = limits
        self._window = window
        self._accounts: dict[str, _Account] = {}
        self._resting: dict[str, _Account] = {}
        self._queued: dict[str, Queued] = {}

    def accepted(self, time: float, account: str, login: str, client: str) -> bool:
        """A message came in with this login; tell whether it is the account's first one from that client."""
        activity = self.activity(account)
        activity.counts.see(time, "login", login)
        first = activity.message(time, client)
        if first and activity.first_foreign is None and self._is_foreign(client):
            activity.first_foreign = (time, client)
        return first

    def activity(self, account: str) -> Activity:
        """Return what counts for this account."""
        return self._account(account).activity

    def _is_foreign(self, client: str) -> bool:
        return not self.territory.is_own(client) and self.territory.lets_in(client) is None

    def broke_in(self, account: str, tried: BreakIn) -> None:
        """Logins had failed before a client got into this account for the first time."""
        found = self._account(account)
        before = found.break_in
        if before is None or (tried.failures, tried.others_failures) > (before.failures, before.others_failures):
            found.break_in = tried

    def activated(self, time: float, account: str, sender: str, recipients: int) -> None:
        """The queue manager took up a message of this account for the first time."""
        activity = self._account(account).activity
        activity.counts.add(time, "recipients", recipients)
        activity.sender(time, sender, self._owner(account, sender))

    def _owner(self, account: str, sender: str) -> Owner:
        if not sender:
            return "nobody"
        domain = lower(sender.rpartition("@")[2])
        ours = self.territory.is_ours(domain)
        if self._rules.is_own(account, sender) and ("@" in account or ours or not self.territory.domains):
            return "own"
        known = self._rules.aliases.get(domain, domain)
        own = account.rpartition("@")[2]
        below = known == own or known.endswith(f".{own}")
        return "ours" if ours or ("@" in account and below) or self.territory.is_ours(known) else "foreign"

    def queued(self, message: Message, change: int) -> None:
        """A message came into the queue (`change` 1) or left it (-1)."""
        if message.login is None:
            return
        account = self._rules.account(message.login)
        queued = self._queued.get(account)
        if queued is None:
            queued = self._queued[account] = Queued()
        queued.change(message, change)
        if not queued.messages:
            del self._queued[account]

    def read(self, now: float, queue_known: bool) -> tuple[Sender, ...]:
        """Return the rows: the suspected first, the surest of them on top; then by volume."""
        for name, account in list(self._accounts.items()):
            account.activity.counts.expire(now)
            if account.activity.counts.empty:
                self._rest(name)
        names = {name for name, account in self._accounts.items() if account.activity.counts["messages"]}
        names |= self._queued.keys()
        rows = [self._row(now, name, queue_known) for name in names]
        rows.sort(key=lambda row: (-row.suspicion, -max(row.messages, row.queued or 0), row.login))
        return tuple(rows)

    def _rest(self, name: str) -> None:
        """Put an account aside that nothing came of in the window; where it sent from is still known."""
        self._resting[name] = self._accounts.pop(name)
        if len(self._resting) > _RESTING:
            del self._resting[next(iter(self._resting))]

    def _account(self, name: str) -> _Account:
        found = self._accounts.get(name)
        if found is None:
            rested = self._resting.pop(name) if name in self._resting else None
            found = self._accounts[name] = rested or _Account(self._window)
        return found

    def _row(self, now: float, name: str, queue_known: bool) -> Sender:
        account, queued = self._known(name)
        counts = account.activity.counts
        span = min(_RATE_SPAN, self._window)
        rate = counts.since(now - span, "messages") * 60 / span
        made_of = (counts.changes, queued.changes, queue_known, account.break_in, self.territory)
        if account.row is None or account.made_of != made_of:
            account.row, account.made_of = self._new_row(name, account, queued, queue_known), made_of
        return account.row if account.row.rate == rate else replace(account.row, rate=rate)

    def _new_row(self, name: str, account: _Account, queued: Queued, queue_known: bool) -> Sender:
        counts = account.activity.counts
        clients = counts.of("client")
        verdict = judge(self._figures(name, account, queued, clients), self._limits)
        tried = account.break_in
        return Sender(
            login=name,
            logins=tuple(login for login, _ in counts.of("login")) or (name,),
            messages=counts["messages"],
            recipients=counts["recipients"],
            rate=0.0,
            clients=tuple(clients),
            envelope_senders=counts.distinct("sender"),
            forged=counts["forged"],
            queued=queued.messages if queue_known else None,
            sent=counts["sent"],
            deferred=counts["deferred"],
            bounced=counts["bounced"],
            failed_logins=tried.failures + tried.others_failures if tried else 0,
            first_seen=account.activity.first_seen,
            last_seen=account.activity.last_seen,
            reasons=verdict.reasons,
            suspicion=verdict.suspicion,
            suspected=verdict.suspected,
        )

    def _figures(self, name: str, account: _Account, queued: Queued, clients: list[tuple[str, int]]) -> Figures:
        found = queued.figures(account.activity.figures(self._limits), lambda sender: self._owner(name, sender))
        from_here = sum(count for client, count in clients if self.territory.is_own(client))
        tried = account.break_in
        return replace(
            found,
            webmail=from_here > 0 and 2 * from_here >= account.activity.counts["messages"],
            # A client that broke in, and has been gone since, says nothing of today.
            break_in=tried if tried and any(client == tried.client for client, _ in clients) else None,
        )

    def of(self, name: str) -> tuple[Activity, Queued]:
        """Return what is known of an account, and of its mail in the queue."""
        account, queued = self._known(name)
        return account.activity, queued

    def _known(self, name: str) -> tuple[_Account, Queued]:
        account = self._accounts.get(name) or self._resting.get(name) or _Account(self._window)
        return account, self._queued.get(name) or Queued()
