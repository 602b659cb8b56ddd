"""The log is rotated while it is written to: no line is lost, and none is read twice."""

import asyncio
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bmtop.postfix import follow
from tests.log.following import append, following
from tests.log.writer import line


def writer(log: Path, *how: object) -> "subprocess.Popen[bytes]":
    command = (sys.executable, "-m", "tests.log.writer", str(log), *map(str, how))
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def numbers(lines: list[bytes]) -> list[int]:
    """The numbers of the lines, in order; each line is as it was written."""
    found = [int(text.split()[5]) for text in lines]
    assert lines == [line(number)[:-1] for number in found]
    return sorted(found)


@pytest.mark.parametrize(("how", "count", "every"), [("rename", 1_000_000, 40_000), ("twice", 150_000, 20_000)])
async def test_a_log_renamed_under_load_is_read_once_and_whole(
    tmp_path: Path, how: str, count: int, every: int
) -> None:
    log = tmp_path / "mail.log"
    log.touch()
    async with following(log) as found:
        process = writer(log, count, how, every)
        await found.until(lambda: process.poll() is not None and found.at_rest >= count, 60)
    between = [text for text in found.lines if text == b"between"]
    assert len(between) == (count // every if how == "twice" else 0)
    read = numbers([text for text in found.lines if text != b"between"])
    # Not one list beside the other: what differs in a million lines would be looked for until tomorrow.
    assert (len(read), len(set(read)), read[0], read[-1]) == (count, count, 0, count - 1)
    assert len(list(tmp_path.iterdir())) > count // every


async def test_one_more_rotation_while_the_rotated_files_are_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, rotations = tmp_path / "mail.log", 0

    def rotate(newest: str) -> None:
        nonlocal rotations
        for number in range(rotations, 0, -1):
            log.with_name(f"mail.log.{number}").rename(log.with_name(f"mail.log.{number + 1}"))
        log.rename(log.with_name("mail.log.1"))
        rotations += 1
        append(log, newest)

    class Opened(follow._Open):
        def __init__(self, path: Path, offset: int = 0) -> None:
            if path.name == "mail.log.1" and rotations == 2:
                rotate("d")
            super().__init__(path, offset)

    append(log, "a")
    async with following(log) as found:
        await found.until_lines("a")
        monkeypatch.setattr(follow, "_Open", Opened)
        # Twice in a moment, so that the follower has to look for the file in between.
        rotate("b")
        rotate("c")
        await found.until(lambda: found.at_rest >= 4)
    assert rotations == 3
    assert found.lines == [b"a", b"b", b"c", b"d"]


async def test_a_log_copied_and_cut_under_load_is_read_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "cut 0")
    count = 300_000
    async with following(log) as found:
        process = writer(log, count, "copytruncate")
        assert process.stdin
        looked_at = 0

        def is_read(line: bytes) -> bool:
            nonlocal looked_at
            first, looked_at = looked_at, len(found.lines)
            return line in found.lines[first:]

        for cut in range(6):
            # It is rotated again once the first line was read of what came after the time before.
            await found.until(partial(is_read, b"cut %d" % cut))
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.stdin.close()
        await asyncio.to_thread(process.wait)
        last = log.read_bytes().splitlines()[-1]
        await found.until(lambda: found.lines[-1] == last)
    written = numbers([text for text in found.lines if not text.startswith(b"cut")])
    assert written == list(range(int(last.split()[5]) + 1))
    assert len(written) >= count


async def test_lines_that_come_late_to_the_old_file_are_read(tmp_path: Path) -> None:
    log, old = tmp_path / "mail.log", tmp_path / "mail.log.1"
    append(log, "a")
    async with following(log) as found:
        log.rename(old)
        append(old, "late 1")
        await found.until_lines("a", "late 1")
        append(log, "new 1")
        await found.until_lines("a", "late 1", "new 1")
        append(old, "late 2")
        await found.until_lines("a", "late 1", "new 1", "late 2")


async def test_lines_that_come_late_to_a_file_renamed_just_before_the_start_are_read(tmp_path: Path) -> None:
    log, old = tmp_path / "mail.log", tmp_path / "mail.log.1"
    append(old, "a")
    append(log, "b")
    async with following(log) as found:
        await found.until_lines("a", "b")
        append(old, "late")
        await found.until_lines("a", "b", "late")


async def test_the_file_between_two_quick_rotations_is_read(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    async with following(log) as found:
        found.held.clear()
        append(log, "b")
        log.rename(tmp_path / "mail.log.1")
        append(log, "c")
        (tmp_path / "mail.log.1").rename(tmp_path / "mail.log.2")
        log.rename(tmp_path / "mail.log.1")
        append(log, "d")
        found.held.set()
        await found.until_lines("a", "b", "c", "d")


async def test_lines_written_just_before_the_log_was_cut_are_read_from_the_copy(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    async with following(log) as found:
        found.held.clear()
        append(log, "b")
        shutil.copyfile(log, tmp_path / "mail.log.1")
        with log.open("r+b") as file:
            file.truncate()
        append(log, "c")
        found.held.set()
        await found.until_lines("a", "b", "c")


async def test_a_log_cut_under_a_writer_that_keeps_its_place_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    with log.open("wb", buffering=0) as file:
        file.write(b"a" * 3_000_000 + b"\nb\n")
        async with following(log) as found:
            await found.until(lambda: b"b" in found.lines)
            file.truncate(0)
            file.write(b"c\nd\n")
            await found.until(lambda: b"d" in found.lines)
            assert found.lines[-3:] == [b"b", b"c", b"d"]


@pytest.mark.parametrize("same", [True, False])
async def test_a_log_that_is_cut_and_written_anew_to_the_same_size_is_read_anew(tmp_path: Path, same: bool) -> None:
    log = tmp_path / "mail.log"
    ending = "status=deferred (deferred transport)"
    append(log, f"1 {ending}", f"2 {ending}")
    async with following(log) as found:
        await found.until_lines(f"1 {ending}", f"2 {ending}")
        found.held.clear()
        with log.open("r+b") as file:
            file.truncate()
            file.write(b"".join(b"%d %s\n" % (n, ending.encode()) for n in ((3, 4) if same else (3, 4, 5))))
        found.held.set()
        more = [f"{number} {ending}" for number in ((3, 4) if same else (3, 4, 5))]
        await found.until_lines(f"1 {ending}", f"2 {ending}", *more)


async def test_a_log_that_is_moved_back_is_not_read_twice(tmp_path: Path) -> None:
    log, old = tmp_path / "mail.log", tmp_path / "mail.log.1"
    append(log, "a")
    async with following(log) as found:
        log.rename(old)
        append(log, "b")
        await found.until_lines("a", "b")
        log.unlink()
        old.rename(log)
        append(log, "c")
        await found.until_lines("a", "b", "c")


async def test_the_old_file_is_left_once_nobody_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    async with following(log) as found:
        for number in range(5):
            log.rename(tmp_path / f"mail.log.{5 - number}")
            append(log, str(number))
            await found.until(lambda number=number: str(number).encode() in found.lines)  # type: ignore[misc]
        assert len(found.follower.identities) == 6
        monkeypatch.setattr(follow, "_OLD_KEPT", -1.0)
        await found.until(lambda: len(found.follower.identities) == 1)
        append(log, "last")
        await found.until_lines("a", "0", "1", "2", "3", "4", "last")


async def test_only_what_is_of_the_window_is_read_at_the_start(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    now = time.time()
    stamps = [time.strftime("%b %e %H:%M:%S", time.localtime(now - ago)) for ago in range(20_000, 0, -1)]
    append(log, *(f"{stamp} mail x" for stamp in stamps))
    async with following(log, now - 600) as found:
        assert found.lines[-600:] == [f"{stamp} mail x".encode() for stamp in stamps[-600:]]
        assert len(found.lines) < 2500
    async with following(log, None) as found:
        assert found.lines == []
        append(log, "new")
        await found.until_lines("new")


async def test_every_event_wakes_it_and_nothing_else_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_POLL", 3600.0)
    log = tmp_path / "mail.log"
    append(log, "a")
    async with following(log) as found:
        append(log, "b")
        await found.until_lines("a", "b")
        log.rename(tmp_path / "mail.log.1")
        append(log, "c")
        await found.until_lines("a", "b", "c")
        append(log, "d")
        await found.until_lines("a", "b", "c", "d")
