"""What came of an action, and what can be done next."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.says import Says
from bmtop.console.text import Line


class FollowUp(Dialog[str]):
    """Ends with the id of what is to be done next, or with None. `choices` are ids and labels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Close")]

    def __init__(
        self, heading: str, lines: Sequence[Line], choices: Sequence[tuple[str, str]], *, alarm: bool = False
    ) -> None:
        super().__init__(heading, alarm=alarm)
        self._lines = lines
        self._choices = choices

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(Says(*self._lines), classes="words", can_focus=False)
        yield buttons(("cancel", "Close"), *self._choices)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "cancel" else event.button.id)
