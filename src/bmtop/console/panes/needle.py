"""The line in which the filter of a pane is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from bmtop.console.panes.pane import Pane

if TYPE_CHECKING:
    from typing_extensions import Self


class Needle(Input):
    """Filters the pane that it was opened for, wherever the focus goes meanwhile."""

    def __init__(self) -> None:
        placeholder = "only rows that name…   enter keeps it, escape clears it"
        super().__init__(compact=True, id="needle", placeholder=placeholder)
        self.display = False
        self._pane: Pane[Any] | None = None

    def open(self, pane: Pane[Any]) -> None:
        """Show the filter of `pane`, to be changed."""
        self._pane = pane
        self.value = pane.needle
        self.display = True

    def close(self) -> None:
        self.display = False

    def on_input_changed(self) -> None:
        if self._pane is not None:
            self._pane.filter(self.value)

    def blur(self) -> Self:
        """Leave the focus where it is: that the line was hidden is told late, when it may be open again."""
        return self
