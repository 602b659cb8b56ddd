"""A program in a terminal of its own: what it paints and when, and what it costs."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .screen import Screen

_TICKS = os.sysconf("SC_CLK_TCK")
_TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
# Nobody starts a program with its modules uncompiled, and the size is the terminal's to tell.
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "COLUMNS", "LINES")
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in _UNWANTED} | _TERMINAL


class NeverCame(Exception):
    """What was waited for did not come onto the screen; the text has the screen."""


class Console:
    """One running program: `screen` as of what was read, `received` bytes so far, `began` (monotonic) its start."""

    def __init__(self, pid: int, terminal: int, screen: Screen) -> None:
        self.began = time.monotonic()
        self.pid = pid
        self.screen = screen
        self.received = 0
        self._terminal = terminal

    @classmethod
    @contextmanager
    def running(cls, command: Sequence[str], *, width: int = 140, height: int = 45) -> Iterator["Console"]:
        """Run `command` in a terminal of this size until the block ends; then it is killed, if it still runs."""
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.execvpe(command[0], list(command), _ENVIRONMENT)
        console = cls(pid, terminal, Screen(width, height))
        try:
            yield console
        finally:
            os.kill(pid, signal.SIGKILL)
            os.close(terminal)
            os.waitpid(pid, 0)

    def read(self, seconds: float) -> bool:
        """Take what comes within that time, at once when something does; tell whether something did."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            sent = os.read(self._terminal, 1 << 16)
        except OSError:
            raise NeverCame(f"The program has ended; its last screen:\n{self.screen.text}") from None
        self.received += len(sent)
        self.screen.feed(sent)
        return True

    def watch(self, seconds: float) -> None:
        """Take all that comes in that time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def wait(self, holds: Callable[[Screen], object], what: str, seconds: float = 60.0) -> float:
        """Return the moment (monotonic) at which the screen was painted so. Raises `NeverCame`."""
        until = time.monotonic() + seconds
        while not holds(self.screen):
            if not self.read(until - time.monotonic()) and time.monotonic() >= until:
                raise NeverCame(f"Waited {seconds:.0f} s for {what}; the screen:\n{self.screen.text}")
        return time.monotonic()

    def press(self, keys: bytes) -> float:
        """Press keys, as the bytes that a terminal sends for them; return the moment."""
        os.write(self._terminal, keys)
        return time.monotonic()

    @property
    def busy(self) -> float:
        """The processor seconds that it and its ended children have used (proc(5), stat)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS

    @property
    def resident(self) -> int:
        """The bytes of memory that it holds now (proc(5), status)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024
