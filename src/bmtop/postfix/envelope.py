"""Who sent a queued message: the envelope in its queue file, by `postcat -eq` (postcat(1)). Needs root.

Every line of an envelope begins with the name of its record, so that no address or name in it can pass
for another record; what comes after the envelope is the sender's to choose, and is not looked at.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bmtop.checked import QueueId
from bmtop.incident.message import Envelope
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import files
from bmtop.postfix.queuefile import envelope_of
from bmtop.server import CommandFailed

T = TypeVar("T")

_AT_ONCE = 4000
# What matters of an envelope, and where it begins and ends: of some thirty lines, five or so.
_LINE = re.compile(
    rb"\n(?:named_attribute: (sasl_username|log_client_name|log_client_address|log_ident)=|"
    rb"(sender|original_recipient): |\*\*\* (ENVELOPE RECORDS|MESSAGE CONTENTS) )(.*)"
)
_FILE = re.compile(rb"(?:\S*/)?([0-9A-Za-z]+) \*\*\*")
# An expression holds up all other threads until it is done; so much it takes apart in a moment.
_BLOCK = 1 << 18
# A header line cannot look like this mark: it would begin with a name and a colon.
_HEADERS = re.compile(
    rb"^\*\*\* MESSAGE CONTENTS (?:\S*/)?([0-9A-Za-z]+) \*\*\*\n(.*?)^\*\*\* HEADER EXTRACTED ",
    re.MULTILINE | re.DOTALL,
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
    return dict(_asked(postfix, "-eq", _envelopes, ids, progress))


def subjects(postfix: Postfix, ids: Sequence[QueueId]) -> dict[QueueId, str]:
    """Return the first Subject header (RFC 5322, decoded as RFC 2047 has it) of each id that is still in the queue.

    What is longer than 1,000 bytes is cut off. It is the sender's to choose: for showing and for
    `--subject`, never for attribution.
    """
    return dict(_asked(postfix, "-ehq", _subjects, ids, None))


def _asked(
    postfix: Postfix,
    flags: str,
    read: Callable[[bytes], Iterator[tuple[str, T]]],
    ids: Sequence[QueueId],
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[QueueId, T]]:
    """Yield what `read` finds in postcat's output about each id that is still in the queue."""
    waiting = list(ids)
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        asked = {str(id): id for id in now}
        result = postfix.query("postcat", flags, *now, timeout=120.0)
        for name, found in read(result.out):
            id = asked.pop(name, None)
            if id is not None:
                yield id, found
        if result.status != 0:
            # postcat ends at the first message that has left the queue, after a second's sleep, and with some of
            # its output lost: ask again for all that did not come and is still there.
            missing = _MISSING.search(result.err)
            if missing is None or asked.pop(missing[1], None) is None:
                raise CommandFailed(
                    f"postcat failed: {result.last_words.rstrip('.')}. Run `sudo bmtop` to see who sent what.", result
                )
            waiting = _still_there(postfix, [*asked.values(), *waiting])
        if progress:
            progress(len(ids) - len(waiting), len(ids))


def _still_there(postfix: Postfix, ids: list[QueueId]) -> list[QueueId]:
    try:
        there = {name for name, _ in files(postfix.queue_directory)}
    except OSError:
        return ids
    return [id for id in ids if id in there]


def _envelopes(out: bytes) -> Iterator[tuple[str, Envelope]]:
    """Yield the queue id and the envelope of each section that is whole."""
    id = ""
    values: dict[str, str] = {}
    addressed: list[str] = []
    for attribute, address, mark, value in _lines(out):
        if mark == b"ENVELOPE RECORDS":
            file = _FILE.fullmatch(value)
            id = file[1].decode("ascii") if file else ""
            values, addressed = {}, []
        elif mark:
            if id:
                yield id, envelope_of(id, values, values.get("", ""), addressed)
            id = ""
        elif address == b"original_recipient":
            addressed.append(value.decode("utf-8", "surrogateescape"))
        else:
            # The sender is no attribute, and has no name.
            values.setdefault(attribute.decode("ascii"), value.decode("utf-8", "surrogateescape"))


def _lines(out: bytes) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    begin = 0
    while begin < len(out):
        end = out.find(b"\n*** ENVELOPE RECORDS ", begin + _BLOCK)
        end = len(out) if end < 0 else end
        yield from _LINE.findall(b"\n" + out[begin:end])
        begin = end + 1


def _subjects(out: bytes) -> Iterator[tuple[str, str]]:
    for found in _HEADERS.finditer(out):
        yield found[1].decode("ascii"), _subject(found[2])


def _subject(headers: bytes) -> str:
    found = _SUBJECT.search(headers)
    if found is None:
        return ""
    # No honest one is longer (RFC 5322, 2.1.1), and decoding takes its time.
    raw = re.sub(rb"\r?\n(?=[ \t])", b"", found[1])[:_LONGEST_SUBJECT].decode("utf-8", "replace").strip()
    if "=?" not in raw:
        return raw
    # It takes its time to load, and only showing a subject needs it.
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError, HeaderParseError):
        return raw
