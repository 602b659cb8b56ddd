"""A message in the queue, as `postqueue -j` lists it and its queue file's envelope tells who sent it."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from bmtop.checked import QueueId


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who handed the message in, from the queue file (postcat(1), -e): never from its headers.

    `sender` is as the queue file has it, unquoted. `origin` is the queue id that the message had
    before a content filter gave it back, where that filter said so (XFORWARD IDENT). `addressed`
    has the recipients as they came in, before any alias or forwarding.
    """

    login: str | None
    client: str | None
    client_name: str = "unknown"
    sender: str = ""
    origin: str | None = None
    addressed: tuple[str, ...] = ()


class Origin(NamedTuple):
    """Who sent a message in the first place, as the log says it: `id` is the queue id it had then."""

    id: str
    login: str | None
    client: str
    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """One queued message. `arrival` is in seconds since the epoch, `size` in bytes.

    `envelope` is None as long as the queue file was not read (no right to, or not yet). `origin` is
    set where a content filter gave the message back, and the log tells who sent it before.
    """

    id: QueueId
    queue: str
    arrival: int
    size: int
    sender: str
    recipients: tuple[str, ...]
    reason: str = ""
    envelope: Envelope | None = None
    origin: Origin | None = None

    @property
    def source(self) -> Origin | Envelope | None:
        """Who sent it in the first place, None where that is not known."""
        return self.origin or self.envelope

    @property
    def login(self) -> str | None:
        """The login that sent it in the first place."""
        return source.login if (source := self.source) else None

    @property
    def client(self) -> str | None:
        """The client that sent it in the first place."""
        return source.client if (source := self.source) else None

    def opened(self, envelope: Envelope) -> "Message":
        """Return this message with its envelope, and the sender as that has it."""
        return replace(self, envelope=envelope, sender=envelope.sender)
