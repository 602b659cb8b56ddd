"""A long stretch of log, taken apart by one process a processor, as one stream of events in the order of the log.

Finding and parting the lines takes longer than counting them, and a report waits for nothing else. So each
process takes every so many pieces, and sends what it finds through a pipe; they fill no more memory than that.
"""

import fcntl
import gc
import marshal
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NoReturn

from bmtop.incident.events import Accepted, Activated, Delivery, Event, LoginFailed, Notified, Rejected, Removed
from bmtop.postfix.history import WholeLines, whole_lines
from bmtop.postfix.logline import decoded, events, parts
from bmtop.postfix.logtime import LogClock

# Small enough that what is found in it stays near the processor.
PIECE = 1 << 16
_READ = 1 << 16
_PIPE = 1 << 20
_MOST = 4
_KINDS: tuple[type[Event], ...] = (Accepted, Activated, Delivery, LoginFailed, Notified, Rejected, Removed)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_LENGTH = 8


def parted(file: BinaryIO, clock: LogClock, piece: int = PIECE) -> Iterator[Event]:
    """Yield the events of the whole lines of `file`, from here to where it ends now."""
    start, end = file.tell(), os.fstat(file.fileno()).st_size
    pieces = range(start, end, piece)
    workers = min(len(os.sched_getaffinity(0)), _MOST)
    if workers < 2 or len(pieces) <= 2 * workers:
        for block in whole_lines(file, end):
            yield from events(decoded(block), clock)
        return
    descriptor = file.fileno()
    running = [_Worker(descriptor, pieces[number::workers], piece, end, clock) for number in range(workers)]
    try:
        for number, offset in enumerate(pieces):
            found = running[number % workers].next()
            if found is None:
                # Its process was ended by somebody.
                yield from events(_piece(descriptor, offset, min(offset + piece, end), end), clock)
            else:
                kinds, fields = found
                yield from map(tuple.__new__, map(_KINDS.__getitem__, kinds), fields)
    finally:
        for worker in running:
            worker.end()


class _Worker:
    """A process that takes these pieces apart, one after another."""

    def __init__(self, descriptor: int, offsets: range, piece: int, end: int, clock: LogClock) -> None:
        read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(read)
            _send(write, descriptor, offsets, piece, end, clock)
        with suppress(OSError):
            fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, _PIPE)
        os.close(write)
        self._pipe = open(read, "rb")  # noqa: SIM115

    def next(self) -> tuple[bytes, list[tuple[object, ...]]] | None:
        """Return the next piece's events, in parts: their kinds, and their fields; None where the process has ended."""
        length = int.from_bytes(self._pipe.read(_LENGTH), "little")
        found = self._pipe.read(length)
        return marshal.loads(found) if length and len(found) == length else None

    def end(self) -> None:
        """End the process, if it has not ended by itself."""
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _send(pipe: int, descriptor: int, offsets: range, piece: int, end: int, clock: LogClock) -> NoReturn:
    """Send the events of the pieces at these offsets: for each, how long it is, and then what it is."""
    try:
        gc.disable()
        with open(pipe, "wb", buffering=0) as out:
            for offset in offsets:
                lines = _piece(descriptor, offset, min(offset + piece, end), end)
                found = list(parts(lines, clock))
                told = marshal.dumps((bytes(_NUMBERS[kind] for kind, _ in found), [fields for _, fields in found]), 2)
                out.write(len(told).to_bytes(_LENGTH, "little") + told)
    finally:
        # Nothing that the parent has still to do is done here as well.
        os._exit(0)


def _piece(descriptor: int, start: int, stop: int, end: int) -> str:
    """Return the lines that begin from `start` to before `stop`; those that have their end before `end`."""
    at = _after_line_end(descriptor, start - 1, stop) if start else 0
    if at >= stop:
        return ""
    lines = WholeLines()
    found = []
    while at < end and (read := os.pread(descriptor, min(_READ, end - at), at)):
        # Here the last line ends that begins before `stop`.
        cut = read.find(b"\n", max(0, stop - 1 - at)) + 1
        found.append(lines.add(read[:cut] if cut else read))
        if cut:
            break
        at += len(read)
    return decoded(b"".join(found))


def _after_line_end(descriptor: int, at: int, stop: int) -> int:
    """Return where the first line's end from `at` on is over; `stop`, where there is none before it."""
    while at < stop and (read := os.pread(descriptor, min(_READ, stop - at), at)):
        cut = read.find(b"\n") + 1
        if cut:
            return at + cut
        at += len(read)
    return stop
