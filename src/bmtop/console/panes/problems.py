"""What could not be read, and who refuses our mail: a sentence a line, gone when there is none."""

from collections.abc import Sequence

from bmtop.console.figures import clock, plural
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line
from bmtop.incident.picture import Blocked

MOST = 3


def lines(problems: Sequence[str], blocked: Sequence[Blocked], now: float) -> list[Line]:
    """Return the first few of them, and how many more there are."""
    told: list[Line] = [(Cell("PROBLEM ", "alarm"), Cell(problem)) for problem in problems]
    for block in blocked:
        lost = f"{plural(block.recipients, 'recipient')} got no mail, {block.deferred:,} still tried"
        told.append((Cell("BLOCKED ", "warn"), Cell(f"by {block.who} since {clock(block.since, now)}: {lost}")))
    if len(told) > MOST:
        return [*told[:MOST], (Cell(f"and {len(told) - MOST} more: bmtop report names all", "dim"),)]
    return told


class Problems(Says):
    def __init__(self) -> None:
        super().__init__(id="problems")

    def fill(self, problems: Sequence[str], blocked: Sequence[Blocked], now: float) -> None:
        told = lines(problems, blocked, now)
        self.display = bool(told)
        self.say(*told)
