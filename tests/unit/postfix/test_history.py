"""Going back in the log: from where on it is read, and which rotated files; nothing left out, nothing twice."""

import gzip
import io
import os
import random
import re
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.postfix.history import BLOCK, LONGEST_LINE, WholeLines, earlier, identity, offset_of, rotated, whole_lines
from bmtop.postfix.logtime import LogClock

NOW = datetime(2026, 11, 24, 14, tzinfo=timezone.utc).timestamp()
CLOCK = LogClock(lambda: NOW)
LATE = 30


def stamped(moment: float, text: str = "mail postfix/qmgr[1]: 1083520CC3D: removed") -> bytes:
    return f"{datetime.fromtimestamp(moment, timezone.utc).isoformat()} {text}\n".encode()


def moment_of(line: bytes) -> float | None:
    """The time of a line, as one reads it; None for one without."""
    found = re.match(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00(?= )", line)
    return datetime.fromisoformat(found[0].decode()).timestamp() if found else None


def read_from(log: bytes, since: float) -> list[bytes]:
    """The lines that are read of this log when only what is of `since` or later is wanted."""
    file = io.BytesIO(log)
    offset = offset_of(file, since, CLOCK)
    assert offset == 0 or log[offset - 1 : offset] == b"\n"
    file.seek(offset)
    return b"".join(whole_lines(file)).splitlines(keepends=True)


def wanted(lines: list[bytes], since: float) -> list[bytes]:
    return [line for line in lines if (moment := moment_of(line)) is not None and moment >= since]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), count=st.integers(0, 900), span=st.sampled_from((10, 600, 90_000)), data=st.data())
def test_every_line_of_the_window_is_read_on_every_size(seed: int, count: int, span: int, data: st.DataObject) -> None:
    chance = random.Random(seed)
    lines: list[bytes] = []
    for number in range(count):
        moment = NOW - span + span * number // count
        match chance.randrange(30):
            case 0:
                lines.append(b"no time stamp\n" * chance.randrange(9) or b"\n")
            case 1:
                lines.append(stamped(moment, "x" * chance.choice((BLOCK - 30, BLOCK, 3 * BLOCK))))
            case 2:
                lines.append(stamped(moment - chance.randrange(LATE + 1)))
            case 3:
                lines.append(chance.randbytes(40).replace(b"\n", b"") + b"\n")
            case _:
                lines.append(stamped(moment, "x" * chance.randrange(300)))
    log = b"".join(lines)
    since = NOW - data.draw(st.integers(-10, span + 10))
    whole = log.splitlines(keepends=True)
    found = read_from(log, since)
    assert whole[len(whole) - len(found) :] == found
    assert wanted(found, since) == wanted(whole, since)


@pytest.mark.parametrize("since", [NOW - 99_000, NOW - 50_000, NOW - 900, NOW - 1, NOW + 1000])
def test_little_more_is_read_than_the_window(since: float) -> None:
    lines = [stamped(NOW - 99_000 + second) for second in range(99_000)]
    found = read_from(b"".join(lines), since)
    assert len(found) <= len(wanted(lines, since)) + LATE + 2 * (1 << 14) // len(lines[0])


def test_a_large_log_is_searched_not_read(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    with log.open("wb") as file:
        for minute in range(2000):
            file.write(stamped(NOW - 120_000 + 60 * minute, "x" * 200) * 150)
    before = bytes_read()
    with log.open("rb") as file:
        file.seek(offset_of(file, NOW - 900, CLOCK))
        found = b"".join(whole_lines(file)).splitlines(keepends=True)
    assert len(wanted(found, NOW - 900)) == 15 * 150
    assert bytes_read() - before < log.stat().st_size / 20


def bytes_read() -> int:
    """How many bytes this process has read so far, as the kernel counts (proc(5), /proc/pid/io)."""
    counted = re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())
    assert counted
    return int(counted[1])


def test_no_log_and_no_stamps_are_read_whole() -> None:
    assert read_from(b"", NOW) == []
    assert read_from(b"x\n", NOW) == [b"x\n"]
    assert len(read_from(b"no time stamp\n" * 100_000, NOW)) <= 100_000


def test_the_text_of_a_long_line_is_never_taken_for_a_stamp() -> None:
    # What a sender chose stands just where a piece of the line begins when it is read in pieces.
    old = stamped(NOW - 5000)
    piece = BLOCK - len(stamped(NOW - 4000, "")) + 1
    long_line = stamped(NOW - 4000, "x" * piece + stamped(NOW).decode().strip() * 3000)
    lines = [old] * 2000 + [long_line] + [old] * 2000 + [stamped(NOW - 10)]
    assert read_from(b"".join(lines), NOW - 100)[-1] == lines[-1]
    assert wanted(read_from(b"".join(lines), NOW - 100), NOW - 100) == [lines[-1]]


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.sampled_from((b"a", b"bc", b"\n", b"\r\n", b"\xff")), max_size=60), data=st.data())
def test_pieces_become_the_lines_that_they_were(text: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    lines = WholeLines()
    read = [lines.add(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert b"".join(read) == whole[: whole.rfind(b"\n") + 1]
    assert all(block == b"" or block.endswith(b"\n") for block in read)
    assert lines.waiting == len(whole) - len(b"".join(read))


def test_a_line_that_would_fill_the_memory_is_dropped_and_no_piece_of_it_is_a_line() -> None:
    huge = b"x" * (2 * LONGEST_LINE) + stamped(NOW)
    assert b"".join(whole_lines(io.BytesIO(b"a\n" + huge + b"b\n" + huge))) == b"a\nb\n"


def test_a_hole_before_a_line_is_passed_over() -> None:
    assert b"".join(whole_lines(io.BytesIO(b"\0" * (3 * LONGEST_LINE) + b"a\n" + b"\0" * 9 + b"b\n"))).split() == [
        b"a",
        b"\0" * 9 + b"b",
    ]


def test_a_last_line_without_its_end_is_none_yet() -> None:
    assert b"".join(whole_lines(io.BytesIO(b"a\nsasl_username=al"))) == b"a\n"
    assert b"".join(whole_lines(io.BytesIO(b"a\nb\nc\n"), end=4)) == b"a\nb\n"


# Rotated files


def test_the_names_of_logrotate_newest_first(tmp_path: Path) -> None:
    ours = "mail.log mail.log.1 mail.log.2 mail.log.2.gz mail.log.3.gz mail.log.10.gz"
    others = "mail.log.old mail.log.gz mail.log.1.bak mail.err mail.err.1 xmail.log.1 mail-log.1"
    for name in (*ours.split(), *others.split()):
        (tmp_path / name).touch()
    names = [path.name for path in rotated(tmp_path / "mail.log")]
    assert names == ["mail.log.1", "mail.log.2", "mail.log.3.gz", "mail.log.10.gz"]


def test_the_dated_names_of_logrotate_newest_first(tmp_path: Path) -> None:
    names = ["maillog-20261124", "maillog-20261117.gz", "maillog-20261110.gz", "maillog-20251231-1767200000.gz"]
    for name in [*names, "maillog-x", "maillog"]:
        (tmp_path / name).touch()
    assert [path.name for path in rotated(tmp_path / "maillog")] == names
    assert rotated(tmp_path / "nowhere" / "maillog") == []


def write(path: Path, first: float, last: float, step: float = 60) -> list[bytes]:
    """Write a log with a line each step from `first` to before `last`; return its lines."""
    lines = [stamped(first + step * number, f"{path.name} {number}") for number in range(int((last - first) / step))]
    whole = b"".join(lines)
    path.write_bytes(gzip.compress(whole) if path.suffix == ".gz" else whole)
    os.utime(path, (last, last))
    return lines


def back(log: Path, since: float, problems: list[str] | None = None) -> list[bytes]:
    """The lines that are read of the rotated files."""
    said = [] if problems is None else problems
    with log.open("rb") as file:
        known = {identity(os.fstat(file.fileno()))}
        blocks = earlier(log, since, CLOCK, known, lambda path, why: said.append(f"{path.name}: {why}"))
        return b"".join(blocks).splitlines(keepends=True)


HOUR = 3600.0


@pytest.mark.parametrize("names", [("{}.1", "{}.2.gz", "{}.3.gz"), ("{}-20261124", "{}-20261123.gz", "{}-20261122.gz")])
@pytest.mark.parametrize("hours", [0.1, 1, 1.5, 2, 2.5, 9])
def test_the_window_reaches_back_through_the_rotated_files_in_order(
    tmp_path: Path, names: tuple[str, ...], hours: float
) -> None:
    log = tmp_path / "mail.log"
    newest, middle, oldest = (tmp_path / name.format(log.name) for name in names)
    write(log, NOW - HOUR, NOW)
    lines = [
        *write(oldest, NOW - 4 * HOUR, NOW - 3 * HOUR),
        *write(middle, NOW - 3 * HOUR, NOW - 2 * HOUR),
        *write(newest, NOW - 2 * HOUR, NOW - HOUR),
    ]
    found = back(log, NOW - hours * HOUR)
    assert found == sorted(found) or names[0] == "{}.1"
    assert lines[len(lines) - len(found) :] == found
    assert wanted(found, NOW - hours * HOUR) == wanted(lines, NOW - hours * HOUR)


def test_files_whose_dates_were_lost_in_a_copy_are_read_in_order(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    older = write(tmp_path / "mail.log.2.gz", NOW - 3 * HOUR, NOW - 2 * HOUR)
    newer = write(tmp_path / "mail.log.1", NOW - 2 * HOUR, NOW - HOUR)
    for path in tmp_path.iterdir():
        os.utime(path, (NOW, NOW))
    assert back(log, NOW - 9 * HOUR) == older + newer
    assert wanted(back(log, NOW - 1.5 * HOUR), NOW - 1.5 * HOUR) == wanted(newer, NOW - 1.5 * HOUR)


def test_no_old_file_is_opened_that_cannot_reach_into_the_window(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    write(tmp_path / "mail.log.1", NOW - 2 * HOUR, NOW - HOUR)
    (tmp_path / "mail.log.2.gz").write_bytes(b"no gzip file at all")
    problems: list[str] = []
    back(log, NOW - 1.5 * HOUR, problems)
    assert problems == []
    back(log, NOW - 9 * HOUR, problems)
    assert problems == ["mail.log.2.gz: not whole, or no gzip file"]


def test_a_file_that_cannot_be_read_hides_no_other_one(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    newer = write(tmp_path / "mail.log.1", NOW - 2 * HOUR, NOW - HOUR)
    cut = write(tmp_path / "mail.log.2.gz", NOW - 3 * HOUR, NOW - 2 * HOUR)
    older = write(tmp_path / "mail.log.3.gz", NOW - 4 * HOUR, NOW - 3 * HOUR)
    whole = (tmp_path / "mail.log.2.gz").read_bytes()
    (tmp_path / "mail.log.2.gz").write_bytes(whole[: len(whole) - 30])
    problems: list[str] = []
    found = back(log, NOW - 9 * HOUR, problems)
    assert found[: len(older)] == older
    assert found[-len(newer) :] == newer
    assert set(found) <= {*older, *cut, *newer}
    assert problems == ["mail.log.2.gz: not whole, or no gzip file"]


def test_a_pipe_among_the_old_files_is_named_and_not_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    os.mkfifo(tmp_path / "mail.log.1")
    lines = write(tmp_path / "mail.log.2", NOW - 3 * HOUR, NOW - 2 * HOUR)
    problems: list[str] = []
    assert back(log, NOW - 9 * HOUR, problems) == lines
    assert problems == ["mail.log.1: it is a pipe"]


def test_nothing_is_read_twice_while_the_log_is_rotated(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    current = write(log, NOW - HOUR, NOW)
    older = write(tmp_path / "mail.log.1", NOW - 2 * HOUR, NOW - HOUR)
    with log.open("rb") as file:
        known = {identity(os.fstat(file.fileno()))}
        # It is rotated after the log was opened, and before the older files are.
        (tmp_path / "mail.log.1").rename(tmp_path / "mail.log.2")
        log.rename(tmp_path / "mail.log.1")
        log.touch()
        assert b"".join(earlier(log, NOW - 9 * HOUR, CLOCK, known)).splitlines(keepends=True) == older
        assert b"".join(whole_lines(file)).splitlines(keepends=True) == current


def test_a_rotation_in_the_middle_of_reading_changes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    older = write(tmp_path / "mail.log.2", NOW - 3 * HOUR, NOW - 2 * HOUR, step=0.5)
    newer = write(tmp_path / "mail.log.1", NOW - 2 * HOUR, NOW - HOUR)
    with log.open("rb") as file:
        blocks = earlier(log, NOW - 9 * HOUR, CLOCK, {identity(os.fstat(file.fileno()))})
        found = next(blocks)
        (tmp_path / "mail.log.2").unlink()
        (tmp_path / "mail.log.1").rename(tmp_path / "mail.log.2")
        found += b"".join(blocks)
    assert found.splitlines(keepends=True) == older + newer


def test_a_copy_of_the_log_that_is_not_cut_yet_is_not_read_as_well(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW, step=10)
    shutil.copy2(log, tmp_path / "mail.log.1")
    older = write(tmp_path / "mail.log.2.gz", NOW - 2 * HOUR, NOW - HOUR)
    assert back(log, NOW - 9 * HOUR) == older


def test_a_file_that_is_being_compressed_is_read_once(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, NOW - HOUR, NOW)
    older = write(tmp_path / "mail.log.2", NOW - 2 * HOUR, NOW - HOUR)
    write(tmp_path / "mail.log.2.gz", NOW - 2 * HOUR, NOW - 1.5 * HOUR)
    assert back(log, NOW - 9 * HOUR) == older


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(
        st.sampled_from((1, 9, LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 2 * LONGEST_LINE)), max_size=4
    ),
    piece=st.sampled_from((BLOCK, 1 << 15, 999_983)),
)
def test_which_line_is_too_long_does_not_depend_on_the_pieces(sizes: list[int], piece: int) -> None:
    whole = b"".join(b"x" * (size - 1) + b"\n" for size in sizes)
    lines = WholeLines()
    read = b"".join(lines.add(whole[at : at + piece]) for at in range(0, len(whole), piece))
    assert [len(line) for line in read.splitlines(keepends=True)] == [size for size in sizes if size <= LONGEST_LINE]
