"""Writes the events of a mail log, a message or a failed login at a time."""

import itertools
from collections.abc import Sequence

from bmtop.checked import QueueId
from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Accepted, Activated, Delivery, LoginFailed, Rejected
from bmtop.incident.incident import Incident
from bmtop.incident.message import Envelope, Message
from bmtop.incident.picture import Picture, Relay, Sender
from bmtop.incident.territory import Territory, Trusted
from bmtop.postfix.networks import entries, parse_network

OFFICE, HOME, BOT = "198.51.100.7", "198.51.100.120", "203.0.113.60"
TRUSTED = "192.0.2.0/24"


def territory(mynetworks: str = TRUSTED, domains: Sequence[str] = ("example.com",), complete: bool = True) -> Territory:
    """Return whose addresses and domains are ours; the server itself is 192.0.2.1."""
    return Territory(
        trusted=tuple(
            Trusted(parse_network(e.lstrip("!")), e, e.startswith("!")) for e in entries(f"127.0.0.0/8 {mynetworks}")
        ),
        own_addresses=frozenset({"192.0.2.1", "2001:db8::1"}),
        domains=frozenset(domains),
        domains_complete=complete,
    )


class Scribe:
    """Feeds an incident, a second after the other; `now` is the log's time."""

    def __init__(
        self, *, window: float = 900.0, accounts: Accounts | None = None, ours: Territory | None = None
    ) -> None:
        self.incident = Incident(window=window, threshold=200, accounts=accounts, territory=ours or territory())
        self.now = 1_000_000.0
        self._ids = (f"{number:011X}" for number in itertools.count(1))

    def send(
        self,
        login: str | None,
        client: str = OFFICE,
        sender: str = "alice@example.com",
        to: Sequence[str] = ("x@faraway.test",),
        *,
        count: int = 1,
        daemon: str = "smtp",
        status: str = "sent",
        dsn: str = "2.0.0",
        original: str | None = None,
        answer: str = "250 ok",
        origin: str | None = None,
    ) -> str:
        """Take in so many messages, deliver them, and return the last one's queue id."""
        id = ""
        for _ in range(count):
            id = next(self._ids)
            self.now += 1
            feed = self.incident.feed
            feed(Accepted(self.now, id, "unknown", client, login, "LOGIN" if login is not None else None, origin))
            feed(Activated(self.now, id, sender, 1000, len(to)))
            for one in to:
                feed(Delivery(self.now, id, one, original, daemon, status, dsn, "mx[203.0.113.25]:25", answer))
        return id

    def fail(self, login: str | None, client: str = BOT, count: int = 1) -> None:
        for _ in range(count):
            self.now += 1
            self.incident.feed(LoginFailed(self.now, "unknown", client, login))

    def refuse(self, client: str, count: int = 1) -> None:
        for _ in range(count):
            self.now += 1
            self.incident.feed(Rejected(self.now, "unknown", client, True))

    def queue(self, login: str | None, client: str, sender: str, to: Sequence[str] = ("x@faraway.test",)) -> Message:
        """Put a message into the queue, of which the log says nothing."""
        message = Message(
            QueueId(next(self._ids)), "deferred", int(self.now), 1000, sender, tuple(to),
            envelope=Envelope(login, client, sender=sender),
        )  # fmt: skip
        self.incident.queued(self.now, [message], [])
        return message

    def picture(self) -> Picture:
        return self.incident.picture(self.now, complete=True)

    def row(self, login: str) -> Sender:
        return next(row for row in self.picture().senders if row.login == login)

    def relay(self, client: str) -> Relay:
        return next(row for row in self.picture().relays if row.client == client)

    def relays(self) -> dict[str, str]:
        return {row.client: row.kind for row in self.picture().relays}
