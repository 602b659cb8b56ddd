"""The last line: the keys that work here, made from the bindings; a click presses one."""

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from bmtop.console.text import Cell, content


class KeyBar(Widget):
    """As many keys as fit; `?` names them all, so it always stays."""

    def __init__(self) -> None:
        super().__init__()
        self._spans: list[tuple[int, int, str]] = []
        self._shown: list[tuple[str, str, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if self._keys() != self._shown:
            self.refresh()

    def _keys(self) -> list[tuple[str, str, str]]:
        """Return the key, as shown and as pressed, and what it does."""
        active = [(key, found.binding) for key, found in self.screen.active_bindings.items() if found.enabled]
        aside: frozenset[str] = getattr(self.screen, "aside", frozenset())
        active.sort(key=lambda key: key[0] in aside)
        return [(self.app.get_key_display(b), key, b.description) for key, b in active if b.show and b.description]

    def render(self) -> Content:
        keys = self._shown = self._keys()
        last = [key for key in keys if key[1] == "question_mark"]
        cells: list[Cell] = []
        self._spans = []
        left = 1
        room = self.size.width - sum(len(f"{shown} {what}  ") for shown, _, what in last)
        for shown, key, what in [key for key in keys if key not in last] + last:
            length = len(f"{shown} {what}  ")
            if left + length > room and (shown, key, what) not in last:
                continue
            self._spans.append((left, left + length, key))
            cells += [Cell(f"{shown} ", "strong"), Cell(f"{what}  ")]
            left += length
        return content(self, (Cell(" "), *cells))

    def on_click(self, event: events.Click) -> None:
        for begin, end, key in self._spans:
            if begin <= event.x < end:
                self.app.simulate_key(key)
