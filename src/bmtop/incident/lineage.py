"""Where a queued message comes from, as far as only the log tells: what a content filter gave back without a
word of where it had it from, and what Postfix itself wrote about mail that bounced."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Accepted, Activated, Delivery, Event, Notified, Removed
from bmtop.incident.message import Message, Origin
from bmtop.incident.selection import Filter, unquoted

_QUEUED_AS = re.compile(r"\bqueued as ([0-9A-Za-z]{6,36})\b")
_RELAY_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\]:\d+$")
# Messages that are under way without being in the queue's listing: not listed yet, or gone without a word.
_UNLISTED = 20_000


class Source(NamedTuple):
    """Who sent the message `id` in the first place, and when it came in under that id (epoch seconds)."""

    id: str
    origin: Origin
    time: float


class _Returned(NamedTuple):
    """That the mail of `source`, from `sender` to `recipient`, was handed to this very server under a new id."""

    source: Source
    sender: str
    recipient: str


class Lineage:
    """Feed it events in the order of the log. `is_own` tells whether an address is the server's own, `is_queued`
    whether a queue id was in the newest listing.
    """

    def __init__(self, is_own: Callable[[str], bool], is_queued: Callable[[str], bool] = lambda id: False) -> None:
        self._is_own = is_own
        self._is_queued = is_queued
        self._room = _UNLISTED
        self._sources: dict[str, Source] = {}
        self._senders: dict[str, str] = {}
        self._returned: dict[str, _Returned] = {}
        self._reports: dict[str, Source] = {}

    def feed(self, event: Event) -> None:
        """Take the next event of the log."""
        match event:
            case Delivery():
                if event.status == "sent":
                    self._sent(event)
            case Accepted():
                before = self._sources.get(event.origin) if event.origin else None
                origin = before.origin if before else Origin(event.id, event.login, event.client, event.name)
                self._sources[event.id] = Source(event.id, origin, event.time)
                if len(self._sources) >= self._room:
                    self._make_room()
            case Activated():
                self._senders[event.id] = event.sender
            case Notified():
                if event.id in self._sources:
                    self._reports[event.notification] = self._source(event.id)
            case Removed():
                self._gone(event.id)

    def _gone(self, id: str) -> None:
        for known in (self._sources, self._senders, self._returned, self._reports):
            known.pop(id, None)

    def _make_room(self) -> None:
        """Forget the oldest messages that are not in the queue: they left it, and the log lacks that line."""
        unlisted = [id for id in self._sources if not self._is_queued(id)]
        for id in unlisted[: -_UNLISTED // 2]:
            self._gone(id)
        # What began before the log did is known by its sender alone.
        self._senders = {id: sender for id, sender in self._senders.items() if id in self._sources}
        self._room = len(self._sources) + _UNLISTED // 2

    def _sent(self, event: Delivery) -> None:
        """Note under which id our own smtpd took a message back.

        The text of an answer is the other side's to choose, so it counts only where the other side is this
        machine, and only for a message that this machine handed in, without a login, while this one was
        under way.
        """
        relay = _RELAY_ADDRESS.search(event.relay)
        answer = _QUEUED_AS.search(event.answer)
        if relay is None or answer is None or not self._is_own(relay[1]):
            return
        after = self._sources.get(answer[1])
        if after is None or event.id not in self._sources or event.id not in self._senders or event.id == after.id:
            return
        handed_in = after.origin
        if handed_in.id != after.id or handed_in.login is not None or not self._is_own(handed_in.client):
            return
        before = self._source(event.id)
        if before.time <= after.time <= event.time:
            self._returned[after.id] = _Returned(before, self._senders[event.id], event.recipient)

    def _source(self, id: str) -> Source:
        source, returned = self._sources[id], self._returned.get(id)
        return source if returned is None else source._replace(origin=returned.source.origin)

    def origin(self, message: Message) -> Origin | None:
        """Return who sent `message` before a content filter gave it back, where its answer told; else None."""
        found, envelope = self._returned.get(message.id), message.envelope
        if found is None or envelope is None or envelope.login is not None or not self._is_own(envelope.client or ""):
            return None
        alike = unquoted(found.sender) == envelope.sender and unquoted(found.recipient) in envelope.addressed
        return found.source.origin if alike and int(found.source.time) <= message.arrival else None

    def reported(self, message: Message) -> Source | None:
        """Return whose mail it is that the queued `message`, of Postfix's own making, reports as bounced."""
        made_here = message.envelope is not None and message.client is None and message.sender == ""
        return self._reports.get(message.id) if made_here else None


def bounces(
    messages: Iterable[Message], wanted: Filter, chosen: Collection[Message], accounts: Accounts, lineage: Lineage
) -> tuple[Message, ...]:
    """Return the non-delivery notifications that Postfix made of mail which `wanted` means, oldest first.

    They have no login, no client and no sender, so `wanted` itself never means them. That mail is one of the
    `chosen` messages, or has left the queue since; of what has left, recipients and subject are not known, so
    a filter on those finds nothing there.
    """
    by_id: dict[str, Message] = {m.id: m for m in chosen}
    found = []
    for message in messages:
        source = lineage.reported(message)
        if source is None or message.id in by_id:
            continue
        original = by_id.get(source.id)
        # An id is used again only after its message has left, so an older message of that id is the one.
        still_there = original is not None and original.arrival <= message.arrival
        if still_there or _meant(wanted, source, message, accounts):
            found.append(message)
    return tuple(sorted(found, key=lambda m: (m.arrival, m.id)))


def _meant(wanted: Filter, source: Source, bounce: Message, accounts: Accounts) -> bool:
    if wanted.empty or wanted.ids or wanted.recipient or wanted.subject or wanted.queue:
        return False
    return (
        wanted.matches_source(source.origin.login, source.origin.client, accounts)
        # A notification goes to the sender of what it reports.
        and any(wanted.matches_sender(recipient) for recipient in bounce.recipients)
        and (wanted.since is None or source.time >= wanted.since)
        and (wanted.before is None or source.time < wanted.before)
    )
