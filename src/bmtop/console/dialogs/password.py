"""A new password: made, or typed twice."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Label

from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.says import Says
from bmtop.console.secret import Secret
from bmtop.console.text import Cell, content


class PasswordInput(Input):
    """A field whose text cannot be copied out of it."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def action_copy(self) -> None:
        self.app.bell()

    def action_cut(self) -> None:
        self.app.bell()


class PasswordDialog(Dialog[Secret | Literal["make"]]):
    """Ends with the typed password, with `make` where bmtop is to make one, or with None."""

    def __init__(self, login: str) -> None:
        super().__init__(f"New password for {login}")

    def inside(self) -> Iterable[Widget]:
        yield Says(
            "bmtop makes a strong one and sets it; or type one twice.",
            Cell("The old password stops working. Open connections and sessions go on: log out as well.", "dim"),
            classes="words",
        )
        yield Horizontal(
            Label(content(self, "password")), PasswordInput(password=True, compact=True, id="first"), classes="field"
        )
        yield Horizontal(
            Label(content(self, "again")), PasswordInput(password=True, compact=True, id="second"), classes="field"
        )
        yield Says(id="says")
        yield buttons(("cancel", "Cancel"), ("make", "Make one and set it"), ("typed", "Set the typed one"), act="make")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "make":
            self._end("make")
        elif event.button.id == "typed":
            self._end_typed()
        else:
            self.action_cancel()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.query_one("#second" if event.input.id == "first" else "#typed").focus()

    def action_cancel(self) -> None:
        self._end(None)

    def _end_typed(self) -> None:
        first, second = (self.query_one(name, PasswordInput).value for name in ("#first", "#second"))
        if not first:
            self._complain("Nothing was typed.")
        elif first != second:
            self._complain("The two are not the same; type both again.")
        else:
            self._end(Secret(first))

    def _complain(self, sentence: str) -> None:
        self._clear()
        self.query_one("#says", Says).say(Cell(sentence, "alarm"))
        self.query_one("#first").focus()

    def _end(self, choice: Secret | Literal["make"] | None) -> None:
        self._clear()
        self.dismiss(choice)

    def _clear(self) -> None:
        for field in self.query(PasswordInput):
            field.value = ""
