"""Columns of a table: how an item is told in one cell, and how the width is shared out. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bmtop.console.text import Cell

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column. `cell` gets an item and the moment, in epoch seconds, for ages.

    `width` is the least that it takes; what is left goes to columns by their `share`, up to `most`.
    Where not all fit, those of the highest `rank` are left out. `order` gives what rows are sorted by:
    numbers fall, texts rise.
    """

    title: str
    cell: Callable[[T, float], Cell]
    width: int
    order: Callable[[T], float | str] | None = None
    right: bool = False
    share: int = 0
    most: int = 0
    rank: int = 0


def arranged(items: Sequence[T], column: Column[T] | None) -> Sequence[T]:
    """Return the items in the order of `column`, or as they come."""
    if column is None or column.order is None or not items:
        return items
    order = column.order
    falling = not isinstance(order(items[0]), str)
    return sorted(items, key=order, reverse=falling)


def naming(items: Sequence[T], columns: Sequence[Column[T]], needle: str) -> Sequence[T]:
    """Return the items of which a cell holds `needle`, whatever its case."""
    if not needle:
        return items
    wanted = needle.casefold()
    return [i for i in items if any(wanted in c.cell(i, 0).text.casefold() for c in columns)]


def fitted(columns: Sequence[Column[T]], width: int, needs: Mapping[str, int]) -> list[tuple[Column[T], int]]:
    """Return the columns that fit into `width` cells, one cell apart, each with its width.

    `needs` has the width that a column's texts need, by its title: what is left goes to those first.
    """
    kept = list(columns)
    while len(kept) > 1 and sum(c.width + 1 for c in kept) - 1 > width:
        worst = max(c.rank for c in kept)
        if worst == 0:
            break
        kept.remove(next(c for c in reversed(kept) if c.rank == worst))
    widths = [c.width for c in kept]
    left = width - sum(w + 1 for w in widths) + 1
    left = _share_out(kept, widths, left, [min(c.most or width, needs.get(c.title, 0)) for c in kept])
    _share_out(kept, widths, left, [c.most or width for c in kept])
    return list(zip(kept, widths, strict=True))


def _share_out(columns: Sequence[Column[T]], widths: list[int], left: int, limits: Sequence[int]) -> int:
    """Add what is left to the columns that take a share, a cell at a time, up to their limits; return the rest."""
    while left > 0:
        takers = [i for i, c in enumerate(columns) if c.share and widths[i] < limits[i]]
        if not takers:
            break
        widths[min(takers, key=lambda i: widths[i] / columns[i].share)] += 1
        left -= 1
    return left
