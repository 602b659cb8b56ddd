"""Writes real log lines, so many a second, as Postfix would: `python -m tests.benchmarks.writer LOG LINES RATE`.

LINES is a file of lines without time stamps. It goes on until it is told to end (SIGTERM), and then prints how
many lines it wrote.
"""

import itertools
import signal
import sys
import time
from pathlib import Path

from .lines import append

_EVERY = 0.05


def write(log: Path, lines: list[bytes], rate: int) -> int:
    """Append lines at this rate until SIGTERM comes; return how many."""
    ended = False

    def end(number: int, frame: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    endless = itertools.cycle(lines)
    written, began = 0, time.monotonic()
    with log.open("ab") as file:
        while not ended:
            due = int((time.monotonic() - began) * rate) - written
            append(file, list(itertools.islice(endless, due)), time.time())
            written += due
            time.sleep(_EVERY)
    return written


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes().splitlines(keepends=True), int(sys.argv[3])))
