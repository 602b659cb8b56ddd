"""The log is missing, replaced, or may not be read, and inotify is used up: it is said, and followed all the same."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmtop.postfix.follow import LogFollower
from bmtop.postfix.logtime import LogClock
from tests.log.following import Following, append, following

NOBODY = 65534


async def until_problem(found: Following, words: str) -> None:
    """Wait for a problem with these words, or for none."""
    await found.until(lambda: words in found.follower.problem if words else not found.follower.problem)


async def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    async with following(log) as found:
        assert f"There is no log {log} yet" in found.follower.problem
        append(log, "a", "b")
        await found.until_lines("a", "b")
        assert found.follower.problem == ""


async def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "var" / "log" / "mail.log"
    async with following(log) as found:
        assert "There is no log" in found.follower.problem
        log.parent.mkdir(parents=True)
        append(log, "a")
        await found.until_lines("a")
        append(log, "b")
        await found.until_lines("a", "b")


async def test_a_log_that_is_removed_is_read_on_until_there_is_a_new_one(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    with log.open("a") as daemon:
        async with following(log) as found:
            log.unlink()
            await until_problem(found, "There is no log")
            print("b", file=daemon, flush=True)
            await found.until_lines("a", "b")
            append(log, "c")
            await found.until_lines("a", "b", "c")
            assert found.follower.problem == ""
            print("d", file=daemon, flush=True)
            await found.until_lines("a", "b", "c", "d")


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "dangling"])
async def test_what_is_no_file_is_not_read_and_said(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    async with following(log) as found:
        log.unlink()
        match kind:
            case "folder":
                log.mkdir()
            case "fifo":
                os.mkfifo(log)
            case "device":
                log.symlink_to("/dev/zero")
            case "dangling":
                log.symlink_to(tmp_path / "nowhere")
        await until_problem(found, "There is no log" if kind == "dangling" else "is no file")
        log.rmdir() if kind == "folder" else log.unlink()
        append(log, "b")
        await found.until_lines("a", "b")
        assert found.follower.problem == ""


async def test_a_log_that_is_a_link_is_followed_and_its_new_target_as_well(tmp_path: Path) -> None:
    log, first, second = tmp_path / "mail.log", tmp_path / "first", tmp_path / "second"
    append(first, "a")
    append(second, "b")
    log.symlink_to(first)
    async with following(log) as found:
        log.unlink()
        log.symlink_to(second)
        await found.until_lines("a", "b")
        append(second, "c")
        await found.until_lines("a", "b", "c")


@contextmanager
def without_rights() -> Iterator[None]:
    """Read and write as user nobody for a while."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


async def test_a_log_that_may_not_be_read_is_said_and_read_once_it_may(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o005)
    log = tmp_path / "mail.log"
    append(log, "a")
    log.chmod(0o600)
    with without_rights():
        async with following(log) as found:
            assert f"The log {log} cannot be read (permission denied); run `sudo bmtop`" in found.follower.problem
            os.seteuid(0)
            log.chmod(0o644)
            os.seteuid(NOBODY)
            await found.until_lines("a")
            assert found.follower.problem == ""


async def test_a_queue_of_events_that_runs_over_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    async with following(log) as found:
        found.held.clear()
        append(log, "b")
        other, elsewhere = tmp_path / "other", tmp_path / "elsewhere" / "other"
        elsewhere.parent.mkdir()
        other.touch()
        for _ in range(limit // 2 + 500):
            os.rename(other, elsewhere)
            os.rename(elsewhere, other)
        log.rename(tmp_path / "mail.log.1")
        append(tmp_path / "mail.log.1", "c")
        append(log, "d")
        found.held.set()
        await found.until_lines("a", "b", "c", "d")
        append(log, "e")
        await found.until_lines("a", "b", "c", "d", "e")


USED_UP = """
    import asyncio, sys
    from pathlib import Path
    from tests.log.following import append, following

    async def follow(log):
        append(log, "a")
        async with following(log) as found:
            append(log, "b")
            await found.until_lines("a", "b")
            log.rename(log.with_name("mail.log.1"))
            append(log.with_name("mail.log.1"), "c")
            append(log, "d")
            await found.until_lines("a", "b", "c", "d")

    Path("/proc/sys/user/{limit}").write_text("{most}")
    asyncio.run(follow(Path(sys.argv[1])))
    print("followed")
"""


@pytest.mark.parametrize(
    ("limit", "most"), [("max_inotify_instances", 0), ("max_inotify_watches", 0), ("max_inotify_watches", 1)]
)
def test_where_inotify_is_used_up_the_log_is_followed_all_the_same(tmp_path: Path, limit: str, most: int) -> None:
    # In a user namespace of its own, so that nobody else feels the limit (user_namespaces(7)).
    program = textwrap.dedent(USED_UP).format(limit=limit, most=most)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", program, str(tmp_path / "mail.log")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("followed\n", "")


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def test_all_is_closed_at_the_end_wherever_that_is(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a")
    before = open_files()
    async with following(log) as found:
        for number in range(9):
            log.rename(tmp_path / f"mail.log.{9 - number}")
            append(log, f"{number}")
            await found.until(lambda number=number: b"%d" % number in found.lines)  # type: ignore[misc]
        assert len(open_files() - before) > 9
    assert open_files() == before
    async with following(log) as found:
        found.held.clear()
        append(log, "b")
    assert open_files() == before
    follower = LogFollower(log)
    follower.start(0.0, LogClock())
    follower.close()
    assert open_files() == before


async def test_a_line_in_pieces_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    async with following(log) as found:
        with log.open("a") as daemon:
            for piece in ("sasl_username=al", "ice@example", ".com\nb", "\n"):
                at_rest = found.at_rest
                daemon.write(piece)
                daemon.flush()
                await asyncio.sleep(0)
                if piece.endswith("\n"):
                    await found.until(lambda: found.at_rest > at_rest)  # noqa: B023
        await found.until_lines("sasl_username=alice@example.com", "b")


async def test_a_huge_line_is_passed_over_and_the_next_one_is_not(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    append(log, "a", "x" * 3_000_000, "y" * 900_000, "b")
    async with following(log) as found:
        await found.until_lines("a", "y" * 900_000, "b")
        append(log, "z" * 3_000_000)
        append(log, "c")
        await found.until_lines("a", "y" * 900_000, "b", "c")
