"""Who sent a queued message: the envelope in its queue file, by `postcat -eq` (postcat(1)). Needs root."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bmtop.checked import QueueId
from bmtop.incident.message import Envelope
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queuefile import plain_address
from bmtop.server import CommandFailed

_AT_ONCE = 4000
_SECTION = re.compile(rb"^\*\*\* ENVELOPE RECORDS (?:\S*/)?([0-9A-Za-z]+) \*\*\*$", re.MULTILINE)
_RECORD = re.compile(
    rb"^(?:named_attribute: (sasl_username|log_client_name|log_client_address|log_ident)=|(sender|original_recipient): )(.*)$",
    re.MULTILINE,
)
_MISSING = re.compile(r"open queue file (\S+): No such file or directory")


def envelopes(
    postfix: Postfix, ids: Sequence[QueueId], progress: Callable[[int, int], None] | None = None
) -> dict[QueueId, Envelope]:
    """Return the envelope of each id that is still in the queue.

    `progress` is called with how many were read, and of how many. Raises `CommandFailed` where
    postcat cannot read the queue.
    """
    found: dict[QueueId, Envelope] = {}
    waiting = list(ids)
    while waiting:
        now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        result = postfix.query("postcat", "-eq", *now, timeout=120.0)
        found.update(_wanted(parse(result.out), now))
        if result.status != 0:
            # postcat ends at the first message that has left the queue: go on after it.
            missing = _MISSING.search(result.err)
            if missing is None or missing[1] not in now:
                raise CommandFailed(
                    f"postcat failed: {result.last_words.rstrip('.')}. Run bmtop as root to see who sent what.",
                    result,
                )
            waiting = now[now.index(QueueId(missing[1])) + 1 :] + waiting
        if progress:
            progress(len(ids) - len(waiting), len(ids))
    return found


def _wanted(pairs: Iterator[tuple[str, Envelope]], ids: Sequence[QueueId]) -> Mapping[QueueId, Envelope]:
    asked = {str(id): id for id in ids}
    return {asked[id]: envelope for id, envelope in pairs if id in asked}


def parse(out: bytes) -> Iterator[tuple[str, Envelope]]:
    """Yield queue id and envelope from the output of `postcat -e`.

    Every line of an envelope begins with the name of its record, so that no address or name in it
    can pass for another record; lines after the message's contents are not looked at.
    """
    marks = list(_SECTION.finditer(out))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        section = out[mark.end() : following.start() if following else len(out)]
        section = section.partition(b"\n*** MESSAGE CONTENTS ")[0]
        yield mark[1].decode("ascii"), _envelope(mark[1].decode("ascii"), section)


def _envelope(id: str, section: bytes) -> Envelope:
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


def subjects(postfix: Postfix, ids: Sequence[QueueId]) -> dict[QueueId, str]:
    """Return the Subject header of each message, decoded (RFC 2047); `` where it has none or has left.

    The subject is the sender's to choose: it is for showing and for `--subject`, never for attribution.
    """
    from email import policy
    from email.parser import BytesHeaderParser

    parser = BytesHeaderParser(policy=policy.default)
    found: dict[QueueId, str] = {}
    for id in ids:
        result = postfix.query("postcat", "-hq", id, timeout=30.0)
        try:
            found[id] = str(parser.parsebytes(result.out)["Subject"] or "")
        except (ValueError, IndexError, KeyError, AttributeError, LookupError):
            found[id] = ""
    return found
