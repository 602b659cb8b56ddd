"""Starting on a long log and a long queue: the first screen, and the picture complete."""

import re
import sys
import time

from .console import Console, NeverCame
from .empty import READY
from .inputs import ALICE, Inputs, timed
from .lines import write_day
from .screen import Screen
from .table import Row, Wrong

_LINE = 145  # bytes, on average, of the incident's lines


def is_up(screen: Screen) -> bool:
    """Tell whether the first whole screen is painted: the last line comes with it."""
    return "Senders" in screen.text and "Help" in screen.lines[-1]


def is_complete(screen: Screen) -> bool:
    return is_up(screen) and "reading back" not in screen.text


def row_of(screen: Screen, name: str, pane: str) -> list[str]:
    """Return the cells of the row about `name` in a pane, by its title; empty where there is none."""
    lines = screen.lines
    top = next((i for i, line in enumerate(lines) if f"─ {pane}" in line), len(lines))
    for line in lines[top + 1 :]:
        if line.startswith("╰"):
            break
        cells = re.sub(r"[│▸▁▂▃▄▅▆▇█]", " ", line).split()
        if name in cells:
            return cells
    return []


def measure(inputs: Inputs, *, repeat: int, log_bytes: int) -> list[Row]:
    """Return the rows about the start. Raises `Wrong` where the complete picture is not the truth."""
    log = inputs.folder / "long.log"
    write_day(log, inputs.lines, log_bytes // _LINE, time.time())
    first: list[float] = []
    empty: list[float] = []
    complete: list[float] = []
    listing: list[float] = []
    try:
        for _ in range(repeat):
            with Console.running([sys.executable, "-m", "tests.benchmarks.empty"]) as console:
                empty.append(console.wait(lambda screen: READY in screen.text, "the empty app") - console.began)
            with Console.running(inputs.bmtop(log)) as console:
                first.append(console.wait(is_up, "the first screen") - console.began)
                complete.append(_completed(console, inputs) - console.began)
            listing.append(timed(inputs.postqueue("-j")))
    finally:
        log.unlink()
    sizes = f"{log_bytes / 1e9:.1f} GB of log, {inputs.queued:,} queued"
    return [
        Row(f"first painted screen, {sizes}", "s", 1.5, first, "an empty Textual app with the same widgets", empty),
        Row(f"complete picture, {sizes}", "s", 4.0, complete, "postqueue -j alone", listing),
    ]


def _completed(console: Console, inputs: Inputs) -> float:
    """Return the moment at which the picture is complete, and true."""
    console.wait(is_complete, "the complete picture")
    queued, alices = f"{inputs.queued:,} queued", f"{inputs.queued_by_alice:,}"
    try:
        return console.wait(lambda s: queued in s.text and alices in row_of(s, ALICE, "Senders"), "the whole queue", 3)
    except NeverCame as error:
        raise Wrong(f"{queued}, of which {alices} are {ALICE}'s: {error}") from None
