"""Which purge to take back."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.columns import Column
from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.figures import age, clock, count, plural, size
from bmtop.console.says import Says
from bmtop.console.table import Table
from bmtop.console.text import Cell
from bmtop.response.plan import UndoCopy


def filter_words(wanted: Mapping[str, Any]) -> str:
    """Return a filter as one would type it: `login alice@example.com, not-client 192.0.2.0/24`; of ids, how many."""
    return ", ".join(
        plural(len(value), "chosen message") if name == "id" else f"{name.replace('_', '-')} {_typed(value)}".rstrip()
        for name, value in wanted.items()
    )


def _typed(value: object) -> str:
    """Return a value as it is typed: what is only set needs none, and what is a number is a moment."""
    if value is True:
        return ""
    if isinstance(value, int | float):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(value))
    return " ".join(map(_client, value)) if isinstance(value, (list, tuple)) else str(value)


def _client(network: object) -> str:
    """Return a range; one that is a single address without its length."""
    address, _, length = str(network).partition("/")
    return address if length == ("128" if ":" in address else "32") else str(network)


COLUMNS: Sequence[Column[UndoCopy]] = (
    Column("purged", lambda c, now: Cell(clock(c.made, now)), 8, share=1, most=19),
    Column("messages", lambda c, now: Cell(count(c.messages)), 8, right=True),
    Column("size", lambda c, now: Cell(size(c.bytes)), 8, right=True),
    Column("kept for", lambda c, now: Cell(age(c.until - now)), 8, right=True),
    Column("who", lambda c, now: Cell(c.who), 6, share=1, most=12, rank=1),
    Column("what", lambda c, now: Cell(filter_words(c.filter)), 16, share=6),
)


class UndoDialog(Dialog[UndoCopy]):
    """Ends with the copy to bring back. The list has the focus: one more question comes before it is done."""

    AUTO_FOCUS = "#copies"

    def __init__(self, copies: Sequence[UndoCopy], now: float) -> None:
        super().__init__("Undo a purge")
        self._copies = copies
        self._now = now

    def inside(self) -> Iterable[Widget]:
        yield Says("Choose the purge to take back. Its messages come back on hold: none is sent.", classes="words")
        yield Table(COLUMNS, lambda c: c.undo, id="copies")
        yield buttons(("cancel", "Cancel"), ("act", "Bring back…"), act="act")

    @property
    def _table(self) -> Table[UndoCopy]:
        return self.query_one("#copies", Table)

    def on_mount(self) -> None:
        self._table.show(self._copies, self._now)

    def on_table_chosen(self) -> None:
        self.dismiss(self._table.current)

    def key_down(self) -> None:
        self._table.focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(self._table.current if event.button.id == "act" else None)
