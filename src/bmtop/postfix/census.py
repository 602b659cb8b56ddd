"""The queue as it was last seen, kept in step: an envelope is read once for each message.

Listing a long queue takes seconds, looking into its folders hardly any time. So between two listings, the
folders tell what has come, moved and gone, and the queue files of what has come tell the rest. Where the folders
may not be read, postqueue and postcat tell all.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message, Origin
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.folders import Folders
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import listing, parse
from bmtop.postfix.queuefile import Sheet, read_sheet
from bmtop.server import CommandFailed

Progress = Callable[[int, int], None]
# What is new, and what is gone; what is another message by now is in both.
Change = tuple[list[Message], list[Message]]
_Places = Mapping[str, tuple[str, str]]

# At most this share of the time goes into listings, and this one where no folder has changed. What only a listing
# tells, such as why a message waits, may be so many seconds old even then.
_SHARE = 0.1
_QUIET_SHARE = 0.01
_OLD = 60.0
_NEVER = -1
# So many envelopes are read between two words of how far it has come.
_TOLD_EVERY = 500


class Census:
    """`messages` by queue id; `problem` is a sentence where the envelopes cannot be read, else empty."""

    def __init__(
        self,
        postfix: Postfix,
        origin: Callable[[Message], Origin | None] = lambda message: None,
        may_be_returned: Callable[[Message], bool] = lambda message: True,
    ) -> None:
        self.messages: dict[QueueId, Message] = {}
        self.problem = ""
        self._postfix = postfix
        self._origin = origin
        self._may_be_returned = may_be_returned
        self._folders = Folders()
        # The folders' versions that the messages, and the newest listing, are as of.
        self._seen: int | None = None
        self._listed = _NEVER
        # When the next listing is due: where something has changed, and where nothing has (`time.monotonic`).
        self._next_listing = self._old_at = float("-inf")
        # The newest listing's lines, by their hash; those whose messages moved since say something else.
        self._lines: dict[int, QueueId] = {}
        self._moved: set[QueueId] = set()
        # What a content filter may have given back, of the messages that were looked through for it.
        self._asked_of: list[Message] = []
        self._looked_through: Mapping[QueueId, Message] | None = None

    def counts(self) -> dict[str, int]:
        """Return the number of messages in each queue, now.

        Raises `OSError` where its folders cannot be read, `CommandFailed` where Postfix does not say where they are.
        """
        self._folders.look(self._postfix.queue_directory)
        return self._folders.counts()

    def look(self, progress: Progress | None = None) -> Change:
        """Do as `take`, but list the queue only if that is due: else its folders tell what has changed."""
        now = time.monotonic()
        try:
            self._folders.look(self._postfix.queue_directory)
        except OSError:
            return self.take(progress)
        version = self._folders.version
        due = now >= (self._old_at if version == self._listed else self._next_listing)
        # What is there is told at once, before anything takes long.
        if (due or self.problem) and self._seen is not None:
            return self.take(progress)
        before = self.messages
        if version != self._seen:
            self.messages = self._step(self._folders.places(), progress)
            self._seen = version if len(self.messages) == len(self._folders.places()) else _NEVER
        return self._change(before)

    def take(self, progress: Progress | None = None) -> Change:
        """List the queue again, and return what has changed; `progress` is told of the envelopes.

        Blocks for as long as postqueue needs. Raises `CommandFailed` where the queue cannot be listed.
        """
        began = time.monotonic()
        known, version = self.messages, _NEVER
        # Neither waits for the other: on a long queue, both take their time.
        with ThreadPoolExecutor(1) as lister:
            lines = lister.submit(listing, self._postfix)
            with suppress(OSError):
                self._folders.look(self._postfix.queue_directory)
                version = self._folders.version
                known = self._step(self._folders.places(), progress)
            now = self._sum_up(lines.result(), known, progress)
        before, self.messages = self.messages, now
        self._seen = self._listed = version
        took = time.monotonic() - began
        self._next_listing = began + took / _SHARE
        self._old_at = began + max(_OLD, took / _QUIET_SHARE)
        return self._change(before)

    def _change(self, before: Mapping[QueueId, Message]) -> Change:
        self.attribute()
        now = self.messages
        if now is before:
            return [], []
        added = [m for id, m in now.items() if not _counted_alike(before.get(id), m)]
        gone = [m for id, m in before.items() if not _counted_alike(now.get(id), m)]
        return added, gone

    def look_through_again(self) -> None:
        """Take that other messages than before may have been given back by a content filter."""
        self._looked_through = None

    def attribute(self) -> None:
        """Ask the log again who sent what a content filter gave back."""
        if self._looked_through is not self.messages:
            self._looked_through = self.messages
            self._asked_of = [m for m in self.messages.values() if m.origin is None and self._may_be_returned(m)]
        found = {}
        for message in self._asked_of:
            origin = self._origin(message)
            if origin is not None:
                found[message.id] = replace(message, origin=origin)
        if found:
            self.messages = {**self.messages, **found}

    def _sum_up(
        self, lines: Iterable[bytes], known: Mapping[QueueId, Message], progress: Progress | None
    ) -> dict[QueueId, Message]:
        """Return the messages that are listed, each with its envelope: known, or read now."""
        now: dict[QueueId, Message] = {}
        hashes: dict[int, QueueId] = {}
        for line in lines:
            key = hash(line)
            message = self._again(key, known) or _listed(line, known)
            if message is not None:
                now[message.id] = message
                hashes[key] = message.id
        self._open(now, [id for id, message in now.items() if message.envelope is None], progress)
        self._lines, self._moved = hashes, set()
        return now

    def _again(self, key: int, known: Mapping[QueueId, Message]) -> Message | None:
        """Return the message that the listing before had in the very same line, if it has not moved since."""
        id = self._lines.get(key)
        return None if id is None or id in self._moved else known.get(id)

    def _open(self, now: dict[QueueId, Message], ids: Sequence[QueueId], progress: Progress | None) -> None:
        """Have postcat read the envelopes of these messages; where it cannot, `problem` says why."""
        # Once refused, one id is enough to see whether it still is.
        asked = ids[:1] if self.problem else ids
        try:
            found = envelopes(self._postfix, asked, progress)
            if self.problem:
                found.update(envelopes(self._postfix, ids[1:], progress))
        except CommandFailed as error:
            self.problem = str(error)
            return
        self.problem = ""
        for id in ids:
            if id in found:
                now[id] = now[id].opened(found[id])
            else:
                # It has left the queue meanwhile.
                del now[id]

    def _new(self, places: _Places) -> Iterator[tuple[QueueId, tuple[str, str]]]:
        """Yield the ids that are not known, and their places; what else lies in the folders is none of Postfix's."""
        for name, place in places.items():
            if name not in self.messages:
                with suppress(Refused):
                    yield QueueId(name), place

    def _step(self, places: _Places, progress: Progress | None) -> dict[QueueId, Message]:
        """Return the messages that are at these places; what is not whole yet is left for the next look."""
        now: dict[QueueId, Message] = {}
        for id, message in self.messages.items():
            place = places.get(id)
            if place is None:
                continue
            if place[0] != message.queue:
                message = replace(message, queue=place[0])
                self._moved.add(id)
            now[id] = message
        new = list(self._new(places))
        for number, (id, (queue, folder)) in enumerate(new, 1):
            sheet = _sheet(folder, id)
            if sheet is not None:
                size, arrival, envelope, recipients = sheet
                now[id] = Message(id, queue, arrival, size, envelope.sender, recipients, envelope=envelope)
            if progress is not None and number % _TOLD_EVERY == 0:
                progress(number, len(new))
        return now


def _listed(line: bytes, known: Mapping[QueueId, Message]) -> Message | None:
    """Return the message of a line, with the envelope that is known of it."""
    listed = parse(line)
    before = known.get(listed.id) if listed else None
    # A short id may be another message by now: the id alone is no identity.
    if listed is None or before is None or (before.arrival, before.size) != (listed.arrival, listed.size):
        return listed
    # There are many of them, and they need not be there twice.
    same = sorted(listed.recipients) == sorted(before.recipients)
    recipients = before.recipients if same else listed.recipients
    return replace(before, queue=listed.queue, reason=listed.reason, recipients=recipients)


def _sheet(folder: str, id: QueueId) -> Sheet | None:
    """Return what stands in a queue file; None where it has left, or is not all there yet."""
    path = f"{folder}/{id}"
    with suppress(OSError):
        # When it is, cleanup(8) makes it executable for its owner.
        if os.lstat(path).st_mode & 0o100:
            return read_sheet(path, id)
    return None


def _counted_alike(one: Message | None, other: Message) -> bool:
    return one is other or (
        one is not None
        and (one.arrival, one.size, one.login, one.client) == (other.arrival, other.size, other.login, other.client)
        and (one.envelope is None) == (other.envelope is None)
    )
