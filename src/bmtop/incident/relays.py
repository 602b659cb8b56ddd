"""Relay clients: mail for elsewhere without a login, and tries at it."""

from collections.abc import Iterable

from bmtop.incident.message import Message
from bmtop.incident.picture import Relay
from bmtop.incident.territory import Territory
from bmtop.incident.window import WindowCounts


class _Client:
    __slots__ = ("counts", "last_seen", "name")

    def __init__(self, window: float) -> None:
        self.counts = WindowCounts(window)
        self.name = "unknown"
        self.last_seen = 0.0


class Relays:
    """Every client whose mail went elsewhere, or was refused as relaying."""

    def __init__(self, territory: Territory, window: float) -> None:
        self.territory = territory
        self._window = window
        self._clients: dict[str, _Client] = {}
        self._queued: dict[str, int] = {}

    def _client(self, time: float, client: str, name: str) -> _Client:
        found = self._clients.get(client)
        if found is None:
            found = self._clients[client] = _Client(self._window)
        if name != "unknown":
            found.name = name
        found.last_seen = max(found.last_seen, time)
        return found

    def refused(self, time: float, client: str, name: str) -> None:
        """A try was refused with `Relay access denied`."""
        self._client(time, client, name).counts.add(time, "refused")

    def relayed(self, time: float, client: str, name: str, first: bool) -> None:
        """A recipient elsewhere got, or waits for, this client's mail; `first` of its message."""
        counts = self._client(time, client, name).counts
        counts.add(time, "recipients")
        if first:
            counts.add(time, "messages")

    def queued(self, messages: Iterable[Message], change: int) -> None:
        """Messages came into the queue (`change` 1) or left it (-1)."""
        for message in messages:
            client = message.client
            if message.login is not None or client is None or self.territory.is_own(client):
                continue
            # What our own people have forwarded came in for us.
            addressed = (message.envelope.addressed if message.envelope else ()) or message.recipients
            if any(self.territory.is_outward(recipient, "smtp") for recipient in addressed):
                self._queued[client] = self._queued.get(client, 0) + change
                if not self._queued[client]:
                    del self._queued[client]

    def read(self, now: float, queue_known: bool) -> tuple[Relay, ...]:
        """Return the rows: open ones first, then trusted, then refused; each by volume."""
        for client in self._queued:
            if client not in self._clients:
                self._clients[client] = _Client(self._window)
        rows = []
        for client, state in list(self._clients.items()):
            state.counts.expire(now)
            queued = self._queued.get(client, 0)
            if state.counts.totals or queued:
                rows.append(self._row(client, state, queued, queue_known))
            else:
                del self._clients[client]
        order = {"open": 0, "trusted": 1, "refused": 2}
        rows.sort(key=lambda row: (order[row.kind], -row.messages, -row.refused, row.client))
        return tuple(rows)

    def _row(self, client: str, state: _Client, queued: int, queue_known: bool) -> Relay:
        counts = state.counts
        network = self.territory.lets_in(client)
        accepted = counts["messages"] or queued
        return Relay(
            client=client,
            name=state.name,
            kind=("trusted" if network is not None else "open") if accepted else "refused",
            network=network,
            messages=counts["messages"],
            recipients=counts["recipients"],
            queued=queued if queue_known else None,
            refused=counts["refused"],
            last_seen=state.last_seen,
        )
