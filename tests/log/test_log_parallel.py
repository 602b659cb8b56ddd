"""A long log that several processes take apart says exactly what one says alone."""

import io
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop import report
from bmtop.config import Settings
from bmtop.incident.events import Event
from bmtop.monitor import Monitor
from bmtop.postfix import instance, parallel
from bmtop.postfix.history import LONGEST_LINE, whole_lines
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock
from bmtop.server import Server

CLOCK = LogClock()


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})


def alone(log: bytes) -> list[Event]:
    return [event for block in whole_lines(io.BytesIO(log)) for event in events(decoded(block), CLOCK)]


def together(log: bytes, piece: int, start: int = 0) -> list[Event]:
    with tempfile.TemporaryFile() as file:
        file.write(log)
        file.flush()
        file.seek(start)
        return list(parallel.parted(file, CLOCK, None, piece))


@pytest.mark.parametrize("piece", [1 << 19, 65_536, 4096, 1000, 99])
def test_a_real_log_says_the_same_wherever_it_is_cut(real_log: bytes, piece: int) -> None:
    assert together(real_log, piece) == alone(real_log)
    start = real_log.index(b"\n", len(real_log) // 3) + 1
    assert together(real_log, piece, start) == alone(real_log[start:])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32), piece=st.integers(50, 3000), last=st.sampled_from((b"", b"cut", b"\0" * 5000)))
def test_any_log_says_the_same_in_any_order_wherever_it_is_cut(
    real_log: bytes, seed: int, piece: int, last: bytes
) -> None:
    chance = random.Random(seed)
    lines = chance.sample(real_log.splitlines(keepends=True), 60)
    for _ in range(5):
        odd = (b"\n", b"\0" * chance.randrange(5000), b"\xff\n", b"x" * chance.randrange(9000) + b"\n", b"\r\n")
        lines.insert(chance.randrange(len(lines)), chance.choice(odd))
    log = b"".join(lines) + last
    assert together(log, piece) == alone(log)


@pytest.mark.parametrize("size", [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 3 * LONGEST_LINE])
def test_a_line_longer_than_many_pieces_is_read_or_dropped_alike(real_log: bytes, size: int) -> None:
    some = real_log[: real_log.index(b"\n", 3000) + 1]
    prefix = b"Nov 24 13:19:42 mail postfix/qmgr[1]: 1083520CC3D: from=<"
    rest = b">, size=1, nrcpt=1 (queue active)\n"
    log = some + prefix + b"x" * (size - len(prefix) - len(rest)) + rest + some
    found = together(log, 100_000)
    assert found == alone(log)
    assert len(found) == 2 * len(alone(some)) + (size <= LONGEST_LINE)


def test_a_process_that_is_killed_costs_nothing(real_log: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(real_log)
        file.flush()
        file.seek(0)
        others = children()
        found = parallel.parted(file, CLOCK, None, 4096)
        first = next(found)
        for child in children() - others:
            os.kill(child, signal.SIGKILL)
        assert [first, *found] == alone(real_log)
        assert children() == others


def test_no_process_is_left_when_nobody_reads_on(real_log: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(real_log)
        file.flush()
        file.seek(0)
        before, others = set(os.listdir("/proc/self/fd")), children()
        found = parallel.parted(file, CLOCK, None, 4096)
        next(found)
        assert len(children() - others) == 3
        found.close()  # type: ignore[attr-defined]
        assert (set(os.listdir("/proc/self/fd")), children()) == (before, others)


def children() -> set[int]:
    """The processes that this one has started and not yet ended."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in found.split()}


def test_the_report_is_the_same(real_log: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "mail.log"
    half = real_log.index(b"\n", len(real_log) // 2) + 1
    (tmp_path / "mail.log.1").write_bytes(real_log[:half])
    log.write_bytes(real_log[half:])
    now = time.time()

    def read() -> str:
        monitor = Monitor(
            Settings(log=log, postfix=tmp_path, state=tmp_path, window=7200.0),
            instance.Postfix(Server((str(tmp_path),)), tmp_path),
            lambda: now,
        )
        return json.dumps(report.as_dict(monitor.read_once()))

    monkeypatch.setattr(parallel, "_PIECE", 5000)
    together = read()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert read() == together
    assert '"alice@example.com"' in together
    assert '"relays": [{' in together
