"""A table that is drawn a line at a time: its cost is what is visible, for ten rows as for a hundred thousand."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bmtop.console.columns import Column, fitted
from bmtop.console.text import TINTS, Kind, fit, shown

T = TypeVar("T")

_Drawn = tuple[bool, tuple[tuple[str, Kind], ...]]


class Table(ScrollView, Generic[T], can_focus=True):
    """Rows of `columns`. The cursor is on the first row until the user moves it; from then on it and the scroll stay
    with the row's key, whatever order the rows come in.

    With `follow`, a cursor on the last row stays on the last row.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move_to(0)", "First", show=False),
        Binding("end", "move_to(-1)", "Last", show=False),
        Binding("enter", "choose", "More", key_display="enter", tooltip="all that is known about the row"),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: "Table[Any]") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table[Any]":
            return self.table

    class Chosen(Moved):
        """Enter was pressed, or the row under the cursor was clicked."""

    class Headed(Message):
        """The head of a column was clicked."""

        def __init__(self, table: "Table[Any]", column: Column[Any]) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> "Table[Any]":
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], object],
        *,
        id: str | None = None,
        empty: str = "",
        follow: bool = False,
        head: bool = True,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.key = key
        self.empty = empty
        self.follow = follow
        self._said_when_empty = empty
        self.sorted_by: Column[T] | None = None
        self.items: Sequence[T] = ()
        self.cursor = 0
        self._was_moved = False
        self._head = 1 if head else 0
        self._now = 0.0
        self._drawn: dict[int, _Drawn] = {}
        self._needs: dict[str, int] = {}
        self._fit: tuple[object, list[tuple[Column[T], int]]] = (None, [])

    @property
    def current(self) -> T | None:
        """The item under the cursor."""
        return self.items[self.cursor] if self.items else None

    @property
    def in_view(self) -> Sequence[T]:
        """The items that can be seen now."""
        top = round(self.scroll_y)
        return self.items[top : top + self._page]

    @property
    def left_out(self) -> int:
        """How many columns the width has no room for."""
        return len(self.columns) - len(self._fitted)

    @property
    def _fitted(self) -> list[tuple[Column[T], int]]:
        case = (self.columns, self._width, tuple(self._needs.items()))
        if self._fit[0] != case:
            self._fit = (case, fitted(self.columns, max(0, self._width - 2), self._needs))
        return self._fit[1]

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - self._head)

    def show(self, items: Sequence[T], now: float) -> None:
        """Show `items`, their ages as of `now`; only lines that look different are painted."""
        top = round(self.scroll_y)
        in_view = top <= self.cursor < top + self._page
        before = self.current
        at_end = self.follow and self.cursor >= len(self.items) - 1
        said = None if self.items else self._said_when_empty
        self._said_when_empty = self.empty
        self.items, self._now = items, now
        self.cursor = len(items) - 1 if at_end else self._found(before)
        self.cursor = max(0, self.cursor)
        grew = self._resize()
        if self._measure() or said != (None if items else self.empty):
            self.refresh()
        else:
            self.repaint()
        if in_view or at_end:
            self._reveal()
            if grew:
                # Where all had room until now, it can be scrolled only once that is laid out.
                self.call_after_refresh(self._reveal)
        after = self.current
        if (before and self.key(before)) != (after and self.key(after)):
            self.post_message(self.Moved(self))

    def _found(self, before: T | None) -> int:
        """Return where the row that the cursor was on is now; where it was, if it is gone."""
        last = len(self.items) - 1
        if before is None or last < 0 or not (self._was_moved or self.follow):
            return 0
        wanted = self.key(before)
        if self.cursor <= last and self.key(self.items[self.cursor]) == wanted:
            return self.cursor
        for index, item in enumerate(self.items):
            if self.key(item) == wanted:
                return index
        return min(self.cursor, last)

    def _measure(self) -> bool:
        """Note what the texts in view need; widths only grow, so that columns keep still."""
        before = dict(self._needs)
        for column in self.columns:
            if column.share:
                widths = (cell_len(shown(column.cell(item, self._now).text, self)) for item in self.in_view)
                self._needs[column.title] = max(self._needs.get(column.title, 0), *widths, 0)
        return before != self._needs

    def _resize(self) -> bool:
        """Take the size that the rows need; tell whether that is another one than before."""
        wanted = Size(1, len(self.items) + self._head)
        if self.virtual_size == wanted:
            return False
        self.virtual_size = wanted
        return True

    def set_columns(self, columns: Sequence[Column[T]]) -> None:
        self.columns = tuple(columns)
        self._measure()
        self.refresh()

    def repaint(self) -> None:
        """Paint the lines that look different by now, as far as they do: over a slow line, each cell counts."""
        for y, (was_cursor, before) in list(self._drawn.items()):
            is_cursor, after = self._look(y)
            if is_cursor != was_cursor or len(before) != len(after):
                self.refresh(Region(0, y, self._width, 1))
                continue
            left, last = 2, 0
            for (_, room), old, new in zip(self._fitted, before, after, strict=False):
                left += room + 1
                if old != new:
                    last = left
            if last:
                # Textual paints a line from its left end on, so that each cell by itself would cost more.
                self.refresh(Region(0, y, min(last, self._width), 1))

    def _look(self, y: int) -> _Drawn:
        index = y - self._head + round(self.scroll_y)
        if not 0 <= index < len(self.items):
            return False, ()
        cells = (column.cell(self.items[index], self._now) for column, _ in self._fitted)
        return index == self.cursor, tuple((shown(cell.text, self), cell.kind) for cell in cells)

    def render_line(self, y: int) -> Strip:
        width = self._width
        if self._head and y == 0:
            return self._render_head(width)
        look = self._drawn[y] = self._look(y)
        if not look[1]:
            says = self.empty if not self.items and y == self._head else ""
            return Strip([Segment(fit("  " + says, width), self.rich_style + TINTS["dim"])], width)
        is_cursor, cells = look
        base = self._style("cursor") if is_cursor else self.rich_style
        segments = [Segment("▸" if is_cursor else " ", base)]
        for (text, kind), (column, room) in zip(cells, self._fitted, strict=True):
            style = base + TINTS[kind] if kind else base
            segments += [Segment(" ", base), Segment(fit(text, room, column.right), style)]
        return Strip(segments).adjust_cell_length(width, base).simplify()

    def _render_head(self, width: int) -> Strip:
        style = self._style("head")
        segments = [Segment(" ", style)]
        for column, room in self._fitted:
            # The mark takes the cell between two columns, so that it cuts no title.
            title = ("▾" if column is self.sorted_by else " ") + column.title
            segments.append(Segment(fit(title, room + 1, column.right), style))
        return Strip(segments).adjust_cell_length(width, style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"table--{name}")

    def _reveal(self) -> None:
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self._page:
            self.scroll_to(y=self.cursor - self._page + 1, animate=False)

    def move_to(self, index: int) -> None:
        """Put the cursor on the row at `index`, or the nearest one, and scroll it into view."""
        self._was_moved = True
        index = max(0, min(index, len(self.items) - 1))
        if index != self.cursor:
            self.cursor = index
            self.repaint()
            self.post_message(self.Moved(self))
        self._reveal()

    def action_move(self, by: int) -> None:
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.move_to(self.cursor + by * self._page)

    def action_move_to(self, index: int) -> None:
        self.move_to(index if index >= 0 else len(self.items) - 1)

    def action_choose(self) -> None:
        if self.items:
            self._was_moved = True
            self.post_message(self.Chosen(self))

    def on_resize(self) -> None:
        self._resize()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if self._head and offset.y == 0:
            self._click_head(offset.x - 2)
            return
        index = offset.y - self._head + round(self.scroll_y)
        if index >= len(self.items):
            return
        if index == self.cursor and event.chain == 2:
            self.action_choose()
        else:
            self.move_to(index)

    def _click_head(self, x: int) -> None:
        left = 0
        for column, room in self._fitted:
            if left <= x < left + room and column.order is not None:
                self.post_message(self.Headed(self, column))
            left += room + 1
