"""A terminal of which every byte is kept, which can be closed, be of any size, and say anything."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


class Pty:
    """One program in a pseudo-terminal (pty(7)) that is its controlling one; `written` is all that it wrote to it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, controlling: bool) -> None:
        self._master, slave = os.openpty()
        self.resize(140, 45)
        self.written = bytearray()
        self.modes_before = termios.tcgetattr(slave)
        self.program = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=dict(environment), cwd=folder, start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
        )  # fmt: skip
        self._slave = slave
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    @contextmanager
    def running(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path = Path("/"),
        controlling: bool = True,
    ) -> Iterator["Pty"]:
        """Run `command` until the block ends. Where the terminal is not `controlling`, nobody tells when it is gone."""
        given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TMUX")}
        pty = cls(command, {**given, "TERM": "xterm-256color", **(environment or {})}, folder, controlling)
        try:
            yield pty
        finally:
            pty.hang_up()
            with suppress(ProcessLookupError):
                os.killpg(pty.program.pid, 9)
            pty.program.wait()

    def _read(self) -> None:
        while self._open:
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self._master, 65536)
                except OSError:
                    return

    def resize(self, columns: int, lines: int) -> None:
        """Change the size; the program gets SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str | bytes) -> None:
        """Send this as if it was typed."""
        os.write(self._master, keys if isinstance(keys, bytes) else keys.encode())

    def press_until(self, keys: str, pattern: bytes) -> None:
        """Press these keys, and again where they were lost, until the expression is written."""
        before = len(self.written)
        for _ in range(10):
            self.press(keys)
            with suppress(AssertionError):
                return self.wait_for(pattern, seconds=3, after=before)
        raise AssertionError(f"{keys!r} was pressed in vain:\n{bytes(self.written[before:])!r}")

    def wait_for(self, pattern: bytes, seconds: float = 30, after: int = 0) -> None:
        """Wait until the expression is in what was written, its first bytes left out; or in the text of that."""
        until = time.monotonic() + seconds
        while not re.search(pattern, self.written[after:]) and not re.search(pattern, _text(self.written[after:])):
            assert time.monotonic() < until, f"never {pattern!r} in:\n{bytes(self.written[-4000:])!r}"
            assert self.program.poll() is None or self._reader.is_alive(), f"it ended:\n{bytes(self.written)!r}"
            time.sleep(0.02)

    def ended(self, seconds: float = 30) -> int:
        """Wait for the program to end, and return its exit status; negative for a signal."""
        return self.program.wait(seconds)

    def modes(self) -> list[object]:
        """The terminal's settings (termios(3))."""
        return termios.tcgetattr(self._slave)

    def hang_up(self) -> None:
        """Close the terminal, as a lost ssh connection does."""
        if self._open:
            self._open = False
            self._reader.join()
            os.close(self._slave)
            os.close(self._master)


def _text(written: bytes | bytearray) -> bytes:
    """What was written, without the sequences that move and colour."""
    return re.sub(rb"\x1b\[[0-?]*[ -/]*[@-~]", b"", written)
