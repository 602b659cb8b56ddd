"""An action that a kill or a lost connection cut off: what it was, and what can be done about it."""

from collections.abc import Iterable
from typing import Literal

from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.figures import clock, plural
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line
from bmtop.response.journal import Entry

Choice = Literal["finish", "take_back", "leave"]

_LABELS: dict[Choice, str] = {"finish": "Finish it", "take_back": "Take it back", "leave": "Leave it so"}


def choices(entry: Entry) -> tuple[Choice, ...]:
    """Return what can be done about it: an action on an account is simply done again."""
    if entry.action in ("hold", "release") or (entry.action == "purge" and entry.undo is not None):
        return ("finish", "take_back", "leave")
    return ("finish", "leave") if entry.action in ("purge", "undo") else ("leave",)


def lines(entry: Entry, now: float) -> list[Line]:
    """Return what it was."""
    about = f", {plural(len(entry.ids), 'message')}" if entry.ids else ""
    told: list[Line] = [
        (Cell("An earlier run of bmtop was ended in the middle of this:"),),
        (
            Cell(f"{entry.action} {entry.target}", "strong"),
            Cell(f"{about}, by {entry.who} at {clock(entry.time, now)}"),
        ),
    ]
    if entry.action == "keep holding":
        told.append((Cell("What it newly queues is held no more; H holds once again.", "warn"),))
    elif choices(entry) == ("leave",):
        told.append((Cell("Nobody knows whether it took effect; do it again.", "warn"),))
    else:
        told.append((Cell("Some of its messages may be dealt with, and some not.", "warn"),))
    return told


class CutOff(Dialog[Choice]):
    """Ends with what is to be done, or with None for later."""

    def __init__(self, entry: Entry, now: float, *, read_only: bool) -> None:
        super().__init__("Not finished", alarm=True)
        self._entry = entry
        self._now = now
        self._choices = () if read_only else choices(entry)

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(Says(*lines(self._entry, self._now)), classes="words", can_focus=False)
        yield buttons(("cancel", "Later"), *((choice, _LABELS[choice]) for choice in self._choices))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(next((choice for choice in self._choices if choice == event.button.id), None))
