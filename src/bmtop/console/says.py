"""Lines of text on the screen that are painted anew only where they say something else."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.widgets import Static

from bmtop.console.text import MASKED, Cell, Line, content


class Says(Static):
    """`FIXED` is for those whose size does not depend on what they say."""

    FIXED: ClassVar[bool] = False

    def __init__(self, *lines: str | Cell | Line, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._lines = lines
        self._said: object = None
        self._make: Callable[[int], Sequence[Line]] | None = None

    def on_mount(self) -> None:
        self.say(*self._lines)

    def say(self, *lines: str | Cell | Line) -> None:
        """Show `lines`."""
        self._lines = lines
        saying = (lines, self.app.has_class(MASKED))
        if saying != self._said:
            self._said = saying
            self.update(content(self, *lines), layout=not self.FIXED)

    def fit(self, make: Callable[[int], Sequence[Line]]) -> None:
        """Show the lines that `make` returns for the width there is, once there is one and after each change."""
        self._make = make
        if self.size.width:
            self.say(*make(self.size.width))

    def on_resize(self) -> None:
        if self._make is not None:
            self.say(*self._make(self.size.width))

    def again(self) -> None:
        """Show the same, masked or not as is asked for now."""
        self.say(*self._lines)
