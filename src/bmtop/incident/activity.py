"""What one login, or one relay client, did: counts in the window, and the moments that outlive it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count, islice
from math import inf
from typing import Literal, NamedTuple

from bmtop.incident.accounts import lower
from bmtop.incident.events import Sent
from bmtop.incident.message import Message
from bmtop.incident.reasons import Figures, Thresholds
from bmtop.incident.territory import place
from bmtop.incident.window import AtLeast, WindowCounts

# Addresses are remembered beyond the window, to know a new one; so many of one login.
_REMEMBERED = 5_000
_MINUTE = 60.0
_HOUR = 3600.0
# The height of a wave is a quarter of the window, or of an hour; it begins with a minute half as busy as the busiest.
_BUSY_SHARE = 0.25
_HEIGHT = 0.5
# "No such user" and its kin: RFC 3463, 3.2; 5.1.10 is Microsoft's; 5.4.4 has a domain that does not exist.
_UNKNOWN = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.4"})
# No two states of a queue have the same number, also where one was empty in between.
_CHANGES = count(1)
# Envelope senders in the queue that are looked at: a forger's show among the first ones.
_SAMPLE = 1_000

# Whose an envelope sender is: the login's own, another of our domains, elsewhere; the null sender is nobody's.
Owner = Literal["own", "ours", "foreign", "nobody"]


class _Wave(NamedTuple):
    """When the mail came to its height, and the messages an hour before; None where there were none."""

    began: float
    past_rate: float | None


class Activity:
    """Kept up by events. `counts` has messages, recipients, forged, foreign, null (senders), sent, deferred,
    bounced, expired; and value by value: client, login, sender, foreign (senders), domain (of recipients), unknown
    (recipients).
    `clients` has when each address was first seen, `peak` the busiest minute and its messages.
    """

    __slots__ = ("_minute", "_wave", "clients", "counts", "first_foreign", "first_seen", "last_seen", "peak")

    def __init__(self, window: float) -> None:
        self.counts = WindowCounts(window)
        self.first_seen = 0.0
        self.last_seen = 0.0
        self.clients: dict[str, float] = {}
        self.first_foreign: tuple[float, str] | None = None
        self.peak = (0.0, 0)
        self._minute = (0, 0)
        self._wave: _Wave | None = None

    def message(self, time: float, client: str, count: int = 1, last: float = 0.0) -> bool:
        """Take a message from `client`, or `count` of them up to the time `last`, all within one grain of the counts;
        tell whether it is the first one from there.
        """
        self.counts.add(time, "messages", count)
        self.counts.see(time, "client", client, count)
        self.first_seen = min(self.first_seen or time, time)
        self.last_seen = max(self.last_seen, time, last)
        minute = int(time // _MINUTE)
        self._minute = (minute, self._minute[1] + count if self._minute[0] == minute else count)
        if self._minute[1] > self.peak[1]:
            self.peak = (minute * _MINUTE, self._minute[1])
        if client in self.clients:
            return False
        if len(self.clients) < _REMEMBERED:
            self.clients[client] = time
        return True

    def sender(self, time: float, sender: str, owner: Owner) -> None:
        """Take a message's envelope sender; one that is not its own is forged."""
        self.counts.see(time, "sender", sender)
        if owner == "nobody":
            self.counts.add(time, "null")
        if owner in ("ours", "foreign"):
            self.counts.add(time, "forged")
        if owner == "foreign":
            self.counts.add(time, "foreign")
            self.counts.see(time, "foreign", sender)

    def sent_to(self, time: float, recipient: str) -> None:
        """A recipient was tried for the first time."""
        self.counts.see(time, "domain", lower(recipient.rpartition("@")[2]))

    def delivered(self, time: float, status: str, dsn: str, recipient: str) -> None:
        """One recipient was sent to, deferred, bounced or given up."""
        self.counts.add(time, status)
        if status == "bounced" and dsn in _UNKNOWN:
            self.counts.see(time, "unknown", recipient)

    def sent(self, event: Sent, owner: Callable[[str], Owner]) -> None:
        """Take what is told together, but for the messages themselves; `owner` tells whose an envelope sender is."""
        foreign, ours, null = {}, 0, 0
        for sender, messages in event.senders.items():
            whose = owner(sender)
            if whose == "foreign":
                foreign[sender] = messages
            elif whose == "ours":
                ours += messages
            elif whose == "nobody":
                null += messages
        elsewhere = sum(foreign.values())
        for kind, values in (("sender", event.senders), ("foreign", foreign), ("domain", event.domains)):
            self.counts.see_all(event.time, kind, values)
        for key, messages in (("forged", ours + elsewhere), ("foreign", elsewhere), ("null", null)):
            if messages:
                self.counts.add(event.time, key, messages)
        if event.domains:
            self.counts.add(event.time, "sent", sum(event.domains.values()))

    def figures(self, limits: Thresholds) -> Figures:
        """Return the figures of the window. No rate is looked for where there are few messages, as mostly."""
        counts = self.counts
        found = Figures(
            messages=counts["messages"],
            recipients=counts["recipients"],
            clients=counts.distinct("client"),
            forged=counts["forged"],
            foreign=counts["foreign"],
            foreign_senders=counts.distinct("foreign"),
            null=counts["null"],
            unknown=counts.distinct("unknown"),
            answered=counts["sent"] + counts["bounced"],
        )
        least = min(limits.rate_messages, limits.messages_per_minute)
        return self._rates(found) if found.messages >= least or found.clients >= limits.clients else found

    def _rates(self, found: Figures) -> Figures:
        counts = self.counts
        hour = min(counts.span, _HOUR)
        span = hour * _BUSY_SHARE
        wave = self._wave = self._begun()
        active = counts.between(wave.began, inf, "client")
        old = {place(client) for client, time in self.clients.items() if time < wave.began}
        new = [
            client
            for client in active
            if old and self.clients.get(client, wave.began) >= wave.began and place(client) not in old
        ]
        busiest = counts.busiest("messages", span)
        return replace(
            found,
            per_hour=counts.busiest("messages", hour) * _HOUR / hour,
            counted_over=hour,
            per_minute=counts.busiest("messages", 60.0),
            busiest=busiest,
            busiest_rate=busiest * _HOUR / span,
            past_rate=wave.past_rate,
            # Not only those of the wave: a burst from one of them would hide the others.
            places=counts.most_distinct("client", _HOUR, place),
            new_clients=len(new),
            new_messages=sum(active[client] for client in new),
            wave_messages=sum(active.values()),
        )

    def _begun(self) -> _Wave:
        """Return since when it is at its height, and the rate before that."""
        counts = self.counts
        began = counts.onset("messages", _MINUTE, _HEIGHT)
        if self._wave is not None and self._wave.began < counts.begins and began < counts.begins + 2 * _MINUTE:
            # It was at its height before the window began, and has been since.
            return self._wave
        before = counts.before(began, "messages")
        seconds = max(began - self.first_seen, _MINUTE)
        return _Wave(began, before * _HOUR / seconds if before else None)


class Queued:
    """What one login or client has in the queue, counted as it comes and goes."""

    __slots__ = ("bytes", "changes", "clients", "messages", "null_to_several", "recipients", "senders")

    def __init__(self) -> None:
        self.changes = 0
        self.null_to_several = 0
        self.messages = 0
        self.bytes = 0
        self.recipients = 0
        self.senders: Counter[str] = Counter()
        self.clients: Counter[str] = Counter()

    def change(self, message: Message, by: int) -> None:
        """Count a message that came into the queue (`by` 1) or left it (-1)."""
        self.changes = next(_CHANGES)
        self.messages += by
        self.bytes += by * message.size
        self.recipients += by * len(message.recipients)
        self.null_to_several += by * (not message.sender and len(message.recipients) > 1)
        _change(self.senders, message.sender, by)
        _change(self.clients, message.client or "unknown", by)

    def figures(self, found: Figures, owner: Callable[[str], Owner]) -> Figures:
        """Return `found`, with the queue's figures where it holds more than the window saw come in, and with what only
        the queue tells.

        `owner` tells whose an envelope sender is.
        """
        found = replace(found, null_to_several=self.null_to_several) if self.null_to_several else found
        if self.messages <= found.messages:
            return found
        senders = list(islice(self.senders.items(), _SAMPLE))
        looked_at = sum(count for _, count in senders)
        kinds = [(owner(sender), count) for sender, count in senders]
        foreign = sum(count for kind, count in kinds if kind == "foreign")
        forged = foreign + sum(count for kind, count in kinds if kind == "ours")
        different = sum(kind == "foreign" for kind, _ in kinds)
        return replace(
            found,
            messages=self.messages,
            recipients=self.recipients,
            clients=max(found.clients, len(self.clients)),
            forged=forged * self.messages // looked_at,
            foreign=foreign * self.messages // looked_at,
            foreign_senders=AtLeast(different) if len(self.senders) > len(senders) else different,
            null=self.senders.get("", 0),
        )


def _change(counts: Counter[str], value: str, by: int) -> None:
    counts[value] += by
    if not counts[value]:
        del counts[value]
