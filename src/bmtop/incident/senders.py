"""SASL senders: what each account sent in the window, from where, as whom, and why it is suspected."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from bmtop.incident.accounts import Accounts, lower
from bmtop.incident.activity import Activity, Owner, Queued
from bmtop.incident.events import Sent
from bmtop.incident.message import Message
from bmtop.incident.picture import Sender
from bmtop.incident.reasons import BreakIn, Figures, Thresholds, judge
from bmtop.incident.sketch import Heaviest
from bmtop.incident.steps import Steps
from bmtop.incident.territory import Territory

_RATE_SPAN = 300.0
# So many accounts are told apart; of more, the busiest, and those that somebody may have broken into.
_ACCOUNTS = 10_000
# Accounts that are remembered though they were quiet for the whole window.
_RESTING = 5_000
# Envelope senders of an account whose owner is known without looking again.
_SENDERS = 10_000
# Rows that are looked at in a step.
_STEP = 16


class _Account:
    """`row` is the one that was made last, of the state `made_of`."""

    __slots__ = ("activity", "break_in", "made_of", "row")

    def __init__(self, window: float) -> None:
        self.activity = Activity(window)
        self.break_in: BreakIn | None = None
        self.made_of: tuple[object, ...] = ()
        self.row: Sender | None = None

    @property
    def weight(self) -> int:
        return self.activity.counts["messages"]

    @property
    def matters(self) -> bool:
        """Whether somebody may have broken into it: then it is not forgotten for those that send more."""
        return self.break_in is not None and self.break_in.failures > 0


class Senders:
    """Every account that sent, or has mail in the queue, kept up by events. Who only failed to log in is none.

    `several` tells whether several accounts send from a client (`BreakIns.several`).
    """

    def __init__(
        self,
        accounts: Accounts,
        territory: Territory,
        limits: Thresholds,
        window: float,
        several: Callable[[str], bool],
    ) -> None:
        self._rules = accounts
        self._territory = territory
        self._owner = lru_cache(maxsize=_SENDERS)(self._owner_of)
        self._limits = limits
        self._several = several
        self._window = window
        self._heaviest = Heaviest[_Account](
            _ACCOUNTS, window, lambda account: account.weight, lambda account: account.matters
        )
        self._accounts = self._heaviest.known
        self._resting: dict[str, _Account] = {}
        self._queued: dict[str, Queued] = {}
        # Those that have mail in the queue, and did not send any in the window.
        self._only_queued: dict[str, _Account] = {}
        # The newest rows' logins: in an order that is nearly right, they are quickly put in order.
        self._order: list[str] = []

    def accepted(self, time: float, account: str, login: str, client: str, count: int = 1, last: float = 0.0) -> bool:
        """A message came in with this login, or `count` up to the time `last` (`Activity.message`); tell whether it
        is the account's first one from that client.
        """
        activity = self._account(account, time).activity
        activity.counts.see(time, "login", login, count)
        first = activity.message(time, client, count, last)
        if first and activity.first_foreign is None and self._is_foreign(client):
            activity.first_foreign = (time, client)
        return first

    def activity(self, account: str, time: float) -> Activity:
        """Return what counts for this account, which did something at `time`."""
        return self._account(account, time).activity

    def _is_foreign(self, client: str) -> bool:
        return not self.territory.is_own(client) and self.territory.lets_in(client) is None

    def broke_in(self, time: float, account: str, tried: BreakIn) -> None:
        """Logins had failed before a client got into this account for the first time."""
        found = self._account(account, time)
        before = found.break_in
        if before is None or self._weight(tried) > self._weight(before):
            found.break_in = tried

    def _weight(self, tried: BreakIn) -> tuple[int, int, bool, int]:
        return tried.failures, tried.others_failures, not self._several(tried.client), tried.names

    def activated(self, time: float, account: str, sender: str, recipients: int) -> None:
        """The queue manager took up a message of this account for the first time."""
        activity = self._account(account, time).activity
        activity.counts.add(time, "recipients", recipients)
        activity.sender(time, sender, self._owner(account, sender))

    def sent(self, account: str, event: Sent) -> None:
        """Messages of this account went out, all that were accepted with them (`accepted`)."""
        activity = self._account(account, event.time).activity
        activity.counts.add(event.time, "recipients", event.recipients)
        activity.sent(event, lambda sender: self._owner(account, sender))

    @property
    def territory(self) -> Territory:
        """Whose addresses and domains are ours."""
        return self._territory

    @territory.setter
    def territory(self, territory: Territory) -> None:
        self._territory = territory
        self._owner.cache_clear()

    def _owner_of(self, account: str, sender: str) -> Owner:
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

    @property
    def missing(self) -> int:
        """How many messages an account may lack, since not all accounts are told apart; 0 while they are."""
        return self._heaviest.missing

    def read(self, now: float, queue_known: bool) -> Steps[tuple[Sender, ...]]:
        """Return the rows: the suspected first, the surest of them on top; then by volume."""
        self._heaviest.settle(now)
        rows, only_queued = [], {}
        names = dict.fromkeys((*self._order, *self._accounts, *self._queued))
        for number, name in enumerate(names):
            if number % _STEP == 0:
                yield
            account, queued = self._accounts.get(name), self._queued.get(name)
            if account is not None:
                account.activity.counts.expire(now)
                if account.activity.counts.empty:
                    self._rest(name)
                if not account.activity.counts["messages"]:
                    account = None
            if account is None and queued is not None:
                account = only_queued[name] = self._known(name)[0]
            if account is not None:
                rows.append(self._row(now, name, account, queued or Queued(), queue_known))
        self._only_queued = only_queued
        yield
        rows.sort(key=lambda row: (-row.suspicion, -max(row.messages, row.queued or 0), row.login))
        self._order = [row.login for row in rows]
        yield
        return tuple(rows)

    def _rest(self, name: str) -> None:
        """Put an account aside that nothing came of in the window; where it sent from is still known."""
        self._resting[name] = self._heaviest.remove(name)
        if len(self._resting) > _RESTING:
            del self._resting[next(iter(self._resting))]

    def _account(self, name: str, time: float) -> _Account:
        found = self._accounts.get(name)
        if found is None:
            found = self._resting.pop(name) if name in self._resting else _Account(self._window)
            self._heaviest.add(name, found, time)
        return found

    def _row(self, now: float, name: str, account: _Account, queued: Queued, queue_known: bool) -> Sender:
        counts = account.activity.counts
        rate = counts.per_minute("messages", now, min(_RATE_SPAN, self._window))
        several = account.break_in is not None and self._several(account.break_in.client)
        made_of = (counts.changes, queued.changes, queue_known, account.break_in, several, self.territory)
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
            different_clients=counts.distinct("client"),
        )

    def _figures(self, name: str, account: _Account, queued: Queued, clients: list[tuple[str, int]]) -> Figures:
        found = queued.figures(account.activity.figures(self._limits), lambda sender: self._owner(name, sender))
        from_here = sum(count for client, count in clients if self.territory.is_own(client))
        tried = account.break_in
        if tried is not None and self._several(tried.client):
            tried = replace(tried, several=True)
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
        account = (
            self._accounts.get(name) or self._resting.get(name) or self._only_queued.get(name) or _Account(self._window)
        )
        return account, self._queued.get(name) or Queued()
