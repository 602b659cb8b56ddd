"""A long stretch of log, taken apart by one process a processor, as one stream of events in the order of the log.

A report waits for nothing else. So each process takes every so many stretches, and sends what they tell through
a pipe.
"""

import fcntl
import gc
import marshal
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import starmap
from typing import BinaryIO, NamedTuple, NoReturn

from bmtop.incident.events import Accepted, Activated, Delivery, Event, LoginFailed, Notified, Rejected, Removed, Sent
from bmtop.postfix.history import WholeLines
from bmtop.postfix.lives import Lives
from bmtop.postfix.logline import Match, Parts, decoded, matches, parts
from bmtop.postfix.logtime import LogClock

# So long that most messages' lives are within one stretch, and so short that what is found in it takes little memory.
STRETCH = 1 << 18
# So many stretches a process, so that each has as much to do as the others.
_SHARES = 8
# Small enough that it stays near the processor.
_PIECE = 1 << 16
_PIPE = 1 << 20
_MOST = 4
_KINDS: tuple[type[Event], ...] = (Accepted, Activated, Delivery, LoginFailed, Notified, Rejected, Removed, Sent)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_LENGTH = 8


class _Log(NamedTuple):
    """A log that is read up to the offset `end`; `lives` are told together, where that is wanted."""

    descriptor: int
    end: int
    clock: LogClock
    lives: Lives | None


def parted(file: BinaryIO, clock: LogClock, lives: Lives | None = None, longest: int = STRETCH) -> Iterator[Event]:
    """Yield the events of the whole lines of `file`, from here to where it ends now.

    With `lives`, most of them are told together. No stretch is longer than `longest` bytes.
    """
    start, end = file.tell(), os.fstat(file.fileno()).st_size
    workers = min(len(os.sched_getaffinity(0)), _MOST)
    stretches = range(start, end, min(longest, max(_PIECE, (end - start) // (workers * _SHARES))))
    log = _Log(file.fileno(), end, clock, lives)
    if workers < 2 or len(stretches) <= 2 * workers:
        for offset in stretches:
            yield from starmap(tuple.__new__, _stretch(log, offset, offset + stretches.step))
        return
    running = [_Worker(log, stretches[number::workers], stretches.step) for number in range(workers)]
    try:
        for number, offset in enumerate(stretches):
            told = running[number % workers].next()
            # Its process may have been ended by somebody.
            if told is None:
                told = _stretch(log, offset, offset + stretches.step)
            yield from starmap(tuple.__new__, told)
    finally:
        for worker in running:
            worker.end()


class _Worker:
    """A process that takes these stretches apart, one after another."""

    def __init__(self, log: _Log, offsets: range, length: int) -> None:
        read, write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(read)
            _send(write, log, offsets, length)
        with suppress(OSError):
            fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, _PIPE)
        os.close(write)
        self._pipe = open(read, "rb")  # noqa: SIM115

    def next(self) -> Iterator[Parts] | None:
        """Return what the next stretch tells; None where the process has ended."""
        length = int.from_bytes(self._pipe.read(_LENGTH), "little")
        told = self._pipe.read(length)
        if not length or len(told) < length:
            return None
        kinds, fields = marshal.loads(told)
        return zip(map(_KINDS.__getitem__, kinds), fields, strict=True)

    def end(self) -> None:
        """End the process, if it has not ended by itself."""
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _send(pipe: int, log: _Log, offsets: range, length: int) -> NoReturn:
    """Send what the stretches at these offsets tell: for each, how long that is, and then what it is."""
    try:
        gc.disable()
        # Buffered, all of it is written, even where a signal comes in between.
        with open(pipe, "wb") as out:
            for offset in offsets:
                told = list(_stretch(log, offset, offset + length))
                sent = marshal.dumps((bytes(_NUMBERS[kind] for kind, _ in told), [fields for _, fields in told]), 2)
                out.write(len(sent).to_bytes(_LENGTH, "little") + sent)
                out.flush()
    finally:
        # Nothing that the parent has still to do is done here as well.
        os._exit(0)


def _stretch(log: _Log, start: int, stop: int) -> Iterator[Parts]:
    """Return what the lines tell that begin from `start` to before `stop`."""
    found: list[Match] = []
    stop = min(stop, log.end)
    for at in range(start, stop, _PIECE):
        found += matches(_lines(log, at, min(at + _PIECE, stop)))
    return parts(found, log.clock) if log.lives is None else log.lives.tell(found, log.clock)


def _lines(log: _Log, start: int, stop: int) -> str:
    """Return the lines that begin from `start` to before `stop`; those that have their end before the log's end."""
    at = _after_line_end(log.descriptor, start - 1, stop) if start else 0
    if at >= stop:
        return ""
    lines = WholeLines()
    read = []
    while at < log.end and (block := os.pread(log.descriptor, min(_PIECE, log.end - at), at)):
        # Here the last line ends that begins before `stop`.
        cut = block.find(b"\n", max(0, stop - 1 - at)) + 1
        read.append(lines.add(block[:cut] if cut else block))
        if cut:
            break
        at += len(block)
    return decoded(b"".join(read))


def _after_line_end(descriptor: int, at: int, stop: int) -> int:
    """Return where the first line's end from `at` on is over; `stop`, where there is none before it."""
    while at < stop and (read := os.pread(descriptor, min(_PIECE, stop - at), at)):
        cut = read.find(b"\n") + 1
        if cut:
            return at + cut
        at += len(read)
    return stop
