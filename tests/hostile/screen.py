"""A terminal that can be resized, and of which every byte that the program wrote to it is kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from tests.terminal.terminal import Terminal


class Screen(Terminal):
    @classmethod
    @contextmanager
    def running(cls, command: Sequence[str], *, width: int = 140, height: int = 45) -> Iterator["Screen"]:
        with super().running(command, width=width, height=height) as terminal:
            yield cast(Screen, terminal)

    def row(self, mark: str) -> str:
        """Return the line of the screen that has this mark, nothing where there is none."""
        return next((line for line in self.screen().splitlines() if mark in line), "")

    def close(self, seen: str) -> None:
        """Close the dialog in which this is seen; a key that comes while it opens may be lost."""
        for _ in range(5):
            self.press("Escape")
            with suppress(AssertionError):
                self.wait_gone(seen, 3)
                return
        raise AssertionError(self.screen())

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def record(self, file: Path) -> None:
        """Keep what the program writes from now on, byte by byte, in this file (tmux(1), pipe-pane)."""
        self._tmux("pipe-pane", "-O", f"cat >'{file}'")

    def pid(self) -> int:
        """The process id of the program."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])
