"""What every dialog is: a frame over the panes, its keys in its last line, and a way out that changes nothing."""

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.panes.keybar import KeyBar
from bmtop.console.text import content

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """Ends with a choice, or with None. A subclass yields its inside from `inside`."""

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("left", "app.focus_previous", "Previous", show=False),
        Binding("right", "app.focus_next", "Next", show=False),
    ]

    def __init__(self, heading: str, *, tall: bool = False, alarm: bool = False) -> None:
        super().__init__()
        self._heading = heading
        self._frame_classes = " ".join(["frame", "-tall" if tall else "", "-alarm" if alarm else ""])

    def inside(self) -> Iterable[Widget]:
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(classes=self._frame_classes) as frame:
            frame.border_title = content(self, self._heading)
            yield from self.inside()
            yield KeyBar()

    def on_mount(self) -> None:
        # A notification would lie over the buttons.
        self.app.clear_notifications()

    def action_cancel(self) -> None:
        self.dismiss(None)


def buttons(*labels: tuple[str, str], act: str = "") -> Horizontal:
    """Return a row of buttons, each an id and a label; the one with the id `act` changes something."""
    made = [
        Button(Content(f" {label} "), id=id, compact=True, classes="-act" if id == act else "") for id, label in labels
    ]
    return Horizontal(*made, classes="buttons")
