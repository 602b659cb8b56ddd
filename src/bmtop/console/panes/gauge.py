"""The queue's gauge: how full, against what, where, how fast, how old."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from textual.app import ComposeResult
from textual.containers import Vertical

from bmtop.console.figures import duration, share, size
from bmtop.console.says import Says
from bmtop.console.text import Cell, Kind, Line
from bmtop.incident.picture import QUEUES, Picture, QueueGauge, State

_KINDS: dict[State, Kind] = {"ok": "good", "warning": "warn", "critical": "alarm"}
_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[int], width: int) -> str:
    """Return `values` as blocks, the newest at the right, at most `width`; each block is the most of its share."""
    if not values or width <= 0:
        return ""
    width = min(width, len(values))
    edges = [round(i * len(values) / width) for i in range(width + 1)]
    peaks = [max(values[a:b]) for a, b in pairwise(edges)]
    top = max(*peaks, 1)
    return "".join(_BLOCKS[round(peak / top * (len(_BLOCKS) - 1))] for peak in peaks)


def bar(total: int, threshold: int, width: int) -> str:
    """Return a bar of `width` cells, with a mark where the threshold is."""
    top = max(total, round(threshold * 1.25), 1)
    filled = min(width, round(total / top * width))
    if total and not filled:
        filled = 1
    mark = min(width - 1, round(threshold / top * width))
    cells = ["█"] * filled + ["─"] * (width - filled)
    cells[mark] = "┃"
    return "".join(cells)


def against(gauge: QueueGauge) -> str:
    """Return the total against the threshold, in words."""
    if gauge.threshold <= 0:
        return "no threshold"
    if gauge.total > gauge.threshold:
        return f"{gauge.total / gauge.threshold:,.1f} times the threshold of {gauge.threshold:,}"
    return f"{share(gauge.total, gauge.threshold)} of the threshold of {gauge.threshold:,}"


def growth(gauge: QueueGauge) -> str:
    if gauge.growth_per_minute is None:
        return "growth not known yet"
    by = round(gauge.growth_per_minute)
    return f"{by:+,} a minute" if by else "steady"


def lines(gauge: QueueGauge | None, now: float, width: int, *, reading: bool = False) -> list[Line]:
    """Return the gauge's three lines, `width` cells wide; while `reading`, no queue is one that is not known yet."""
    if gauge is None:
        return [(Cell("Reading…", "dim") if reading else Cell("The queue cannot be read.", "warn"),), (), ()]
    kind = _KINDS[gauge.state]
    total = f"{gauge.total:,} queued"
    words = f"{gauge.state.upper()}  {gauge.why if gauge.state == 'warning' else against(gauge)}"
    room = max(8, width - len(total) - len(words) - 6)
    queues = [Cell(f"{name} {getattr(gauge, name):,}   ", "" if getattr(gauge, name) else "dim") for name in QUEUES]
    first, last = (gauge.history[0][0], gauge.history[-1][0]) if gauge.history else (now, now)
    told = f"last {duration(last - first)}" if last - first >= 60 else "just begun"
    facts = [growth(gauge)]
    if gauge.oldest is not None:
        facts.append(f"oldest {duration(now - gauge.oldest)}")
    if gauge.bytes is not None:
        facts.append(size(gauge.bytes))
    sizes = "   ".join(facts)
    return [
        (
            Cell(total, "strong"),
            Cell("   "),
            Cell(bar(gauge.total, gauge.threshold, room), kind),
            Cell("   "),
            Cell(words, kind),
        ),
        tuple(queues),
        (
            Cell(sparkline([n for _, n in gauge.history], min(60, width - len(sizes) - len(told) - 6)), kind),
            Cell(f" {told}   ", "dim"),
            Cell(sizes),
        ),
    ]


class _GaugeLine(Says):
    FIXED = True


class Gauge(Vertical):
    """Each line is painted by itself, only when it says something else: over a slow line, each cell counts."""

    BORDER_TITLE = "Queue"

    def __init__(self) -> None:
        super().__init__(id="gauge")
        self._make: Callable[[int], Sequence[Line]] | None = None

    def compose(self) -> ComposeResult:
        for _ in range(3):
            yield _GaugeLine()

    def fill(self, picture: Picture, now: float) -> None:
        state = picture.queue.state if picture.queue else "ok"
        self.set_class(state == "warning", "-warning")
        self.set_class(state == "critical", "-critical")
        self._make = partial(lines, picture.queue, now, reading=not (picture.complete or picture.problems))
        self.on_resize()

    def on_resize(self) -> None:
        """Show the lines for the width that there is."""
        if self._make is not None:
            for line, told in zip(self.query(_GaugeLine), self._make(self.size.width), strict=True):
                line.say(told)
