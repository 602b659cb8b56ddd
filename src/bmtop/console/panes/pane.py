"""A pane with a table: sorted, filtered, and saying how old it is and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from bmtop.console.columns import Column, arranged, naming
from bmtop.console.figures import plural
from bmtop.console.table import Table
from bmtop.console.target import Target
from bmtop.console.text import content
from bmtop.incident.picture import Picture

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

UNREAD = "No log line was read yet, so nothing is known of this window."
"""What a pane without a row says where there was no log to read, or nothing in it."""


class Pane(Table[T]):
    """`one` is what a row is; its name stands in the border."""

    one: ClassVar[str]

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], object],
        *,
        id: str,
        empty: str,
        follow: bool = False,
        head: bool = True,
    ) -> None:
        super().__init__(columns, key, id=id, empty=empty, follow=follow, head=head)
        self.needle = ""
        self._acts_on: Target | None = None
        self._sentence_when_empty = empty
        self._all: Sequence[T] = ()
        self._reading = False

    @property
    def target(self) -> Target | None:
        """What an action on the row under the cursor is about."""
        return None

    @property
    def heading(self) -> str:
        """What stands in its upper border."""
        return self.BORDER_TITLE or ""

    def entitle(self) -> None:
        """Put the heading there, and where the keys act on what was selected in another pane, on whom."""
        words = [self.heading, *([f"keys act on {self._acts_on.name}"] if self._acts_on else [])]
        title = content(self, " · ".join(words))
        if title.markup != self.border_title:
            self.border_title = title

    def act_on(self, target: Target | None) -> None:
        """Say that the keys act on `target`, although no row here is about it; None where they do not."""
        self._acts_on = target
        self.entitle()

    @property
    def about(self) -> str:
        """How much there is, for the tab of the pane."""
        return f"{len(self._all):,}"

    def on_resize(self) -> None:
        self.rearrange()

    def blur(self) -> Self:
        """Leave the focus where it is: that a pane was hidden is told late, when it may be the current one again."""
        return self

    def fill(self, items: Sequence[T], picture: Picture, now: float) -> None:
        """Show the rows of `picture`."""
        self._reading = not picture.complete
        if self._reading:
            self.empty = "Reading back…"
        else:
            self.empty = UNREAD if picture.log_time is None else self._sentence_when_empty
        self.put(items, now)

    def put(self, items: Sequence[T], now: float) -> None:
        self._all = items
        self._now = now
        self.rearrange()

    def rearrange(self) -> None:
        """Sort and filter what is there, anew."""
        chosen = naming(self._all, self.columns, self.needle)
        if self.needle and not chosen:
            self.empty = f"No {self.one} names {self.needle}; escape clears the filter."
        self.show(arranged(chosen, self.sorted_by), self._now)
        self._tell(len(chosen))

    def _tell(self, chosen: int) -> None:
        words = [plural(len(self._all), self.one)]
        if self.needle:
            words = [f"{chosen:,} of {plural(len(self._all), self.one)} name {self.needle}"]
        if self.sorted_by is not None:
            words.append(f"by {self.sorted_by.title}")
        if self.left_out:
            words.append(f"{plural(self.left_out, 'column')} more: enter")
        if self._reading:
            words.append("reading back…")
        self.say(words)

    def say(self, words: Sequence[str]) -> None:
        """Put `words` into the lower border."""
        said = content(self, " · ".join(words))
        if said.markup != self.border_subtitle:
            self.border_subtitle = said

    def sort_by(self, column: Column[T] | None) -> None:
        self.sorted_by = column
        self.rearrange()
        self.refresh()

    def sort_next(self) -> None:
        """Sort by the next column that can be sorted by; after the last, as the rows come."""
        choices = [None, *(c for c in self.columns if c.order is not None)]
        self.sort_by(choices[(choices.index(self.sorted_by) + 1) % len(choices)])

    def filter(self, needle: str) -> None:
        self.needle = needle
        self.rearrange()

    def on_table_headed(self, event: Table.Headed) -> None:
        self.sort_by(event.column if self.sorted_by is not event.column else None)
