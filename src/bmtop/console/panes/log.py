"""The live log: its newest lines, all of them or those about what is selected."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bmtop.console.columns import Column
from bmtop.console.follow import Follow
from bmtop.console.panes.pane import Pane
from bmtop.console.target import Target
from bmtop.console.text import Cell

KEPT = 2_000
"""As many as the monitor gives at once, so that no line between two others is ever missing."""


@dataclass(frozen=True, slots=True)
class LogLine:
    number: int
    text: str


COLUMNS: Sequence[Column[LogLine]] = (Column("line", lambda line, now: Cell(line.text), 20, share=1),)


class LiveLog(Pane[LogLine]):
    BORDER_TITLE = "Log"
    one = "line"

    def __init__(self) -> None:
        super().__init__(COLUMNS, lambda line: line.number, id="log", empty="No log line yet.", follow=True, head=False)
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._read = 0
        self._missed = 0
        self._live = False
        self._followed: Target | None = None
        self._follow = Follow(())
        self._wanted: deque[LogLine] = deque(maxlen=KEPT)

    @property
    def read(self) -> int:
        """How many lines came in up to now."""
        return self._read

    def add(self, count: int, lines: Sequence[str], now: float, *, live: bool) -> None:
        """Take in the newest `lines`, after which `count` came in altogether.

        What is missing between is told only where the lines were `live` before: reading back is always too fast.
        """
        was_live, self._live = self._live, live
        if count == self._read:
            return
        first = count - len(lines)
        if was_live:
            self._missed += max(0, first - self._read)
        new = [LogLine(first + index, text) for index, text in enumerate(lines)]
        self._read = count
        self._lines.extend(new)
        if self._followed is not None:
            self._wanted.extend(line for line in new if self._follow.wants(line.text))
        self._show(now)

    def follow_target(self, target: Target | None, now: float) -> None:
        """Show only the lines about `target`; all of them for None."""
        if target == self._followed:
            return
        self._followed = target
        self._follow = Follow(target.in_log() if target else ())
        self._wanted = deque((line for line in self._lines if self._follow.wants(line.text)), maxlen=KEPT)
        self.action_move_to(-1)
        self._show(now)

    @property
    def heading(self) -> str:
        return f"Log · only {self._followed.name}" if self._followed else "Log"

    def _show(self, now: float) -> None:
        lines = self._lines if self._followed is None else self._wanted
        self.empty = "No log line yet." if self._followed is None else f"No line about {self._followed.name} yet."
        self.put(list(lines), now)

    def _tell(self, chosen: int) -> None:
        self.entitle()
        words = [f"newest {len(self._all):,}"]
        if self.needle:
            words.append(f"{chosen:,} name {self.needle}")
        if self._missed:
            words.append(f"{self._missed:,} came too fast to be shown")
        words.append("f: all lines" if self._followed else "f: only the selected")
        self.say(words)
