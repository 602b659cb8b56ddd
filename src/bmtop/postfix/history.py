"""The log's past: where the window begins, found by bisection on time stamps, rotated files included.

Lines are in order of time but for late ones, up to half a minute; what a clock that was set back left behind
counts as older than it says.
"""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from bmtop.postfix.logtime import LogClock

BLOCK = 1 << 15
# A longer line is none: it is dropped, so that it fills no memory.
LONGEST_LINE = 1 << 20

Blocks = Iterator[bytes]
Identity = tuple[int, int]
Problem = Callable[[Path, str], None]

# What is left of the search is read.
_CLOSE = 1 << 14
_LATE = 30.0
_ENOUGH = 2048


class WholeLines:
    """Puts what is read in pieces back together. A line counts once it has its end: until then it may be cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._too_long = False

    @property
    def waiting(self) -> int:
        """How many bytes were read of the line that is not whole yet."""
        return len(self._rest)

    def add(self, read: bytes) -> bytes:
        """Return the lines that are whole by now; the one that is still growing waits."""
        if not self._rest and not self._too_long:
            # Where a log was cut under a writer that goes on at its old offset, a hole is before the next line.
            read = read.lstrip(b"\0")
        if self._too_long or len(self._rest) + read.find(b"\n") >= LONGEST_LINE:
            _, end, read = read.partition(b"\n")
            self._rest, self._too_long = b"", not end
        cut = read.rfind(b"\n") + 1
        if cut:
            lines, self._rest = self._rest + read[:cut], read[cut:]
            return lines
        self._rest += read
        if len(self._rest) >= LONGEST_LINE:
            self._rest, self._too_long = b"", True
        return b""


def whole_lines(file: BinaryIO, end: int | None = None) -> Blocks:
    """Yield blocks of whole lines from here on, up to the offset `end` or the file's end."""
    lines = WholeLines()
    left = BLOCK if end is None else end - file.tell()
    while left > 0 and (read := file.read(min(BLOCK, left))):
        if end is not None:
            left -= len(read)
        if block := lines.add(read):
            yield block


def _go_to_line(file: BinaryIO, offset: int) -> None:
    """Go to the first line that begins at `offset` or later."""
    file.seek(max(offset - 1, 0))
    if offset:
        _end_line(file, b"")


def _end_line(file: BinaryIO, line: bytes) -> None:
    """Read what is missing of the line whose beginning `line` is."""
    while not line.endswith(b"\n") and (line := file.readline(BLOCK)):
        pass


def _first_time(file: BinaryIO, clock: LogClock, end: int) -> float | None:
    """Return the first time stamp of the lines that begin here or later, before the offset `end`."""
    while file.tell() < end and (line := file.readline(BLOCK)):
        found = clock.of_line(line)
        if found is not None:
            return found
        _end_line(file, line)
    return None


def offset_of(file: BinaryIO, since: float, clock: LogClock) -> int:
    """Return where a line begins in the seekable `file` before which no line is of the time `since` or later."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _CLOSE:
        middle = (low + high) // 2
        _go_to_line(file, middle)
        found = _first_time(file, clock, high)
        if found is None or found >= since - _LATE:
            high = middle
        else:
            low = middle
    _go_to_line(file, low)
    return file.tell()


def identity(status: os.stat_result) -> Identity:
    """Return what makes a file this one, whatever it is named."""
    return status.st_dev, status.st_ino


def rotated(log: Path) -> list[Path]:
    """Return the log's earlier files, newest first, as logrotate(8) names them: `.1`, `.2.gz`, `-20261124`.

    One that is being compressed is there twice; it is named once, as it was.
    """
    form = re.compile(re.escape(log.name) + r"(?:\.(\d{1,4})|-(\d{8,10}(?:-\d+)?))(\.gz)?", re.ASCII)
    try:
        names = os.listdir(log.parent)
    except OSError:
        return []
    found = {}
    for name in sorted(names, reverse=True):
        if parts := form.fullmatch(name):
            number, date, _ = parts.groups()
            found[-int(number or 0), date or ""] = name
    return [log.parent / found[key] for key in sorted(found, key=lambda key: (key[1], key[0]), reverse=True)]


def earlier(
    log: Path,
    since: float,
    clock: LogClock,
    known: Collection[Identity] = (),
    problem: Problem = lambda path, why: None,
) -> Blocks:
    """Yield the whole lines, in blocks and oldest first, of the rotated files that reach into the time from `since` on.

    `known` and `problem` are those of `stretches`.
    """
    for path, file in stretches(log, since, clock, known, problem):
        try:
            yield from whole_lines(file)
        except (OSError, EOFError, zlib.error) as error:
            problem(path, reason(error))


def stretches(
    log: Path, since: float, clock: LogClock, known: Collection[Identity], problem: Problem
) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield the rotated files that reach into the time from `since` on, oldest first, each where that time begins.

    The files `known` are left out: the log itself, which may be renamed meanwhile. `problem` is told which one
    cannot be read, and why; the others are there all the same.
    """
    with ExitStack() as opened:
        # All are open before the first is read: a rotation in the middle only renames them.
        for path, file in reversed(_reaching(log, since, clock, set(known), problem, opened)):
            try:
                # A compressed file has no middle to jump to.
                file.seek(0 if path.suffix == ".gz" else offset_of(file, since, clock))
            except (OSError, EOFError, zlib.error) as error:
                problem(path, reason(error))
            else:
                yield path, file


def _reaching(
    log: Path,
    since: float,
    clock: LogClock,
    known: set[Identity],
    problem: Problem,
    opened: ExitStack,
) -> list[tuple[Path, BinaryIO]]:
    """Return the files that reach into the time from `since` on, newest first, each at its start."""
    found: list[tuple[Path, BinaryIO]] = []
    beginning = _beginning(log)
    for path in rotated(log):
        if path.is_fifo():
            # To open it would wait for somebody who writes.
            problem(path, "it is a pipe")
            continue
        try:
            plain = opened.enter_context(path.open("rb"))
            status = os.fstat(plain.fileno())
            if identity(status) in known:
                continue
            if status.st_mtime < since - _LATE:
                break
            known.add(identity(status))
            if beginning and _beginning(path) == beginning:
                # logrotate's copytruncate has made its copy, and not cut the log yet.
                continue
            file: BinaryIO = plain
            if path.suffix == ".gz":
                file = opened.enter_context(gzip.GzipFile(fileobj=plain))  # type: ignore[assignment]
            begins = _first_time(file, clock, BLOCK)
        except (OSError, EOFError, zlib.error) as error:
            problem(path, reason(error))
            continue
        found.append((path, file))
        if begins is not None and begins < since - _LATE:
            break
    return found


def _beginning(path: Path) -> bytes:
    """Return enough of a file's beginning to know a copy by, or nothing."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_ENOUGH)
    except OSError:
        return b""
    return beginning if len(beginning) == _ENOUGH else b""


def reason(error: Exception) -> str:
    """Return why a file cannot be read, in words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "not whole, or no gzip file"
