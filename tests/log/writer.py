"""Writes a numbered log as fast as it can, and rotates it meanwhile, as syslog daemons and logrotate(8) do:
`python -m tests.log.writer LOG LINES HOW [EVERY]`.

HOW: `rename` (to .1, .2 …, and created anew; the daemon goes on writing to the old file for a while), `twice` (the
same, twice in a row) or `copytruncate` (copied, then cut). It is rotated EVERY so many lines; else whenever a line
comes on standard input, and LINES are only the least: it writes until that is closed.
"""

import os
import random
import select
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

LATE = 400


def line(number: int) -> bytes:
    """The line of this number."""
    return b"Nov 24 13:19:42 mail postfix/smtpd[1]: %d %s\n" % (number, b"." * (number % 90))


class Log:
    """The log, open for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.old: int | None = None
        self._rotations = 0

    def write(self, data: bytes) -> None:
        os.write(self.file, data)

    def write_late(self, data: bytes) -> None:
        """Write to the file that was renamed, if there is one."""
        os.write(self.file if self.old is None else self.old, data)

    def shift(self) -> Path:
        """Make room for a newest rotated file, and return its name."""
        for number in range(self._rotations, 0, -1):
            self._name(number).rename(self._name(number + 1))
        self._rotations += 1
        return self._name(1)

    def _name(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def rename(self) -> None:
        if self.old is not None:
            os.close(self.old)
        self.old = self.file
        self.path.rename(self.shift())
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def twice(self) -> None:
        self.rename()
        self.write(b"between\n")
        self.rename()

    def copytruncate(self) -> None:
        shutil.copyfile(self.path, self.shift())
        os.truncate(self.path, 0)
        self.write(b"cut %d\n" % self._rotations)


def asked() -> bool | None:
    """Whether a line came on standard input; None where it is closed."""
    if not select.select([0], [], [], 0)[0]:
        return False
    return True if os.read(0, 1) else None


def main() -> None:
    path, count, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    every = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    chance = random.Random(1)
    log = Log(path)
    rotate: Callable[[], None] = getattr(log, how)
    number = late_until = 0
    due = every
    open_ended = not every
    while number < count or open_ended:
        last = number + chance.randint(1, 60)
        data = b"".join(line(n) for n in range(number, last if open_ended else min(last, count)))
        number += data.count(b"\n")
        write = log.write_late if number < late_until and chance.random() < 0.5 else log.write
        if chance.random() < 0.1:
            # A line that comes in two pieces.
            write(data[:-7])
            write(data[-7:])
        else:
            write(data)
        order = number >= due if every else asked()
        if order is None:
            open_ended = False
        elif order:
            rotate()
            due += every
            late_until = number + LATE


if __name__ == "__main__":
    main()
