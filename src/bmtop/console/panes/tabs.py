"""Where the terminal is small: which panes there are, and which one is seen."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from bmtop.console.text import Cell, content


class Tabs(Widget):
    """A line with the panes' names; a click chooses one."""

    class Picked(Message):
        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._names: Sequence[str] = ()
        self._chosen = 0

    def fill(self, names: Sequence[str], chosen: int) -> None:
        if (names, chosen) != (self._names, self._chosen):
            self._names, self._chosen = names, chosen
            self.refresh()

    def render(self) -> Content:
        return content(
            self,
            tuple(
                Cell(
                    f"[{name}]" if index == self._chosen else f" {name} ", "strong" if index == self._chosen else "dim"
                )
                for index, name in enumerate(self._names)
            ),
        )

    def on_click(self, event: events.Click) -> None:
        left = 0
        for index, name in enumerate(self._names):
            if left <= event.x < left + len(name) + 2:
                self.post_message(self.Picked(index))
            left += len(name) + 2
