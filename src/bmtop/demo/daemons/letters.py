"""The text of the demo's messages, as it stands in queue files: headers, an empty line, a body."""

import time
import zlib
from collections.abc import Iterator

from bmtop.demo.beats import Send
from bmtop.demo.cast import DOMAIN, HOST, Client

# Says what a message plays in the story, for whoever checks that the right ones were deleted. bmtop never reads it.
PART_HEADER = "X-Demo-Part"
_SENTENCES = (
    "Please find below what we agreed on the phone this morning.",
    "Let us know whether the dates fit, so that we can book the room.",
    "The list has been brought up to date; changes are marked.",
    "For questions we are there from Monday to Friday.",
    "Confirm within 24 hours, or access will be limited.",
    "Follow the link and enter the code that you were sent.",
    "This offer ends today and is for you alone.",
    "Thank you for your patience, and best regards.",
)


def letter(send: Send, id: str, client: Client, protocol: str, login: str | None, when: float) -> Iterator[str]:
    """Yield the lines of a message that was handed in over SMTP."""
    yield f"Received: from {client.helo} ({client.name} [{shown_address(client)}])"
    if login is not None:
        yield f"\t(Authenticated sender: {login})"
    to_one = len(send.recipients) == 1
    yield f"\tby {HOST} (Postfix) with {protocol} id {id}" + ("" if to_one else ";")
    yield f"\tfor <{send.recipients[0]}>; {date(when)}" if to_one else f"\t{date(when)}"
    yield f"Subject: {send.subject}"
    yield f"From: {send.sender or 'MAILER-DAEMON'}"
    yield f"To: {', '.join(send.recipients)}"
    yield f"Date: {date(when)}"
    yield f"Message-ID: <{message_id(send, id, client)}>"
    yield f"{PART_HEADER}: {send.part}"
    yield ""
    yield from _body(send, id)


def bounce(
    id: str, original: str, sender: str, failures: list[tuple[str, str]], part: str, when: float
) -> Iterator[str]:
    """Yield the lines of a non-delivery notification for the message `original`: recipients and their reasons."""
    yield f"Received: by {HOST} (Postfix)"
    yield f"\tid {id}; {date(when)}"
    yield f"Date: {date(when)}"
    yield f"From: Mail Delivery System <MAILER-DAEMON@{DOMAIN}>"
    yield "Subject: Undelivered Mail Returned to Sender"
    yield f"To: {sender}"
    yield "Auto-Submitted: auto-replied"
    yield f"Message-Id: <{stamp(when)}.{id}@{HOST}>"
    yield f"{PART_HEADER}: {part}"
    yield ""
    yield f"This is the mail system at host {HOST}."
    yield ""
    yield "I'm sorry to have to inform you that your message could not"
    yield "be delivered to one or more recipients."
    for recipient, reason in failures:
        yield ""
        yield f"<{recipient}>: {reason}"
    yield ""
    yield f"X-Postfix-Queue-ID: {original}"


def message_id(send: Send, id: str, client: Client) -> str:
    """Return the Message-ID that the client gave the message."""
    return f"{zlib.crc32(id.encode()):08x}.{len(send.subject)}@{client.helo.strip('[]')}"


def shown_address(client: Client) -> str:
    """Return the client's address as Postfix writes it into headers and queue files."""
    return f"IPv6:{client.address}" if ":" in client.address else client.address


def date(when: float) -> str:
    """Return a time as in a Date header (RFC 5322), in UTC."""
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000 (UTC)", time.gmtime(when))


def stamp(when: float) -> str:
    """Return a time as in the Message-IDs that Postfix makes."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(when))


def _body(send: Send, id: str) -> Iterator[str]:
    seed = zlib.crc32(id.encode())
    for paragraph in range(send.paragraphs):
        for sentence in range(4):
            yield _SENTENCES[(seed + 3 * paragraph + sentence) % len(_SENTENCES)]
        yield ""
