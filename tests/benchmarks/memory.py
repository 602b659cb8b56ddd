"""Memory after a log with ever more different senders, against that after its beginning."""

import time

from .console import Console
from .inputs import Inputs
from .lines import STOLEN, STOLEN_EVERY, UNIT_LINES, write_many
from .start import is_complete, row_of
from .table import Row, Wrong


def measure(inputs: Inputs, *, lines: int, first: int, repeat: int) -> list[Row]:
    """Return the row about memory. Raises `Wrong` where the stolen login is lost among so many."""
    few = [_resident(inputs, first) for _ in range(repeat)]
    many = [_resident(inputs, lines) for _ in range(repeat)]
    units = lines // UNIT_LINES
    what = f"resident memory after {lines:,} lines, {2 * units:,} different clients, {units // 2:,} logins"
    return [Row(what, "MB", 1.5, many, f"after {first:,} lines of the same kind", few)]


def _resident(inputs: Inputs, lines: int) -> float:
    """Return the megabytes that the console holds after these lines."""
    log = inputs.folder / "many.log"
    write_many(log, lines, time.time())
    try:
        with Console.running(inputs.bmtop(log, "--window", "1d")) as console:
            console.wait(is_complete, "the complete picture", seconds=1200)
            console.watch(5.0)
            row = row_of(console.screen, STOLEN, "Senders")
            sent = f"{lines // UNIT_LINES // STOLEN_EVERY:,}"
            if sent not in row:
                raise Wrong(f"{STOLEN} sent {sent} messages among {lines:,} lines; its row says {row}.")
            return console.resident / 1e6
    finally:
        log.unlink()
