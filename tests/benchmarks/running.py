"""The console while the log grows: processor, bytes sent, from a line to the screen, from a key to the screen."""

import random
import time
from pathlib import Path

from .console import Console, NeverCame
from .inputs import ALICE, Inputs, written
from .lines import append
from .screen import Screen
from .start import is_complete, row_of
from .table import Row, Wrong, percentile

INCIDENT, FLOOD = 1_000, 20_000  # lines a second
_KNOCKER = "198.51.100.200"
_MARK = (
    b" mail postfix/smtpd[4711]: warning: unknown[198.51.100.200]: SASL LOGIN authentication failed:"
    b" authentication failure, sasl_username=info@example.com\n"
)
_DOWN, _UP = b"\x1b[B", b"\x1b[A"


class _Bench:
    """A console on a log of its own that grows."""

    def __init__(self, inputs: Inputs, log: Path, console: Console) -> None:
        self.inputs = inputs
        self.log = log
        self.console = console
        self.lines = [line for line in inputs.lines if _KNOCKER.encode() not in line]
        self.marks = 0

    def cost(self, seconds: float) -> tuple[float, float]:
        """Return the share of a core in percent, and the bytes sent to the terminal, a second."""
        busy, received, began = self.console.busy, self.console.received, time.monotonic()
        self.console.watch(seconds)
        took = time.monotonic() - began
        return 100 * (self.console.busy - busy) / took, (self.console.received - received) / took

    def line_to_screen(self) -> float:
        """Write a failed login, and return the seconds until its client's row counts it."""
        self.console.watch(random.uniform(0.2, 1.2))
        began = time.monotonic()
        with self.log.open("ab") as log:
            append(log, [_MARK], time.time())
        self.marks += 1
        wanted = f"{self.marks:,}"
        return self.console.wait(lambda s: wanted in row_of(s, _KNOCKER, "Failed logins")[1:2], "the line") - began

    def key_to_screen(self, number: int) -> float:
        """Move the cursor, and return the seconds until it stands on the other row."""
        self.console.watch(random.uniform(0.05, 0.15))
        before = _cursor(self.console.screen)
        began = self.console.press(_UP if number % 2 else _DOWN)
        return self.console.wait(lambda s: _cursor(s) not in (before, -1), "the cursor to move") - began

    def check(self) -> None:
        """Raise `Wrong` unless all that was written is counted in the end."""
        with self.log.open("rb") as log:
            wanted = sum(b"sasl_username=alice@example.com" in line and b": client=" in line for line in log)
        try:
            self.console.wait(lambda s: f"{wanted:,}" in row_of(s, ALICE, "Senders"), "all lines to be counted", 30)
        except NeverCame as error:
            raise Wrong(f"{wanted:,} messages of {ALICE} are in the log: {error}") from None


def _cursor(screen: Screen) -> int:
    """Return the line of the screen with the first pane's cursor, -1 for none."""
    return next((y for y, line in enumerate(screen.lines) if "▸" in line), -1)


def measure(inputs: Inputs, *, seconds: float, presses: int, marks: int) -> list[Row]:
    """Return the rows about a running console. Raises `Wrong` where a line is not counted."""
    log = inputs.folder / "growing.log"
    log.unlink(missing_ok=True)
    with log.open("wb") as file:
        append(file, [line for line in inputs.lines if _KNOCKER.encode() not in line], time.time())
    with Console.running(inputs.bmtop(log, "--window", "1h")) as console:
        console.wait(is_complete, "the complete picture")
        bench = _Bench(inputs, log, console)
        # The start is over with the first listing, which follows the picture.
        console.watch(8.0)
        idle = [bench.cost(seconds / 3)[0] for _ in range(3)]
        idle_keys = [bench.key_to_screen(number) for number in range(presses)]
        quiet_lines = [bench.line_to_screen() for _ in range(marks)]
        with written(log, bench.lines, INCIDENT, inputs.folder):
            console.watch(3.0)
            costs = [bench.cost(seconds / 3) for _ in range(3)]
            busy_lines = [bench.line_to_screen() for _ in range(marks)]
        with written(log, bench.lines, FLOOD, inputs.folder):
            console.watch(2.0)
            flood_keys = [bench.key_to_screen(number) for number in range(presses)]
        bench.check()
    log.unlink()
    at_rate, queued = f"at {INCIDENT:,} lines/s", f"{inputs.queued:,} queued"
    return [
        Row(
            f"key press to painted, 95th percentile, at {FLOOD:,} lines/s", "ms", 2.0,
            [1000 * percentile(flood_keys, 0.95)], "idle", [1000 * percentile(idle_keys, 0.95)],
        ),
        Row(f"processor {at_rate}, {queued}", "% of a core", 10.0, [busy for busy, _ in costs]),
        Row(f"processor idle, {queued}", "% of a core", 2.0, idle),
        Row("from a line written to the pane painted, 95th percentile", "s", 0.5, [percentile(quiet_lines, 0.95)]),
        Row(f"the same {at_rate}", "s", 0.5, [percentile(busy_lines, 0.95)]),
        Row(f"to the terminal a second {at_rate}, 140 by 45", "kB", 8.0, [sent / 1000 for _, sent in costs]),
    ]  # fmt: skip
