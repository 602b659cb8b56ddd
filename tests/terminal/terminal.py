"""A real terminal to run a program in, by tmux(1): keys go in, the screen comes out."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# tmux now and then never learns that a program has ended, so a shell writes down the exit status.
_NOTING = ("sh", "-c", '"$@"; echo $? >"$0"')
# The size is the terminal's to tell.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TMUX")}


class Terminal:
    """One tmux session with one program in it."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "socket"
        self._status = folder / "status"

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments],
            capture_output=True, text=True, check=check, timeout=30, env=_ENVIRONMENT,
        )  # fmt: skip
        return done.stdout

    @classmethod
    @contextmanager
    def running(cls, command: Sequence[str], *, width: int = 140, height: int = 45) -> Iterator["Terminal"]:
        """Run `command` in a terminal of this size, until the block ends."""
        folder = Path(tempfile.mkdtemp(prefix="bmtop-terminal-"))
        terminal = cls(folder)
        try:
            terminal._tmux(
                "set-option", "-g", "default-size", f"{width}x{height}", ";",
                "set-option", "-g", "remain-on-exit", "on", ";",
                "new-session", "-d", "-x", str(width), "-y", str(height), *_NOTING, str(terminal._status), *command,
            )  # fmt: skip
            yield terminal
        finally:
            terminal._tmux("kill-server", check=False)
            shutil.rmtree(folder, ignore_errors=True)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: `d`, `Enter`, `Tab`, `Escape`, `Home`."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type this text."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """Return what is on the screen, and what has left it at the top: tmux says there in the end that it is dead."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """Wait until the screen has the regular expression; return the screen. Fails with the screen otherwise."""
        return self._until(lambda screen: re.search(pattern, screen) is not None, f"{pattern!r} to come", seconds)

    def press_until(self, key: str, pattern: str, tries: int = 10) -> str:
        """Press a key that does no harm twice, until the screen has the regular expression.

        A dialog that has just opened may not have its focus yet, and lose a key.
        """
        for _ in range(tries - 1):
            self.press(key)
            try:
                return self.wait_for(pattern, 2)
            except AssertionError:
                continue
        self.press(key)
        return self.wait_for(pattern)

    def wait_gone(self, pattern: str, seconds: float = 30) -> str:
        """Wait until the screen no longer has the regular expression; return the screen."""
        return self._until(lambda screen: re.search(pattern, screen) is None, f"{pattern!r} to go", seconds)

    def _until(self, holds: Callable[[str], bool], what: str, seconds: float) -> str:
        until = time.monotonic() + seconds
        while not holds(screen := self.screen()):
            assert time.monotonic() < until, f"waited {seconds} s for {what}; the screen:\n{screen}"
            time.sleep(0.05)
        return screen

    def wait_ended(self, seconds: float = 30) -> int:
        """Wait until the program has ended; return its exit status. Fails with the screen otherwise."""
        self._until(lambda _: self.ended() is not None, "the end", seconds)
        status = self.ended()
        assert status is not None
        return status

    def ended(self) -> int | None:
        """Return the exit status of the program, as a shell has it (128 and a signal's number), None while it runs."""
        return int(found) if self._status.exists() and (found := self._status.read_text().strip()) else None
