"""What could not be read, and who refuses our mail: a sentence a line, gone when there is none."""

from collections.abc import Callable, Sequence
from functools import partial

from bmtop.console.figures import clock
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line, shown, wrapped
from bmtop.incident.picture import Blocked

MOST = 3


def lines(problems: Sequence[str], blocked: Sequence[Blocked], now: float) -> list[Line]:
    """Return the first few problems, how many more there are, and one line for all who refuse our mail."""
    told: list[Line] = [(Cell("PROBLEM ", "alarm"), Cell(problem)) for problem in problems[:MOST]]
    if len(problems) > MOST:
        told.append((Cell(f"and {len(problems) - MOST} more: bmtop report names all", "dim"),))
    if blocked:
        who = " · ".join(f"{block.who} {block.recipients:,}" for block in blocked[:MOST])
        more = f" · {len(blocked) - MOST} more" if len(blocked) > MOST else ""
        since = clock(min(block.since for block in blocked), now)
        refused = f"by {who}{more}: recipients refused since {since}; b: more"
        told.append((Cell("BLOCKED ", "warn"), Cell(refused)))
    return told


def short(problems: Sequence[str], blocked: Sequence[Blocked], width: int, show: Callable[[str], str]) -> list[Line]:
    """Return the same in two rows, for a small terminal: the first problem, as it is to `show`, and who refuses."""
    told: list[Line] = []
    if problems:
        number = f"1 of {len(problems)}: " if len(problems) > 1 else ""
        rows = wrapped(number + show(problems[0]), width - len("PROBLEM "), 1 if blocked else 2)
        told += [(Cell("" if n else "PROBLEM ", "alarm"), Cell(row)) for n, row in enumerate(rows)]
    if blocked:
        more = f" and {len(blocked) - 1} more" if len(blocked) > 1 else ""
        told.append((Cell("BLOCKED ", "warn"), Cell(f"by {blocked[0].who}{more}; b: more")))
    return told


class Problems(Says):
    def __init__(self) -> None:
        super().__init__(id="problems")
        self._filled: tuple[Sequence[str], Sequence[Blocked], float] = ((), (), 0.0)

    def fill(self, problems: Sequence[str], blocked: Sequence[Blocked], now: float) -> None:
        self._filled = problems, blocked, now
        small = self.screen.has_class("-short") or self.screen.has_class("-tiny")
        width, show = self.app.size.width - 2, partial(shown, on=self)
        told = short(problems, blocked, width, show) if small else lines(problems, blocked, now)
        self.display = bool(told)
        self.say(*told)

    def again(self) -> None:
        # Its rows were wrapped as they were shown.
        self.fill(*self._filled)
