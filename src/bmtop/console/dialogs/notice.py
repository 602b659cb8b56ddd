"""Something to read, and nothing to decide."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line


class Notice(Dialog[bool]):
    """Lines under a heading, and a button to close it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close"),
        Binding("down", "scroll(1)", "Scroll", key_display="↑↓"),
        Binding("up", "scroll(-1)", "Scroll", show=False),
        Binding("pagedown", "scroll(10)", "Scroll", show=False),
        Binding("pageup", "scroll(-10)", "Scroll", show=False),
        Binding("home", "scroll_to(0)", "Begin", show=False),
        Binding("end", "scroll_to(1)", "End", show=False),
    ]

    def __init__(
        self, heading: str, lines: Sequence[str | Cell | Line], *, alarm: bool = False, tall: bool = False
    ) -> None:
        super().__init__(heading, alarm=alarm, tall=tall)
        self._lines = lines

    def words(self) -> Says:
        """Return what is to be read."""
        return Says(*self._lines)

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(self.words(), classes="words", can_focus=False)
        yield buttons(("cancel", "Close"))

    def action_scroll(self, by: int) -> None:
        self.query_one(".words").scroll_relative(y=by, animate=False)

    def action_scroll_to(self, end: int) -> None:
        words = self.query_one(".words")
        words.scroll_to(y=end * words.max_scroll_y, animate=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_cancel()
