"""What the kernel says of a running process (proc(5))."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLES, _APART = 40, 0.1


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process holds: bytes of memory, descriptors of the log's files, other descriptors, threads, children."""

    resident: int
    logs: int
    descriptors: int
    threads: int
    children: int


def at_rest(pid: int, log: Path) -> Vitals:
    """Return the least of each over some seconds: what is held for a moment only is no leak."""
    samples = []
    for _ in range(_SAMPLES):
        samples.append(_now(pid, str(log)))
        time.sleep(_APART)
    return Vitals(
        resident=min(sample.resident for sample in samples),
        logs=min(sample.logs for sample in samples),
        descriptors=min(sample.descriptors for sample in samples),
        threads=min(sample.threads for sample in samples),
        children=min(sample.children for sample in samples),
    )


def busy(pid: int) -> float:
    """Return the processor seconds that it and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _now(pid: int, log: str) -> Vitals:
    status = Path(f"/proc/{pid}/status").read_text()
    targets = list(_targets(pid))
    logs = sum(target.startswith(log) for target in targets)
    return Vitals(
        resident=int(status.partition("VmRSS:")[2].split()[0]) * 1024,
        logs=logs,
        descriptors=len(targets) - logs,
        threads=int(status.partition("Threads:")[2].split()[0]),
        children=_children(pid),
    )


def _targets(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(link)


def _children(pid: int) -> int:
    """Count its children; those that have ended and were not waited for, too."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += int(stat.read_text(errors="replace").rpartition(") ")[2].split()[1]) == pid
    return found
