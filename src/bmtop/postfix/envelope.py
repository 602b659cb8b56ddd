"""Who sent a queued message: the envelope in its queue file, by `postcat -eq` (postcat(1)). Needs root.

Every line of an envelope begins with the name of its record, so that no address or name in it can pass
for another record; what comes after the envelope is the sender's to choose, and is not looked at.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from bmtop.checked import QueueId
from bmtop.incident.message import Envelope
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queuefile import plain_address
from bmtop.server import CommandFailed

_AT_ONCE = 4000
_ENVELOPE = re.compile(
    rb"^\*\*\* ENVELOPE RECORDS (?:\S*/)?([0-9A-Za-z]+) \*\*\*\n(.*?)^\*\*\* MESSAGE CONTENTS ",
    re.MULTILINE | re.DOTALL,
)
# A header line cannot look like this mark: it would begin with a name and a colon.
_HEADERS = re.compile(
    rb"^\*\*\* MESSAGE CONTENTS (?:\S*/)?([0-9A-Za-z]+) \*\*\*\n(.*?)^\*\*\* HEADER EXTRACTED ",
    re.MULTILINE | re.DOTALL,
)
_RECORD = re.compile(
    rb"^(?:named_attribute: (sasl_username|log_client_name|log_client_address|log_ident)=|"
    rb"(sender|original_recipient): )(.*)$",
    re.MULTILINE,
)
_SUBJECT = re.compile(rb"^subject[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_LONGEST_SUBJECT = 1000
_MISSING = re.compile(r"open queue file (\S+): No such file or directory")


def envelopes(
    postfix: Postfix, ids: Sequence[QueueId], progress: Callable[[int, int], None] | None = None
) -> dict[QueueId, Envelope]:
    """Return the envelope of each id that is still in the queue.

    `progress` is called with how many were read, and of how many. Raises `CommandFailed` where
    postcat cannot read the queue.
    """
    sections = _sections(postfix, "-eq", _ENVELOPE, ids, progress)
    return {id: parse_envelope(id, section) for id, section in sections}


def subjects(postfix: Postfix, ids: Sequence[QueueId]) -> dict[QueueId, str]:
    """Return the first Subject header (RFC 5322, decoded as RFC 2047 has it) of each id that is still in the queue.

    What is longer than 1,000 bytes is cut off. It is the sender's to choose: for showing and for
    `--subject`, never for attribution.
    """
    return {id: _subject(section) for id, section in _sections(postfix, "-ehq", _HEADERS, ids, None)}


def _sections(
    postfix: Postfix,
    flags: str,
    form: re.Pattern[bytes],
    ids: Sequence[QueueId],
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[QueueId, bytes]]:
    waiting = list(ids)
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        asked = {str(id): id for id in now}
        result = postfix.query("postcat", flags, *now, timeout=120.0)
        for found in form.finditer(result.out):
            id = asked.pop(found[1].decode("ascii"), None)
            if id is not None:
                yield id, found[2]
        if result.status != 0:
            # postcat ends at the first message that has left the queue, with some of its output lost:
            # ask again for all that did not come.
            missing = _MISSING.search(result.err)
            if missing is None or asked.pop(missing[1], None) is None:
                raise CommandFailed(
                    f"postcat failed: {result.last_words.rstrip('.')}. Run bmtop as root to see who sent what.", result
                )
            waiting = [*asked.values(), *waiting]
        if progress:
            progress(len(ids) - len(waiting), len(ids))


def parse_envelope(id: str, section: bytes) -> Envelope:
    """Return the envelope that the records in `section`, of the queue file `id`, give."""
    values: dict[bytes, str] = {}
    addressed: list[str] = []
    for attribute, address, value in _RECORD.findall(section):
        text = value.decode("utf-8", "surrogateescape")
        if address == b"original_recipient":
            addressed.append(text)
        else:
            values.setdefault(attribute or address, text)
    client = values.get(b"log_client_address")
    origin = values.get(b"log_ident", id)
    return Envelope(
        login=values.get(b"sasl_username"),
        client=None if client is None else plain_address(client),
        client_name=values.get(b"log_client_name", "unknown"),
        sender=values.get(b"sender", ""),
        origin=None if origin == id else origin,
        addressed=tuple(addressed),
    )


def _subject(headers: bytes) -> str:
    found = _SUBJECT.search(headers)
    if found is None:
        return ""
    # No honest one is longer (RFC 5322, 2.1.1), and decoding takes its time.
    raw = re.sub(rb"\r?\n(?=[ \t])", b"", found[1])[:_LONGEST_SUBJECT].decode("utf-8", "replace").strip()
    if "=?" not in raw:
        return raw
    try:
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError, HeaderParseError):
        return raw
