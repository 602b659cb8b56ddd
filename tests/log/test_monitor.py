"""The monitor goes on, whatever happens to one of its parts, and says what is the matter until it is over."""

import asyncio
import gzip
import json
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bmtop.config import Settings
from bmtop.incident.events import Accepted, Event
from bmtop.incident.incident import Incident
from bmtop.incident.picture import Picture
from bmtop.monitor import Monitor
from bmtop.postfix import follow, instance
from bmtop.postfix.census import Census
from bmtop.server import SYSTEM_PATH, Server
from tests.log.following import append
from tests.mailserver import Player, Postfix, incident
from tests.mailserver.stories import ALICE, CAROL, OFFICE

True_ = Callable[[Picture], object]


def monitor(folder: Path, etc: Path | None = None, clock: Callable[[], float] = time.time, **settings: Any) -> Monitor:
    """A monitor of the log in this folder; programs in its `bin` come before the system's.

    Without `etc`, it is of a Postfix whose queue has no folders, whatever Postfix this system has, or has not.
    """
    found = Settings(log=folder / "mail.log", postfix=etc, state=folder / "state", **settings)
    etc = etc or _without_folders(folder)
    return Monitor(found, instance.Postfix(Server((str(folder / "bin"), *SYSTEM_PATH)), etc), clock)


def _without_folders(folder: Path) -> Path:
    main_cf = folder / "etc" / "main.cf"
    main_cf.parent.mkdir(exist_ok=True)
    main_cf.write_text(f"queue_directory = {folder / 'no-queue'}\n")
    # Postfix's programs wait for one that was changed a moment ago.
    os.utime(main_cf, (0, 0))
    return main_cf.parent


@asynccontextmanager
async def running(found: Monitor) -> AsyncGenerator[Monitor, None]:
    """Let it read; at the end it stops within a few seconds, whatever hangs."""
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)


async def until(found: Monitor, true: True_, seconds: float = 30) -> Picture:
    """Wait until it is true of the picture, and return that."""
    deadline = time.monotonic() + seconds
    while not true(picture := found.picture()):
        assert time.monotonic() < deadline, f"not so within {seconds} s: {picture.problems}"
        await asyncio.sleep(0.02)
    return picture


def stamp(ago: float = 0) -> str:
    return time.strftime("%b %e %H:%M:%S", time.localtime(time.time() - ago))


def sent(number: int, login: str = ALICE, ago: float = 0) -> str:
    """A line that says that a message came in."""
    client = "client=unknown[203.0.113.60], sasl_method=LOGIN"
    return f"{stamp(ago)} mail postfix/smtpd[1]: {number:X}20CC3D: {client}, sasl_username={login}"


def messages(picture: Picture, login: str = ALICE) -> int:
    return sum(row.messages for row in picture.senders if row.login == login)


def program(folder: Path, name: str, script: str) -> None:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def queue_of(folder: Path, count: int) -> None:
    """A postqueue that lists so many messages, and a postcat that may not read them."""
    entries = (
        {
            "queue_name": "deferred", "queue_id": f"{number:X}20CC3D", "arrival_time": int(time.time()),
            "message_size": 1000, "sender": "a@b.example", "recipients": [{"address": "c@d.example"}],
        }
        for number in range(0x1000, 0x1000 + count)
    )  # fmt: skip
    (folder / "queue").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    program(folder, "postqueue", f"exec cat {folder / 'queue'}")
    program(folder, "postcat", "echo 'postcat: fatal: permission denied' >&2; exit 1")


# On a real Postfix


async def test_the_picture_is_the_truth_and_stays_so_when_the_window_changes() -> None:
    with Postfix.temporary() as postfix:
        found = monitor(postfix.folder, postfix.etc)
        async with running(found):
            truth = await asyncio.to_thread(incident, Player(postfix), 150)
            counts = truth.counts()
            queued, of_alice = sum(truth.queued().values()), truth.queued()["spam/alice"]

            def told(picture: Picture) -> bool:
                return (
                    picture.complete
                    and messages(picture) == counts["spam/alice"]
                    and messages(picture, CAROL) == counts["honest/carol"]
                    and picture.queue is not None
                    and picture.queue.total == queued
                    and [row.queued for row in picture.senders if row.login == ALICE] == [of_alice]
                )

            first = await until(found, told)
            lines, shown = found.log_lines(0)
            for window in (3600.0, 7200.0, 86400.0, 900.0):
                found.window = window
                # The first ones are cancelled in the middle.
                await asyncio.sleep(0.01)
            assert not found.picture().complete
            again = await until(found, told)
            assert [(row.login, row.messages, row.queued) for row in again.senders] == [
                (row.login, row.messages, row.queued) for row in first.senders
            ]
            assert found.log_lines(0) == (lines, shown)
            player = Player(postfix)
            await asyncio.to_thread(player.fail_logins, OFFICE, [CAROL])
            await until(found, lambda picture: any(row.client == OFFICE.address for row in picture.failed_logins))
            assert found.log_lines(lines)[1]
            assert set(found.log_lines(lines)[1]).isdisjoint(shown)


# Faults


async def test_a_command_that_hangs_keeps_nobody_from_quitting(tmp_path: Path) -> None:
    program(tmp_path, "postqueue", "echo $$ > $(dirname $0)/pid; exec sleep 600")
    append(tmp_path / "mail.log", sent(1))
    async with running(monitor(tmp_path)) as found:
        await until(found, lambda picture: messages(picture) == 1 and (tmp_path / "bin" / "pid").exists())
        assert not found.picture().complete
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "bin" / "pid").read_text()), 0)


async def test_a_queue_that_cannot_be_listed_is_said_and_the_log_is_shown(tmp_path: Path) -> None:
    program(tmp_path, "postqueue", "echo 'postqueue: fatal: no' >&2; exit 1")
    append(tmp_path / "mail.log", sent(1))
    async with running(monitor(tmp_path)) as found:
        picture = await until(found, lambda picture: picture.complete and messages(picture) == 1)
        assert "postqueue failed: postqueue: fatal: no" in " ".join(picture.problems)
        queue_of(tmp_path, 3)
        picture = await until(found, lambda picture: len(found.messages) == 3)
        await until(found, lambda picture: "postqueue" not in " ".join(picture.problems))


async def test_an_error_that_nobody_thought_of_ends_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_of(tmp_path, 3)
    append(tmp_path / "mail.log", sent(1))
    broken = True

    def fail(what: str) -> Any:
        if broken:
            raise RuntimeError(f"nobody thought of [{what}]")
        return {"deferred": 7}

    monkeypatch.setattr("bmtop.monitor._RETRIED_AFTER", 0.05)
    take = Census.take
    monkeypatch.setattr(Census, "counts", lambda *given: fail("this"))
    monkeypatch.setattr(Census, "take", lambda *given: fail("that") and take(*given))
    async with running(monitor(tmp_path)) as found:
        words = "bmtop met an error of its own (RuntimeError: nobody thought of ["
        await until(found, lambda picture: sum(words in problem for problem in picture.problems) == 2)
        assert messages(found.picture()) == 1
        broken = False
        await until(found, lambda picture: not any(words in problem for problem in picture.problems))
        await until(found, lambda picture: picture.complete and picture.queue and picture.queue.total == 7)


async def test_a_line_that_nobody_thought_of_costs_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_of(tmp_path, 0)
    feed = Incident.feed

    def fails_for_bob(self: Incident, event: Event) -> None:
        if isinstance(event, Accepted) and event.login == "bob":
            raise KeyError("bob")
        feed(self, event)

    monkeypatch.setattr(Incident, "feed", fails_for_bob)
    append(tmp_path / "mail.log", sent(1), sent(2, "bob"), sent(3))
    async with running(monitor(tmp_path)) as found:
        picture = await until(found, lambda picture: messages(picture) == 2)
        assert "A line of the log was not counted: an error of bmtop's own (KeyError: 'bob')" in str(picture.problems)


async def test_reading_that_fails_begins_again_and_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_of(tmp_path, 0)
    append(tmp_path / "mail.log", sent(1), sent(2))
    monkeypatch.setattr("bmtop.monitor._RETRIED_AFTER", 0.05)
    failures = 0
    cut = follow._Open.cut

    def fails_a_while(self: follow._Open) -> bool:
        nonlocal failures
        failures += failures > 0
        if 1 < failures < 20:
            raise RuntimeError("a disk that is gone")
        return cut(self)

    monkeypatch.setattr(follow._Open, "cut", fails_a_while)
    async with running(monitor(tmp_path)) as found:
        await until(found, lambda picture: messages(picture) == 2)
        failures = 1
        append(tmp_path / "mail.log", sent(3))
        await until(found, lambda picture: "a disk that is gone" in str(picture.problems))
        picture = await until(found, lambda picture: messages(picture) == 3 and picture.complete)
        assert messages(picture) == 3
        await until(found, lambda picture: "a disk that is gone" not in str(picture.problems))


async def test_a_refresh_that_nobody_waits_for_any_more_is_still_counted(tmp_path: Path) -> None:
    queue_of(tmp_path, 5)
    program(tmp_path, "postqueue", f"sleep 0.3; exec cat {tmp_path / 'queue'}")
    found = monitor(tmp_path)
    refresh = asyncio.create_task(found.refresh())
    await asyncio.sleep(0.05)
    refresh.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refresh
    await found.refresh()
    assert len(found.messages) == 5
    assert found.picture().listed is not None
    assert found._told is found._incident


async def test_the_queue_is_as_of_the_moment_when_its_listing_began(tmp_path: Path) -> None:
    queue_of(tmp_path, 5)
    program(tmp_path, "postqueue", f"sleep 0.3; exec cat {tmp_path / 'queue'}")
    found = monitor(tmp_path)
    before = time.time()
    await found.refresh()
    listed = found.as_of
    assert before <= listed < before + 0.3, "what comes in while it is listed need not be in it"
    program(tmp_path, "postqueue", "exit 1")
    await found.refresh()
    assert (found.as_of, len(found.messages)) == (listed, 5), "the messages are as old as they were"


async def test_a_large_queue_is_told_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_of(tmp_path, 5000)
    program(tmp_path, "postqueue", f"exec cat {tmp_path / 'queue'}")
    most = 0
    queued = Incident.queued

    def watched(self: Incident, now: float, added: Any, gone: Any) -> None:
        nonlocal most
        most = max(most, len(added) + len(gone))
        queued(self, now, added, gone)

    monkeypatch.setattr(Incident, "queued", watched)
    found = monitor(tmp_path)
    await found.refresh()
    assert len(found.messages) == 5000
    queue_of(tmp_path, 1)
    await found.refresh()
    assert len(found.messages) == 1
    assert 0 < most <= 500


async def test_an_old_log_that_is_broken_is_said_until_the_window_no_longer_reaches_there(tmp_path: Path) -> None:
    queue_of(tmp_path, 0)
    append(tmp_path / "mail.log", sent(1, ago=60))
    old = tmp_path / "mail.log.1.gz"
    old.write_bytes(gzip.compress(sent(2, ago=1000).encode() * 999)[:-20])
    os.utime(old, (time.time() - 1000,) * 2)
    async with running(monitor(tmp_path, window=3600.0)) as found:
        picture = await until(found, lambda picture: picture.complete)
        assert f"{old} cannot be read (not whole, or no gzip file)" in str(picture.problems)
        found.window = 300.0
        picture = await until(found, lambda picture: picture.complete)
        assert "cannot be read" not in str(picture.problems)


async def test_a_log_of_another_time_zone_is_said(tmp_path: Path) -> None:
    queue_of(tmp_path, 0)
    append(tmp_path / "mail.log", sent(1))
    async with running(monitor(tmp_path)) as found:
        await until(found, lambda picture: picture.complete)
        append(tmp_path / "mail.log", sent(2, ago=5 * 3600))
        picture = await until(found, lambda picture: "which is not the time here" in str(picture.problems))
        assert "see whether clock and time zone (TZ) are right" in str(picture.problems)
        append(tmp_path / "mail.log", sent(3))
        await until(found, lambda picture: "which is not the time here" not in str(picture.problems))


async def test_no_log_at_all_is_said_and_the_queue_is_shown(tmp_path: Path) -> None:
    queue_of(tmp_path, 3)
    async with running(monitor(tmp_path)) as found:
        picture = await until(found, lambda picture: picture.complete and len(found.messages) == 3)
        assert f"There is no log {tmp_path / 'mail.log'} yet" in str(picture.problems)
        append(tmp_path / "mail.log", sent(1))
        picture = await until(found, lambda picture: messages(picture) == 1)
        assert "There is no log" not in str(picture.problems)


def watches() -> int:
    """How many inotify instances this process has."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += os.readlink(path) == "anon_inode:inotify"
    return found


async def test_a_reading_that_is_begun_anew_gives_back_what_it_watched_with(tmp_path: Path) -> None:
    queue_of(tmp_path, 0)
    append(tmp_path / "mail.log", *(sent(number) for number in range(3)))
    before = watches()
    async with running(monitor(tmp_path)) as found:
        await until(found, lambda picture: picture.complete)
        for number in range(8):
            found.window = 300.0 * (1 + number % 3)
            # It has begun to look for the beginning of the window.
            await asyncio.sleep(0)
        await until(found, lambda picture: picture.complete and messages(picture) == 3)
        assert watches() == before + 1
    assert watches() == before
