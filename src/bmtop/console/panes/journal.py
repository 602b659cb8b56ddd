"""The journal: what was done to the server, by whom, and what came of it."""

from collections.abc import Sequence

from bmtop.console.columns import Column
from bmtop.console.figures import clock
from bmtop.console.panes.pane import Pane
from bmtop.console.text import Cell, Kind, Line
from bmtop.response.journal import Entry

STATES: dict[str, Kind] = {"begun": "warn", "done": "good", "failed": "alarm"}

COLUMNS: Sequence[Column[Entry]] = (
    Column("time", lambda e, now: Cell(clock(e.time, now), "dim"), 8, share=1, most=19),
    Column("who", lambda e, now: Cell(e.who), 6, share=1, most=12, rank=2),
    Column("action", lambda e, now: Cell(e.action), 8, share=2, most=20),
    Column("about", lambda e, now: Cell(e.target), 12, share=2, most=36, rank=1),
    Column("state", lambda e, now: Cell(e.state, STATES.get(e.state, "")), 6),
    Column("result", lambda e, now: Cell(e.sentence), 16, share=5),
)


class Journal(Pane[Entry]):
    BORDER_TITLE = "Journal"
    one = "entry"

    def __init__(self) -> None:
        super().__init__(
            COLUMNS,
            lambda e: e.number,
            id="journal",
            empty="Nothing was done yet.",
            follow=True,
            head=False,
        )

    def in_full(self, now: float) -> list[Line]:
        """Return the entry under the cursor, uncut."""
        return [
            (Cell(f"{column.title:<8}", "dim"), column.cell(self.current, now))
            for column in self.columns
            if self.current
        ]

    def _tell(self, chosen: int) -> None:
        self.say([f"newest {len(self._all):,}" if self._all else "empty"])
