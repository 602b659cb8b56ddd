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
        """Close the dialog in which this is seen."""
        self.press_while("Escape", seen)

    def press_while(self, key: str, seen: str) -> None:
        """Press a key until this is seen no more; one that comes while a dialog opens may be lost."""
        for _ in range(5):
            self.press(key)
            with suppress(AssertionError):
                self.wait_gone(seen, 3)
                return
        raise AssertionError(self.screen())

    def click_while(self, label: str, seen: str) -> None:
        """Click on the button with this label (xterm's SGR mouse), until this is seen no more."""
        for _ in range(5):
            rows = enumerate(self.screen().splitlines(), 1)
            for line, column in [(n, row.index(label) + 2) for n, row in rows if label in row][:1]:
                self.type(f"\x1b[<0;{column};{line}M\x1b[<0;{column};{line}m")
            with suppress(AssertionError):
                self.wait_gone(seen, 3)
                return
        raise AssertionError(self.screen())

    def hang_up(self) -> None:
        """Close the terminal, as a lost ssh connection does; its program gets SIGHUP."""
        self._tmux("kill-server", check=False)

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
