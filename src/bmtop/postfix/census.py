"""The queue as it was last listed, kept in step: an envelope is read once for each message."""

from collections.abc import Callable
from dataclasses import replace

from bmtop.checked import QueueId
from bmtop.incident.message import Message, Origin
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import listing
from bmtop.server import CommandFailed


class Census:
    """`messages` by queue id; `problem` is a sentence where the envelopes cannot be read, else empty."""

    def __init__(self, postfix: Postfix, origin: Callable[[Message], Origin | None] = lambda message: None) -> None:
        self.messages: dict[QueueId, Message] = {}
        self.problem = ""
        self._postfix = postfix
        self._origin = origin

    def take(self, progress: Callable[[int, int], None] | None = None) -> tuple[list[Message], list[Message]]:
        """List the queue again; return the messages that are new, and those that are gone.

        Blocks for as long as postqueue and postcat need. Raises `CommandFailed` where the queue cannot be listed.
        """
        now: dict[QueueId, Message] = {}
        unread: list[QueueId] = []
        for listed in listing(self._postfix):
            known = self.messages.get(listed.id)
            # A short id may be another message by now: the id alone is no identity.
            if known is not None and (known.arrival, known.size) == (listed.arrival, listed.size):
                listed = replace(listed, envelope=known.envelope, origin=known.origin, sender=known.sender)
                if listed == known:
                    listed = known
            if listed.envelope is None:
                unread.append(listed.id)
            now[listed.id] = listed
        self._open(now, unread, progress)
        before, self.messages = self.messages, now
        self.attribute()
        added = [m for id, m in now.items() if not _counted_alike(before.get(id), m)]
        gone = [m for id, m in before.items() if not _counted_alike(now.get(id), m)]
        return added, gone

    def attribute(self) -> None:
        """Ask the log again who sent what a content filter gave back."""
        for id, message in self.messages.items():
            if message.origin is None and (origin := self._origin(message)) is not None:
                self.messages[id] = replace(message, origin=origin)

    def _open(
        self, now: dict[QueueId, Message], unread: list[QueueId], progress: Callable[[int, int], None] | None
    ) -> None:
        # Once refused, one id is enough to see whether it still is.
        asked = unread[:1] if self.problem else unread
        try:
            found = envelopes(self._postfix, asked, progress)
            if self.problem:
                found.update(envelopes(self._postfix, unread[1:], progress))
        except CommandFailed as error:
            self.problem = str(error)
            return
        self.problem = ""
        for id, envelope in found.items():
            now[id] = now[id].opened(envelope)
        for id in unread:
            if id not in found:
                del now[id]


def _counted_alike(one: Message | None, other: Message) -> bool:
    return one is other or (
        one is not None
        and (one.arrival, one.size, one.login, one.client) == (other.arrival, other.size, other.login, other.client)
    )
