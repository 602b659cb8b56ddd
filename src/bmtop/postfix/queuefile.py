"""A queue file's envelope, read natively: the second, independent look before a message is deleted.

The record format is that of postfix/src/global/rec_type.h: a type byte, a length in base 128 with the low
bits first, and the data. Where a milter changed the envelope, a pointer leads to what holds now.
"""

import os
from typing import NamedTuple

_HEAD = 4096
# A damaged file's pointers may lead in a circle.
_MOST_POINTERS = 10_000
# Longer than any record that Postfix writes (postconf(5), line_length_limit), and than any queue file.
_LONGEST, _FARTHEST = 1 << 24, 1 << 60

_ATTRIBUTE, _SIZE, _TIME, _SENDER = b"ACTS"
_RECIPIENT, _ORIGINAL, _MESSAGE, _POINTER = b"ROMp"


class Head(NamedTuple):
    """What a queue file says of itself: size in bytes, arrival in epoch seconds, sender, login, client."""

    size: int
    arrival: int
    sender: bytes
    login: bytes | None
    client: bytes | None


def read_head(path: str) -> Head | None:
    """Return the head of the queue file at `path`; None where it is no whole queue file.

    Raises `OSError` where it cannot be read. A link is not followed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return _head(_Records(descriptor))
    except (ValueError, IndexError):
        return None
    finally:
        os.close(descriptor)


def has_recipients(descriptor: int) -> bool:
    """Tell whether a queue file, open for reading, has a recipient to whom it was not delivered yet.

    Postfix marks each as done in the file itself. Raises `OSError` or, where it is damaged, `ValueError`.
    """
    records = _Records(descriptor)
    while (kind := records.next()) is not None:
        if kind == _RECIPIENT:
            return True
    return False


class _Records:
    """The records of a queue file, in the order in which pointers have them. `value` is that of the last one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = os.pread(descriptor, _HEAD, 0)
        self._base = self._place = self._pointers = 0
        self.value = b""

    def next(self) -> int | None:
        """Go to the next record and return its type; None at the end. Raises `ValueError` where it is cut off."""
        while True:
            data, place = self._data, self._place
            try:
                kind, length = data[place], data[place + 1]
                start = place + 2
                if length > 0x7F:
                    length, start = _long(data, start, length)
            except IndexError:
                start, length = len(data), 1
            end = start + length
            if end <= len(data):
                self._place = end
                self.value = data[start:end]
                if kind != _POINTER:
                    return kind
                self._follow(int(self.value))
            elif not self._read_on(place, end - place):
                return None

    def _follow(self, target: int) -> None:
        if target > 0:
            self._pointers += 1
            if self._pointers > _MOST_POINTERS or target > _FARTHEST:
                raise ValueError("the pointers of this queue file lead nowhere")
            self._base, self._place = target, 0
            self._data = os.pread(self._descriptor, _HEAD, target)

    def _read_on(self, place: int, needed: int) -> bool:
        """Read from `place` on; False at the end of the file."""
        if needed > _LONGEST:
            raise ValueError("this queue file is damaged")
        rest = len(self._data) - place
        self._base, self._place = self._base + place, 0
        self._data = os.pread(self._descriptor, max(_HEAD, needed), self._base)
        if len(self._data) > rest:
            return True
        if rest:
            raise ValueError("this queue file is cut off")
        return False


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


def _head(records: _Records) -> Head | None:
    """Return what the records say up to the message's contents or its first recipient; None where some lack."""
    size = arrival = -1
    sender: bytes | None = None
    login: bytes | None = None
    client: bytes | None = None
    while (kind := records.next()) is not None:
        value = records.value
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
    if size < 0 or arrival < 0 or sender is None:
        return None
    return Head(size, arrival, sender, login, client)


def plain_address(address: str) -> str:
    """Return a client's address as the log has it: a queue file writes `IPv6:` before one (RFC 5321, 4.1.3)."""
    return address.removeprefix("IPv6:")
