"""How an action ended: what to check, and the next step where there is one."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.says import Says
from bmtop.console.secret import Secret
from bmtop.console.text import Cell, Line


class MessagesResult(Dialog[bool]):
    """The end of a purge or hold; True where what came in meanwhile is to be looked at as well."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close"),
        Binding("d", "again", "The rest as well"),
    ]

    def __init__(self, heading: str, lines: Sequence[Line], later: int, verb: str) -> None:
        super().__init__(heading)
        self._lines = list(lines)
        self._later = later
        self._verb = verb
        if later:
            self._lines.append((Cell(f"{later:,} more came in meanwhile: press d to {verb} them as well.", "warn"),))

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(Says(*self._lines), classes="words", can_focus=False)
        again = [("again", f"{self._verb.capitalize()} {self._later:,} more…")] if self._later else []
        yield buttons(("cancel", "Close"), *again)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "again" or bool(self._later)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "again":
            self.action_again()
        else:
            self.action_cancel()

    def action_again(self) -> None:
        self.dismiss(True)


class PasswordResult(Dialog[bool]):
    """A password was made and set: shown only while asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close"),
        Binding("s", "show", "Show or hide"),
    ]

    def __init__(self, heading: str, lines: Sequence[Line], secret: Secret) -> None:
        super().__init__(heading)
        self._lines = list(lines)
        self._secret = secret
        self._seen = False

    def inside(self) -> Iterable[Widget]:
        yield VerticalScroll(Says(*self._lines), classes="words", can_focus=False)
        yield Says(id="secret")
        yield buttons(("cancel", "Close"), ("show", "Show the password"))

    def on_mount(self) -> None:
        self._tell()

    def _tell(self) -> None:
        text = self._secret.reveal() if self._seen else "•" * 16
        self.query_one("#secret", Says).say(
            (Cell("password ", "dim"), Cell(text, "strong"), Cell("   s shows and hides it", "dim"))
        )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "show":
            self.action_show()
        else:
            self.action_cancel()

    def action_show(self) -> None:
        self._seen = not self._seen
        self._tell()

    def action_cancel(self) -> None:
        self._secret.wipe()
        self._seen = False
        self.query_one("#secret", Says).say("")
        self.dismiss(None)
