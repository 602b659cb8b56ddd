"""The log's past: where the window begins, found by bisection on time stamps, rotated files included."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bmtop.postfix.logtime import LogClock

BLOCK = 1 << 16

Blocks = Iterator[bytes]
# What is left of the search is read: lines are not strictly in order of time.
_CLOSE = 1 << 14
_LATE = 30.0


def _first_time(file: BinaryIO, clock: LogClock, end: int) -> float | None:
    """Return the first time stamp from here on, up to the offset `end`."""
    while file.tell() < end:
        line = file.readline(BLOCK)
        if not line:
            return None
        found = clock.of_line(line)
        if found is not None:
            return found
    return None


def offset_of(file: BinaryIO, since: float, clock: LogClock) -> int:
    """Return an offset in the seekable `file`, at a line's start, before the first line at `since`."""
    low, high = 0, file.seek(0, os.SEEK_END)
    wanted = since - _LATE
    while high - low > _CLOSE:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(BLOCK)
        found = _first_time(file, clock, high)
        if found is None or found >= wanted:
            high = middle
        else:
            low = middle
    file.seek(low)
    if low:
        file.readline(BLOCK)
    return file.tell()


def rotated(log: Path) -> list[Path]:
    """Return the log's earlier files, newest first, as logrotate(8) names them: `.1`, `.2.gz`, `-20261124`."""
    form = re.compile(re.escape(log.name) + r"(?:\.\d{1,4}|-\d{8,10}(?:-\d+)?)(?:\.gz)?")
    try:
        names = [name for name in os.listdir(log.parent) if form.fullmatch(name)]
        dated = sorted(((os.stat(log.parent / name).st_mtime, name) for name in names), reverse=True)
    except OSError:
        return []
    return [log.parent / name for _, name in dated]


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return gzip.open(path)  # type: ignore[return-value]
    return path.open("rb")


def earlier(log: Path, since: float, clock: LogClock) -> Blocks:
    """Yield whole lines, in blocks, of the rotated files that reach into the time from `since` on, oldest first.

    Raises `OSError` where one of them cannot be read.
    """
    needed = []
    for path in rotated(log):
        if path.stat().st_mtime < since:
            break
        needed.append(path)
    for path in reversed(needed):
        with _open(path) as file:
            # A compressed file has no middle to jump to.
            if path.suffix != ".gz":
                file.seek(offset_of(file, since, clock))
            yield from whole_lines(file)


def whole_lines(file: BinaryIO, end: int | None = None) -> Blocks:
    """Yield blocks that end with a line's end, up to the offset `end`; a last line cut off comes as it is."""
    rest = b""
    left = end - file.tell() if end is not None else None
    while left is None or left > 0:
        block = file.read(BLOCK if left is None else min(BLOCK, left))
        if not block:
            break
        if left is not None:
            left -= len(block)
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
            # A line without an end is no line; it must not fill the memory.
            if len(rest) > BLOCK * 4:
                rest = b""
    if rest:
        yield rest
