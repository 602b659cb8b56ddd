"""TCP ports on loopback that no other test takes.

Postfix's servers listen with SO_REUSEPORT: two of them on one port both start without a word, and share its
connections. So that a port is not in use now is not enough; it must not be given out twice either.
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator

BLOCKS = range(10_000, 30_000, 500)  # below the ports that Linux gives to outgoing connections


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on, and that no other process which asks here is given."""
    return list(itertools.islice(filter(is_free, OWN), count))


def own_ports() -> Iterator[int]:
    """The ports of a block that is this process's own, round and round: it is marked by a name that the kernel
    forgets with the process (unix(7), abstract sockets)."""
    with socket.socket(socket.AF_UNIX) as mark:
        block = next(block for block in BLOCKS if is_marked(mark, block))
        yield from itertools.cycle(range(block, block + BLOCKS.step))


OWN = own_ports()


def is_marked(mark: socket.socket, block: int) -> bool:
    """Whether the block could be marked as ours."""
    with contextlib.suppress(OSError):
        mark.bind(f"\0bmtop-tests-ports-{block}")
        return True
    return False


def is_free(port: int) -> bool:
    """Whether it can be had now."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


def is_listening(port: int) -> bool:
    """Whether a server takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
