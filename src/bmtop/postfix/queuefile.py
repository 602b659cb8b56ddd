"""The head of a queue file, read natively: the second, independent look before a message is deleted.

The record format is that of postfix/src/global/rec_type.h: a type byte, a length in base 128 with
the low bits first, and the data.
"""

import os
from typing import NamedTuple

_HEAD = 4096


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
        return parse_head(os.read(descriptor, _HEAD))
    finally:
        os.close(descriptor)


def parse_head(data: bytes) -> Head | None:
    """Return what the records say up to the message's contents or its first recipient; None if malformed."""
    size = arrival = -1
    sender: bytes | None = None
    login: bytes | None = None
    client: bytes | None = None
    place, end = 0, len(data)
    while place + 1 < end:
        kind, length = data[place], data[place + 1]
        place += 2
        if length & 0x80:
            length &= 0x7F
            shift = 7
            while place < end:
                more = data[place]
                place += 1
                length |= (more & 0x7F) << shift
                shift += 7
                if not more & 0x80:
                    break
        value = data[place : place + length]
        if len(value) < length:
            break
        place += length
        if kind == 0x41:  # A: name=value
            if login is None and value.startswith(b"sasl_username="):
                login = value[14:]
            elif client is None and value.startswith(b"log_client_address="):
                client = value[19:]
        elif kind == 0x43 and size < 0:  # C: sizes
            size = int(value.split(None, 1)[0])
        elif kind == 0x54 and arrival < 0:  # T: arrival
            arrival = int(value.split(None, 1)[0])
        elif kind == 0x53 and sender is None:  # S: envelope sender
            sender = value
        elif kind in (0x52, 0x4F, 0x4D):  # R, O: recipients; M: the contents
            break
    if size < 0 or arrival < 0 or sender is None:
        return None
    return Head(size, arrival, sender, login, client)


def plain_address(address: str) -> str:
    """Return a client's address as the log has it: a queue file writes `IPv6:` before one (RFC 5321, 4.1.3)."""
    return address.removeprefix("IPv6:")
