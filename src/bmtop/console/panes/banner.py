"""The alarm of the watch, over all panes: who goes on, why, and the key that does what is missing."""

from collections.abc import Iterable

from bmtop.console.containments import Containment
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line

MOST = 3


def lines(containments: Iterable[Containment]) -> list[Line]:
    """Return a line an alarm, the first few, and what `!` does about the first of them."""
    alarmed = [found for found in containments if found.alarms]
    told: list[Line] = [
        (Cell("ALARM ", "alarm"), Cell(f"{found.name}: ", "strong"), Cell(sentence, "alarm"))
        for found in alarmed
        for sentence in found.alarms
    ]
    if len(told) > MOST:
        told = [*told[: MOST - 1], (Cell(f"and {len(told) - MOST + 1} more: c on its row shows them", "alarm"),)]
    if alarmed:
        missing = alarmed[0].missing
        does = missing.title if missing else "shows its runbook"
        told.append((Cell("!", "strong"), Cell(f"  {does} ({alarmed[0].name})")))
    return told


class Banner(Says):
    def __init__(self) -> None:
        super().__init__(id="alarm")

    def fill(self, containments: Iterable[Containment]) -> None:
        told = lines(containments)
        self.display = bool(told)
        self.say(*told)
