"""Who refuses our mail: since when, how much, and in which words. Nothing but what their servers said."""

from collections.abc import Sequence

from bmtop.console.figures import clock, plural
from bmtop.console.text import Cell, Line
from bmtop.incident.picture import Blocked

_KINDS = {"list": "a list that others ask", "provider": "a provider"}


def lines(blocked: Sequence[Blocked], now: float) -> list[str | Cell | Line]:
    """Return a few lines for each; the newest answer stands there word for word."""
    told: list[str | Cell | Line] = []
    for block in blocked:
        refused = f"{plural(block.recipients, 'recipient')} refused, {block.deferred:,} of them only for now"
        told += [
            (Cell(block.who, "strong"), Cell(f"  {_KINDS[block.kind]}", "dim")),
            f"  {refused}; since {clock(block.since, now)}, last at {clock(block.last_seen, now)}",
            f"  by {block.host}",
            (Cell("  "), Cell(block.answer)),
            "",
        ]
    return told or ["Nobody refuses our mail, as far as the log tells."]
