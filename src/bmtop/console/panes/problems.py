"""What could not be read, and who refuses our mail: a sentence a line, gone when there is none."""

from collections.abc import Sequence

from bmtop.console.figures import clock
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line
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


class Problems(Says):
    def __init__(self) -> None:
        super().__init__(id="problems")

    def fill(self, problems: Sequence[str], blocked: Sequence[Blocked], now: float) -> None:
        told = lines(problems, blocked, now)
        self.display = bool(told)
        self.say(*told)
