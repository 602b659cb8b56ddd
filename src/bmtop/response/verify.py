"""The last look before an action: is each id still the message that was shown?

Short queue ids are used again. What is compared comes from the queue file itself, read natively,
against what postqueue and postcat said when the list was frozen.
"""

from bmtop.incident.message import Message
from bmtop.postfix.queuefile import Head, plain_address, read_head

GONE = "had left the queue"
CHANGED = "is another message now"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def is_still(message: Message, head: Head | None) -> bool:
    """Tell whether a queue file with this head is `message`: same size, arrival, sender, login and client."""
    envelope = message.envelope
    if head is None or envelope is None:
        return False
    client = _text(head.client)
    return (
        head.size == message.size
        and head.arrival == message.arrival
        and _text(head.sender) == message.sender
        and _text(head.login) == envelope.login
        and (None if client is None else plain_address(client)) == envelope.client
    )


def file_is_still(message: Message, path: str) -> bool:
    """Tell the same of the queue file at `path`. Raises `OSError` where it cannot be read."""
    try:
        return is_still(message, read_head(path))
    except ValueError:
        return False
