"""A queue file's envelope, read natively: many times as fast as postcat(1), which is asked as well before a purge.

The record format is that of postfix/src/global/rec_type.h: a type byte, a length in base 128 with the low
bits first, and the data. Where a milter changed the envelope, a pointer leads to what holds now.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from sys import intern
from typing import NamedTuple, TypeVar

from bmtop.incident.message import Envelope

T = TypeVar("T")

_HEAD = 4096
# A damaged file's pointers may lead in a circle.
_MOST_POINTERS = 10_000
# Longer than any record that Postfix writes (postconf(5), line_length_limit), and than any queue file.
_LONGEST, _FARTHEST = 1 << 24, 1 << 60

_ATTRIBUTE, _SIZE, _TIME, _SENDER = b"ACTS"
_RECIPIENT, _ORIGINAL, _MESSAGE, _POINTER = b"ROMp"
# The attributes that an envelope is made of, of some twenty.
_NAMED = (b"sasl_username=", b"log_client_name=", b"log_client_address=", b"log_ident=")


class Head(NamedTuple):
    """What a queue file says of itself: size in bytes, arrival in epoch seconds, sender, login, client."""

    size: int
    arrival: int
    sender: bytes
    login: bytes | None
    client: bytes | None


class Sheet(NamedTuple):
    """Everything that stands before a message's contents: `recipients` are those it was not delivered to yet."""

    size: int
    arrival: int
    envelope: Envelope
    recipients: tuple[str, ...]


def read_head(path: str) -> Head | None:
    """Return the head of the queue file at `path`; None where it is no whole queue file.

    Raises `OSError` where it cannot be read. A link is not followed.
    """
    return _read(path, _head)


def read_sheet(path: str, id: str) -> Sheet | None:
    """Return the same, and all else that is before the contents, of the queue file of the message `id`."""
    return _read(path, lambda records: _sheet(records, id))


def _read(path: str, take: Callable[[Iterable[tuple[int, bytes]]], T | None]) -> T | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return take(_records(descriptor))
    except (ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def has_recipients(descriptor: int) -> bool:
    """Tell whether a queue file, open for reading, has a recipient to whom it was not delivered yet.

    Postfix marks each as done in the file itself. Raises `OSError` or, where it is damaged, `ValueError`.
    """
    return any(kind == _RECIPIENT for kind, _ in _records(descriptor))


def _records(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of a queue file's records, in the order in which pointers have them.

    Raises `ValueError` where it is damaged.
    """
    data = os.pread(descriptor, _HEAD, 0)
    base = place = pointers = 0
    while True:
        try:
            kind, length, start = data[place], data[place + 1], place + 2
            if length > 0x7F:
                length, start = _long(data, start, length)
            end = start + length
        except IndexError:
            # Cut off; how long it is, the next bytes say.
            end = len(data) + 1
        if end <= len(data):
            if kind != _POINTER:
                yield kind, data[start:end]
                place = end
                continue
            target = int(data[start:end])
            pointers += 1
            if pointers > _MOST_POINTERS or target > _FARTHEST:
                raise ValueError("the pointers of this queue file lead nowhere")
            place = end
            if target > 0:
                base, place = target, 0
                data = os.pread(descriptor, _HEAD, base)
            continue
        rest, needed = len(data) - place, end - place
        if needed > _LONGEST:
            raise ValueError("this queue file is damaged")
        base, place = base + place, 0
        data = os.pread(descriptor, max(_HEAD, needed), base)
        if len(data) <= rest:
            if rest:
                raise ValueError("this queue file is cut off")
            return


def _long(data: bytes, place: int, first: int) -> tuple[int, int]:
    """Return the length that goes on at `place`, and where the data begins. Raises `IndexError` at the end."""
    length, shift = first & 0x7F, 7
    while True:
        more = data[place]
        place += 1
        length |= (more & 0x7F) << shift
        shift += 7
        if more < 0x80:
            return length, place


def _head(records: Iterable[tuple[int, bytes]]) -> Head | None:
    """Return what the records say up to the message's contents or its first recipient; None where some lack."""
    size = arrival = -1
    sender: bytes | None = None
    login: bytes | None = None
    client: bytes | None = None
    for kind, value in records:
        if kind == _ATTRIBUTE:
            if login is None and value.startswith(b"sasl_username="):
                login = value[14:]
            elif client is None and value.startswith(b"log_client_address="):
                client = value[19:]
        elif kind == _SIZE and size < 0:
            size = int(value.split(None, 1)[0])
        elif kind == _TIME and arrival < 0:
            arrival = int(value.split(None, 1)[0])
        elif kind == _SENDER and sender is None:
            sender = value
        elif kind in (_RECIPIENT, _ORIGINAL, _MESSAGE):
            break
        if client is not None and login is not None and sender is not None:
            # Each counts once, and size and time come first: nothing that follows can change it.
            break
    if size < 0 or arrival < 0 or sender is None:
        return None
    return Head(size, arrival, sender, login, client)


def _sheet(records: Iterable[tuple[int, bytes]], id: str) -> Sheet | None:
    size = arrival = -1
    values: dict[str, str] = {}
    sender: str | None = None
    addressed: list[str] = []
    recipients: list[str] = []
    for kind, value in records:
        if kind == _ATTRIBUTE:
            if value.startswith(_NAMED):
                name, _, text = value.decode("utf-8", "surrogateescape").partition("=")
                values.setdefault(name, text)
        elif kind == _RECIPIENT:
            recipients.append(value.decode("utf-8", "surrogateescape"))
        elif kind == _ORIGINAL:
            addressed.append(value.decode("utf-8", "surrogateescape"))
        elif kind == _SIZE and size < 0:
            size = int(value.split(None, 1)[0])
        elif kind == _TIME and arrival < 0:
            arrival = int(value.split(None, 1)[0])
        elif kind == _SENDER and sender is None:
            sender = value.decode("utf-8", "surrogateescape")
        elif kind == _MESSAGE:
            break
    else:
        return None
    if size < 0 or arrival < 0 or sender is None:
        return None
    left = tuple(recipients)
    # As a rule they are the same, and there are many of them.
    return Sheet(size, arrival, envelope_of(id, values, sender, left if addressed == recipients else addressed), left)


def envelope_of(id: str, attributes: Mapping[str, str], sender: str, addressed: Iterable[str]) -> Envelope:
    """Return the envelope that these named attributes of the queue file of the message `id` make."""
    login, client = attributes.get("sasl_username"), attributes.get("log_client_address")
    origin = attributes.get("log_ident", id)
    return Envelope(
        # The same ones come many times.
        login=None if login is None else intern(login),
        client=None if client is None else intern(plain_address(client)),
        client_name=intern(attributes.get("log_client_name", "unknown")),
        sender=sender,
        origin=None if origin == id else origin,
        addressed=tuple(addressed),
    )


def plain_address(address: str) -> str:
    """Return a client's address as the log has it: a queue file writes `IPv6:` before one (RFC 5321, 4.1.3)."""
    return address.removeprefix("IPv6:")
