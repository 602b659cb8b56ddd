"""Where the terminal is small: which panes there are, and which one is seen."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from bmtop.console.text import Cell, content


def fitting(names: Sequence[str], chosen: int, width: int) -> list[tuple[int, str]]:
    """Return the tabs that have room in `width` cells, each with its index; the chosen one is always among them.

    A name ends in a count, which only the chosen one keeps where not all have room.
    """
    told = [f"[{name}]" if index == chosen else f" {name} " for index, name in enumerate(names)]
    if sum(map(len, told)) > width:
        told = [tab if index == chosen else f" {tab.strip().rpartition(' ')[0]} " for index, tab in enumerate(told)]
    first = next((n for n in range(chosen) if sum(map(len, told[n : chosen + 1])) <= width), chosen)
    return list(enumerate(told))[first:]


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

    @property
    def _told(self) -> list[tuple[int, str]]:
        return fitting(self._names, self._chosen, self.size.width)

    def render(self) -> Content:
        return content(self, tuple(Cell(tab, "strong" if n == self._chosen else "dim") for n, tab in self._told))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        left = 0
        for index, tab in self._told:
            if offset is not None and left <= offset.x < left + len(tab):
                self.post_message(self.Picked(index))
            left += len(tab)
