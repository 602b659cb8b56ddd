"""The least that a Textual app with the console's widgets can be: nothing is read, nothing is shown in them."""

from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Input, Static

READY = "the last line"


class Table(ScrollView, can_focus=True):
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--head", "table--cursor"}

    def render_line(self, y: int) -> Strip:
        return Strip.blank(self.size.width, self.rich_style)


class Pane(Table):
    BORDER_TITLE = "Pane"


class KeyBar(Widget):
    def render(self) -> str:
        return READY


class Empty(App[None]):
    CSS_PATH = Path(__file__).parents[2] / "src" / "bmtop" / "console" / "bmtop.tcss"

    def __init__(self) -> None:
        super().__init__()
        # The style sheet names a colour that only its own theme has.
        self.register_theme(Theme(name="plain", primary="#6fa8dc", variables={"border": "#3a4550"}))
        self.theme = "plain"

    def compose(self) -> ComposeResult:
        yield Static("title", id="title")
        yield Static("problems", id="problems")
        yield Static("gauge", id="gauge")
        yield Static("tabs", id="tabs")
        with Container(id="panes"):
            for name in ("senders", "relays", "failed", "log", "journal"):
                yield Pane(id=name)
        yield Input(compact=True, id="needle")
        yield KeyBar()


if __name__ == "__main__":
    Empty().run()
