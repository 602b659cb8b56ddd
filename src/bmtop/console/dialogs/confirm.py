"""A question that is answered with yes, or left alone."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line


class Confirm(Dialog[bool]):
    """Ends with True where the deed named by `label` is wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "act", "Yes")]

    def __init__(self, heading: str, lines: Sequence[str | Cell | Line], label: str) -> None:
        super().__init__(heading)
        self._lines = lines
        self._label = label

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(Says(*self._lines), classes="words", can_focus=False)
        yield buttons(("cancel", "Cancel"), ("act", self._label), act="act")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "act":
            self.action_act()
        else:
            self.action_cancel()

    def action_act(self) -> None:
        self.dismiss(True)
