"""The alarm of the watch, over all panes: who goes on, why, and the key that does what is missing."""

from collections.abc import Callable, Iterable
from functools import partial

from bmtop.console.containments import Containment
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line, shown, wrapped

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
        told.append((Cell("!", "strong"), Cell(f"  {_does(alarmed[0])} ({alarmed[0].name})")))
    return told


def short(containments: Iterable[Containment], width: int, rows: int, show: Callable[[str], str]) -> list[Line]:
    """Return the same for a small terminal: the first alarm, as it is to `show`, in so many `rows`, and a line more."""
    alarmed = [found for found in containments if found.alarms]
    if not alarmed:
        return []
    first = alarmed[0]
    sentence = show(f"{first.name}: {first.alarms[0]}")
    told: list[Line] = [
        (Cell("" if number else "ALARM ", "alarm"), Cell(row, "alarm"))
        for number, row in enumerate(wrapped(sentence, width - len("ALARM "), rows))
    ]
    others = sum(len(found.alarms) for found in alarmed) - 1
    more = f" · {others} more: c" if others else ""
    told.append((Cell("!", "strong"), Cell(f"  {_does(first)}{more}")))
    return told


def _does(alarmed: Containment) -> str:
    """Return what `!` does about this one."""
    return alarmed.missing.title if alarmed.missing else "shows its runbook"


class Banner(Says):
    def __init__(self) -> None:
        super().__init__(id="alarm")
        self._filled: tuple[Containment, ...] = ()

    def fill(self, containments: Iterable[Containment]) -> None:
        self._filled = containments = tuple(containments)
        room, show = self.app.size.width - 2, partial(shown, on=self)
        if self.screen.has_class("-tiny"):
            told = short(containments, room, 1, show)
        else:
            told = short(containments, room, 2, show) if self.screen.has_class("-short") else lines(containments)
        self.display = bool(told)
        self.say(*told)

    def again(self) -> None:
        # Its rows were wrapped as they were shown.
        self.fill(self._filled)
