"""SASL senders: what each account sent in the window, from where, and as whom."""

from collections.abc import Iterable

from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message
from bmtop.incident.picture import Sender
from bmtop.incident.reasons import Figures, Thresholds, reasons
from bmtop.incident.territory import Territory
from bmtop.incident.window import WindowCounts

_RATE_SPAN = 300.0
# The part of the window that counts as now, against the rest as the account's own past.
_NOW_SHARE = 0.25


class _Account:
    """One account's counts in the window, and the moments that must outlive a bin."""

    __slots__ = (
        "broke_in",
        "clients",
        "counts",
        "failed_before",
        "first_seen",
        "last_seen",
        "new_clients",
        "pending",
    )

    def __init__(self, window: float) -> None:
        self.counts = WindowCounts(window)
        self.first_seen = 0.0
        self.last_seen = 0.0
        self.clients: set[str] = set()
        self.new_clients: set[str] = set()
        self.pending: dict[str, int] = {}
        self.failed_before = 0
        self.broke_in: list[str] = []


class Senders:
    """Every account that logged in or was tried, kept up by events."""

    def __init__(self, accounts: Accounts, territory: Territory, limits: Thresholds, window: float) -> None:
        self._rules = accounts
        self.territory = territory
        self._limits = limits
        self._window = window
        self._accounts: dict[str, _Account] = {}
        self._queued: dict[str, int] = {}

    def _account(self, login: str) -> tuple[str, _Account]:
        name = self._rules.account(login)
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Account(self._window)
        return name, found

    def failed(self, time: float, login: str, client: str) -> None:
        """A login failed."""
        account = self._account(login)[1]
        account.pending[client] = account.pending.get(client, 0) + 1
        account.last_seen = max(account.last_seen, time)

    def accepted(self, time: float, login: str, client: str) -> str:
        """A message came in with this login; returns the account."""
        name, account = self._account(login)
        if client not in account.clients:
            # An account that was sending all along, now from somewhere else.
            if account.clients:
                account.new_clients.add(client)
            account.clients.add(client)
            account.failed_before += sum(account.pending.values())
            if client in account.pending:
                account.broke_in.append(client)
            account.pending.clear()
        counts = account.counts
        counts.add(time, "messages")
        counts.add(time, ("client", client))
        counts.add(time, ("login", login))
        account.first_seen = min(account.first_seen or time, time)
        account.last_seen = max(account.last_seen, time)
        return name

    def activated(self, time: float, name: str, sender: str, recipients: int) -> None:
        """The queue manager took up a message of this account for the first time."""
        counts = self._account(name)[1].counts
        counts.add(time, "recipients", recipients)
        counts.add(time, ("sender", sender))
        if self._is_forged(name, sender):
            counts.add(time, "forged")

    def _is_forged(self, name: str, sender: str) -> bool:
        """A sender that is neither the account's own address nor, without a domain, its own name."""
        if not sender:
            return False
        own = self._rules.account(sender)
        if "@" in name:
            return own != name
        local, _, domain = own.partition("@")
        return local != name or bool(domain and self.territory.domains and domain not in self.territory.domains)

    def delivered(self, time: float, name: str, status: str, unknown: bool) -> None:
        """One recipient of this account's mail was sent, deferred or bounced."""
        counts = self._account(name)[1].counts
        counts.add(time, status)
        if unknown:
            counts.add(time, "unknown")

    def queued(self, messages: Iterable[Message], change: int) -> None:
        """Messages came into the queue (`change` 1) or left it (-1)."""
        for message in messages:
            if message.login is not None:
                name, _ = self._account(message.login)
                self._queued[name] = self._queued.get(name, 0) + change
                if not self._queued[name]:
                    del self._queued[name]

    def read(self, now: float, queue_known: bool) -> tuple[Sender, ...]:
        """Return the rows, the most suspected first."""
        rows = []
        for name, account in list(self._accounts.items()):
            account.counts.expire(now)
            queued = self._queued.get(name, 0)
            if account.counts["messages"] or queued:
                rows.append(self._row(now, name, account, queued if queue_known else None))
            elif account.last_seen < now - self._window:
                del self._accounts[name]
        rows.sort(key=lambda row: (-row.suspicion, -row.messages, -(row.queued or 0), row.login))
        return tuple(rows)

    def _row(self, now: float, name: str, account: _Account, queued: int | None) -> Sender:
        counts = account.counts
        clients = counts.of("client")
        senders = counts.of("sender")
        span = min(_RATE_SPAN, self._window)
        words, weight = reasons(self._figures(now, account, clients, len(senders)), self._limits)
        return Sender(
            login=name,
            logins=tuple(login for login, _ in counts.of("login")) or (name,),
            messages=counts["messages"],
            recipients=counts["recipients"],
            rate=counts.since(now - span, "messages") * 60 / span,
            clients=tuple(clients),
            envelope_senders=len(senders),
            forged=counts["forged"],
            queued=queued,
            sent=counts["sent"],
            deferred=counts["deferred"],
            bounced=counts["bounced"],
            failed_logins=account.failed_before,
            first_seen=account.first_seen,
            last_seen=account.last_seen,
            reasons=words,
            suspicion=weight,
        )

    def _figures(self, now: float, account: _Account, clients: list[tuple[str, int]], senders: int) -> Figures:
        counts = account.counts
        hour = min(self._window, 3600.0)
        recent = self._window * _NOW_SHARE
        lately = counts.since(now - recent, "messages")
        earlier = counts["messages"] - lately
        return Figures(
            messages=counts["messages"],
            recipients=counts["recipients"],
            clients=len(clients),
            new_clients=len(account.new_clients),
            envelope_senders=senders,
            forged=counts["forged"],
            bounced=counts["bounced"],
            unknown_recipients=counts["unknown"],
            failed_logins=account.failed_before,
            broke_in=tuple(account.broke_in),
            rate_per_hour=max(counts.since(now - hour, "messages") * 3600 / hour, lately * 3600 / recent),
            past_rate_per_hour=earlier * 3600 / (self._window - recent) if earlier else None,
            own_address=any(self.territory.is_own(client) for client, _ in clients),
        )
