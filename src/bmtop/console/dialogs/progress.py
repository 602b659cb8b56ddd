"""An action that takes longer than a second: how far it is, and a way to stop it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Button, ProgressBar

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.figures import count
from bmtop.console.says import Says
from bmtop.console.steps import Steps


class ProgressDialog(Dialog[None]):
    """Ends by itself soon after `over` is set; where another screen lies over it by then, once that has ended."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Stop")]

    def __init__(self, heading: str, steps: Steps, stoppable: bool) -> None:
        super().__init__(heading)
        self._steps = steps
        self._stoppable = stoppable
        self.over = False

    def inside(self) -> Iterable[Widget]:
        yield Says(id="far")
        yield ProgressBar(show_eta=False)
        if self._stoppable:
            yield buttons(("cancel", "Stop"))

    def on_mount(self) -> None:
        self._tell()
        self.set_interval(0.1, self._look)

    def _look(self) -> None:
        # Textual would take what lies over it off the screen instead, and leave this.
        if self.over and self.is_active:
            self.dismiss()
        else:
            self._tell()

    def _tell(self) -> None:
        done, total, step = self._steps.newest
        far = f" {count(done)} of {count(total)}" if total else ""
        says = "Stopping at the next safe moment…" if self._steps.stopped else f"{step}{far}"
        self.query_one("#far", Says).say(says)
        self.query_one(ProgressBar).update(total=total or None, progress=done)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "cancel" or self._stoppable

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_cancel()

    def action_cancel(self) -> None:
        """Ask the action to stop; the dialog ends when it has."""
        self._steps.stopped = True
        self._tell()
