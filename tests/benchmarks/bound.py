"""What bounds a report: what each of its steps costs the processor, one after the other in one process."""

import gc
import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path
from time import process_time

from bmtop.incident.incident import Incident
from bmtop.incident.territory import Territory
from bmtop.incident.window import grain
from bmtop.postfix.lives import Lives
from bmtop.postfix.logline import decoded, matches
from bmtop.postfix.logtime import LogClock
from bmtop.postfix.parallel import STRETCH

from .table import Row

_PIECE = 1 << 16


def measure(log: Path, window: float, ours: Territory, around: Sequence[str], *, repeat: int) -> list[Row]:
    """Return a row for each step of a report over `log`. `around` is the command of one that finds nothing to read."""
    steps = [(_spent(around), *_steps(log, window, ours)) for _ in range(repeat)]
    names = "start, asking Postfix, the end", "finding the lines", "telling lives together", "counting what is told"
    return [
        Row(f"of that, on one processor: {name}", "s", math.inf, samples)
        for name, samples in zip(names, zip(*steps, strict=True), strict=True)
    ]


def _spent(command: Sequence[str]) -> float:
    """Return the seconds of processor that a command takes, and all that it runs."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _steps(log: Path, window: float, ours: Territory) -> tuple[float, float, float]:
    """Return the seconds of processor that finding, telling and counting take."""
    incident = Incident(window=window, threshold=200, territory=ours)
    clock, lives = LogClock(), Lives(ours, grain(window))
    finding = telling = counting = 0.0
    gc.disable()
    for stretch in _stretches(log):
        began = process_time()
        found = [match for piece in stretch for match in matches(decoded(piece))]
        at_lines = process_time()
        told = list(lives.tell(found, clock))
        at_told = process_time()
        for event in starmap(tuple.__new__, told):
            incident.feed(event)
        counting += process_time() - at_told
        telling += at_told - at_lines
        finding += at_lines - began
    gc.enable()
    return finding, telling, counting


def _stretches(log: Path) -> Iterator[list[bytes]]:
    """Yield the log in stretches, each in pieces of whole lines."""
    with log.open("rb") as file:
        pieces: list[bytes] = []
        while piece := file.read(_PIECE):
            pieces.append(piece + file.readline())
            if len(pieces) * _PIECE >= STRETCH:
                yield pieces
                pieces = []
        yield pieces
