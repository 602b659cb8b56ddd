"""The one way of outside text onto the screen: visible, masked where asked, and never markup."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, cast

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual.content import Content
from textual.dom import DOMNode

from bmtop.console.theme import BMTOP
from bmtop.mask import Mask
from bmtop.visible import visible

Kind = Literal["", "strong", "dim", "good", "warn", "alarm"]

MASKED = "-masked"
"""The class that the app wears while local parts are hidden."""
MASKED_AS_WELL = ", masked as the screen is"
"""What is said of a file that is written meanwhile."""

_STYLES: dict[Kind, str] = {
    "": "",
    "strong": "bold",
    "dim": "$text-muted",
    "good": "$text-success",
    "warn": "$text-warning",
    "alarm": "bold $text-error",
}
TINTS: Mapping[Kind, Style] = {
    kind: Style.parse(re.sub(r"\$([a-z-]+)", lambda found: BMTOP.variables[found[1]], looks))
    for kind, looks in _STYLES.items()
}
"""The same for lines that are drawn segment by segment."""


class Cell(NamedTuple):
    """A piece of text, raw, and what kind of news it is. The kind only colours: the text says it too."""

    text: str
    kind: Kind = ""


Line = tuple[Cell, ...]


class _Masking(Protocol):
    """What the app of the console has: its mask."""

    @property
    def mask(self) -> Mask: ...


def mask_of(on: DOMNode) -> Mask | None:
    """Return what hides local parts in the app that `on` belongs to; None while nothing is hidden."""
    return cast("_Masking", on.app).mask if on.app.has_class(MASKED) else None


def shown(text: str, on: DOMNode) -> str:
    """Return `text` as it may stand on the screen that `on` belongs to: one line, glyphs only."""
    text, mask = visible(text), mask_of(on)
    return text if mask is None else mask.text(text)


def content(on: DOMNode, *lines: str | Cell | Line) -> Content:
    """Return the lines as Textual's own text type, which is not parsed for markup."""
    return Content("\n").join(_line(on, line) for line in lines)


def _line(on: DOMNode, line: str | Cell | Line) -> Content:
    if isinstance(line, str):
        return Content(shown(line, on))
    cells: Iterable[Cell] = (line,) if isinstance(line, Cell) else line
    return Content.assemble(*((shown(cell.text, on), _STYLES[cell.kind]) for cell in cells))


def wrapped(text: str, width: int, most: int | None = None) -> list[str]:
    """Return `text` in rows of at most `width` characters, `most` of them; what does not fit ends in `…`.

    Outside text must be `shown` first: half an address does not look like one, and would not be masked.
    """
    rows = textwrap.wrap(text, max(width, 10), max_lines=most, placeholder=" …", break_on_hyphens=False)
    return rows or [""]


def fit(text: str, width: int, right: bool = False) -> str:
    """Return `text` in exactly `width` cells; what does not fit ends in `…`."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    blank = " " * (width - length)
    return blank + text if right else text + blank
