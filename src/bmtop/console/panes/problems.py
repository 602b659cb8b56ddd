"""What could not be read, and what to do about it: a sentence a line, gone when there is none."""

from bmtop.console.says import Says
from bmtop.console.text import Cell, Line

MOST = 4


def lines(problems: tuple[str, ...]) -> list[Line]:
    """Return the problems as lines, the first few of them and how many more there are."""
    told: list[Line] = [(Cell("PROBLEM ", "alarm"), Cell(problem)) for problem in problems[:MOST]]
    if len(problems) > MOST:
        told.append((Cell(f"and {len(problems) - MOST} more: bmtop report names all", "dim"),))
    return told


class Problems(Says):
    def __init__(self) -> None:
        super().__init__(id="problems")

    def fill(self, problems: tuple[str, ...]) -> None:
        self.display = bool(problems)
        self.say(*lines(problems))
