"""The benchmarks' command line; `tests/benchmarks/run` sets up what they need.

Exit status: 0, or 1 where a result was wrong. That something was slow is said in the table, and is no failure.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import dialog, memory, purge, report, running, start
from .console import NeverCame
from .inputs import Inputs, inputs
from .table import Row, Wrong, as_json, markdown


@dataclass(frozen=True)
class Scale:
    """How much of everything: messages queued, bytes of log, lines to report and to remember, ids to list."""

    queued: int
    log_bytes: int
    reported: int
    lines: int
    listed: int
    repeat: int
    seconds: float
    presses: int
    marks: int


FULL = Scale(50_000, 1_300_000_000, 1_000_000, 10_000_000, 100_000, repeat=5, seconds=30, presses=200, marks=60)
SHORT = Scale(300, 20_000_000, 50_000, 200_000, 2_000, repeat=1, seconds=1.5, presses=10, marks=3)

Part = Callable[[Inputs, Scale], list[Row]]


def _report(given: Inputs, scale: Scale) -> list[Row]:
    return report.measure(lines=scale.reported, repeat=scale.repeat)


def _start(given: Inputs, scale: Scale) -> list[Row]:
    return start.measure(given, repeat=scale.repeat, log_bytes=scale.log_bytes)


def _running(given: Inputs, scale: Scale) -> list[Row]:
    return running.measure(given, seconds=scale.seconds, presses=scale.presses, marks=scale.marks)


def _memory(given: Inputs, scale: Scale) -> list[Row]:
    return memory.measure(given, lines=scale.lines, first=scale.lines // 100, repeat=1)


def _dialog(given: Inputs, scale: Scale) -> list[Row]:
    return dialog.measure(many=scale.listed, few=100, repeat=scale.repeat)


def _purge(given: Inputs, scale: Scale) -> list[Row]:
    return purge.measure(given, repeat=scale.repeat)


# The last one changes the queue that the others look at.
PARTS: dict[str, Part] = {
    "report": _report,
    "start": _start,
    "running": _running,
    "memory": _memory,
    "dialog": _dialog,
    "purge": _purge,
}


def _run(name: str, given: Inputs, scale: Scale) -> tuple[list[Row], list[str]]:
    """Return a part's rows, and what was wrong."""
    print(f"{time.strftime('%H:%M:%S')} {name} …", file=sys.stderr, flush=True)
    try:
        return PARTS[name](given, scale), []
    except (Wrong, NeverCame) as error:
        return [], [f"{name}: {error}"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description="Measure bmtop beside its peers.")
    parser.add_argument("--short", action="store_true", help="less of everything: are the results right?")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; again for more")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there as well")
    found = parser.parse_args(arguments)
    scale = SHORT if found.short else FULL
    rows: list[Row] = []
    wrong: list[str] = []
    with inputs(scale.queued) as given:
        for name in [name for name in PARTS if name in (found.only or PARTS)]:
            more, problems = _run(name, given, scale)
            rows += more
            wrong += problems
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    date = time.strftime("%Y-%m-%d")
    print(f"{date}, {machine}\n\n{markdown(rows, judged=not found.short)}")
    if found.json:
        found.json.write_text(as_json(rows, wrong, date=date, machine=machine, short=found.short))
    for sentence in wrong:
        print(f"WRONG: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
