"""Postfix queue files: a type byte, a length in base 128 with the low bits first, the data, and so on.

The types and their order are those of postfix/src/global/rec_type.h, as cleanup(8) of Postfix 3.7 writes
them where a milter is set up: with pointer records, so that a milter could still change the message.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

ENVELOPE_NAMES = {
    "C": "message_size", "T": "message_arrival_time", "c": "queue_file_create_time", "F": "sender_fullname",
    "I": "content_inspector", "L": "content_filter", "S": "sender", "D": "done_recipient",
    "/": "canceled_recipient", "R": "recipient", "O": "original_recipient", "W": "warning_message_time",
    "A": "named_attribute", "K": "killed_record", ">": "redirect_to", "f": "flags", "r": "return_receipt",
    "e": "errors_to", "P": "priority", "V": "verp_delimiters", "<": "dsn_return_flags",
    "i": "dsn_envelope_id", "o": "dsn_original_recipient", "n": "dsn_notify_flags",
}  # fmt: skip
_POINTER = 15  # digits of a pointer record
_NO_POINTER = "0".rjust(_POINTER)
_LINE = 2048  # postconf(5), line_length_limit
_SIZES = "%15d %15d %15d %15d %15d %15d"


class Record(NamedTuple):
    """One record: its type's letter, its data, and its place in the file."""

    kind: str
    data: bytes
    offset: int

    @property
    def text(self) -> str:
        """The data as text; bytes that are no UTF-8 are kept as surrogates."""
        return self.data.decode("utf-8", "surrogateescape")


class Queued(NamedTuple):
    """What the envelope of a queue file says. `waiting` are the records of recipients still to be served."""

    size: int
    arrival: float
    sender: str
    waiting: tuple[Record, ...]
    attributes: dict[str, str]
    recipients: int


def pack(kind: str, data: str | bytes = b"") -> bytes:
    """Return one record as bytes."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    length, head = len(raw), bytearray(kind, "ascii")
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + raw


def records(file: bytes) -> Iterator[Record]:
    """Yield the records of a queue file up to its end, where pointers lead to. Raises `ValueError` where it is none."""
    place, end = 0, len(file)
    while place < end:
        if place + 1 == end:
            raise ValueError("a record is cut off")
        offset, kind, length = place, chr(file[place]), file[place + 1]
        place += 2
        shift = 7
        more = length & 0x80
        length &= 0x7F
        while more and place < end:
            more = file[place] & 0x80
            length |= (file[place] & 0x7F) << shift
            shift += 7
            place += 1
        data = file[place : place + length]
        if more or len(data) < length:
            raise ValueError("a record is cut off")
        place += length
        if kind == "p":
            place = int(data) or place
        elif kind != "w":
            yield Record(kind, data, offset)
            if kind == "E":
                return


def read(file: bytes) -> Queued:
    """Return the envelope of a queue file. Raises `ValueError` where it has none."""
    size, arrival, count = -1, 0.0, 0
    sender: str | None = None
    waiting: list[Record] = []
    attributes: dict[str, str] = {}
    for record in records(file):
        if record.kind == "C":
            size = int(record.data.split()[0])
        elif record.kind == "T" and not arrival:
            seconds, _, micro = record.data.partition(b" ")
            arrival = int(seconds) + int(micro or b"0") / 1e6
        elif record.kind == "A":
            name, _, value = record.text.partition("=")
            attributes.setdefault(name, value)
        elif record.kind == "S":
            sender = record.text
        elif record.kind == "R":
            waiting.append(record)
            count += 1
        elif record.kind == "D":
            count += 1
        elif record.kind == "M":
            break
    if sender is None:
        raise ValueError("no sender")
    return Queued(len(file) if size < 0 else size, arrival, sender, tuple(waiting), attributes, count)


def content(file: bytes) -> Iterator[bytes]:
    """Yield the lines of the message in a queue file, headers first."""
    inside, pending = False, b""
    for record in records(file):
        if record.kind == "M":
            inside = True
        elif record.kind == "X":
            break
        elif inside and record.kind == "L":
            pending += record.data
        elif inside and record.kind == "N":
            yield pending + record.data
            pending = b""


def build(
    arrival: float,
    sender: str,
    recipients: Sequence[str],
    lines: Iterable[str],
    *,
    before_sender: Iterable[tuple[str, str]] = (),
    after_sender: Iterable[tuple[str, str]] = (),
    extracted: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return a whole queue file; `lines` are the message's header and body lines, without line ends."""
    envelope = [pack("T", f"{int(arrival)} {round(arrival % 1 * 1e6) % 1_000_000}")]
    envelope.append(pack("A", f"create_time={int(arrival)}"))
    envelope += (pack("A", f"{name}={value}") for name, value in before_sender)
    envelope.append(pack("S", sender))
    envelope += (pack("A", f"{name}={value}") for name, value in after_sender)
    for recipient in recipients:
        envelope.append(pack("A", f"dsn_orig_rcpt=rfc822;{recipient}"))
        envelope += (pack("O", recipient), pack("R", recipient))
    head = b"".join([*envelope, pack("p", _NO_POINTER), pack("M")])
    text = _text(lines)
    place = len(pack("C", _SIZES % (0, 0, 0, 0, 0, 0))) + len(head)
    tail = [pack("X"), *(pack("A", f"{name}={value}") for name, value in extracted), pack("p", _NO_POINTER), pack("E")]
    sizes = pack("C", _SIZES % (len(text), place, len(recipients), 0, len(text), 0))
    return b"".join([sizes, head, text, *tail])


def _text(lines: Iterable[str]) -> bytes:
    """Return the records of a message, with room for a milter's pointers after each header and both parts."""
    written: list[bytes] = []
    in_headers = True
    for line in lines:
        if in_headers and not line:
            in_headers = False
            written.append(pack("p", _NO_POINTER))
        raw = line.encode("utf-8", "surrogateescape")
        while len(raw) > _LINE:
            written.append(pack("L", raw[:_LINE]))
            raw = raw[_LINE:]
        written.append(pack("N", raw))
        if in_headers and not line[0].isspace() and len(raw) < _POINTER:
            written.append(pack("w", "0".rjust(max(1, _POINTER - len(raw) - 2))))
    return b"".join([*written, pack("p", _NO_POINTER)])
