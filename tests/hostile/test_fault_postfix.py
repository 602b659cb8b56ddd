"""Postfix is stopped, started, reconfigured, and loses its queue's folder, while bmtop looks on and acts."""

import asyncio
import shutil
from collections.abc import Iterator

import pytest

from bmtop.incident.picture import Picture
from tests.hostile.programs import on
from tests.hostile.programs import run as bmtop
from tests.log.test_monitor import messages, monitor, running, until
from tests.mailserver import Message, Player, Postfix, incident
from tests.mailserver.postfix import run
from tests.mailserver.stories import ALICE, BROKEN_RELAY, CAROL, OFFICE


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        incident(Player(postfix), 40)
        yield postfix


def total(picture: Picture) -> int:
    return -1 if picture.queue is None else picture.queue.total


def is_trusted(picture: Picture) -> bool:
    (row,) = [row for row in picture.relays if row.client == BROKEN_RELAY.address]
    return not row.untrusted


def control(postfix: Postfix, word: str) -> None:
    run("postfix", "-c", str(postfix.etc), word)


async def test_stopped_and_started_again_nothing_is_lost_or_counted_twice(postfix: Postfix) -> None:
    found = monitor(postfix.folder, postfix.etc, window=3600.0)
    async with running(found):
        queued = len(postfix.queue())
        first = await until(found, lambda p: p.complete and total(p) == queued and messages(p) > 0)
        # With nobody else to do so, postsuper opens the log itself, as user postfix.
        shutil.chown(postfix.log, "postfix")
        await asyncio.to_thread(control, postfix, "stop")
        await found.refresh()
        down = await until(found, lambda p: p.complete)
        assert (total(down), down.problems) == (queued, ()), "root sees the queue of a Postfix that is down"
        held = await asyncio.to_thread(bmtop, on(postfix, "hold", f"--login={ALICE}", "--yes"))
        assert held.returncode == 0, held.stderr
        await asyncio.to_thread(control, postfix, "start")
        letter = Message("honest", CAROL, ("buyer@customer.example",))
        await asyncio.to_thread(Player(postfix).send, OFFICE, [letter], CAROL)
        after = await until(found, lambda p: messages(p, CAROL) == messages(first, CAROL) + 1)
        assert messages(after) == messages(first)
        await until(found, lambda p: total(p) == len(postfix.queue()))
        assert found.picture().problems == ()


async def test_reconfigured_who_is_trusted_is_judged_anew(postfix: Postfix) -> None:
    found = monitor(postfix.folder, postfix.etc, window=3600.0)
    async with running(found):
        await until(found, lambda p: p.complete and total(p) > 0 and is_trusted(p))
        await asyncio.to_thread(postfix.postconf, mynetworks="127.0.0.0/8")
        picture = await until(found, lambda p: not is_trusted(p))
        assert messages(picture) > 0
        await asyncio.to_thread(postfix.postconf, mynetworks="127.0.0.0/8, 192.0.2.0/24")
        await until(found, lambda p: is_trusted(p))
        main_cf = postfix.etc / "main.cf"
        text = main_cf.read_text()
        main_cf.unlink()
        picture = await until(found, lambda p: "main.cf" in " ".join(p.problems))
        assert messages(picture) > 0
        main_cf.write_text(text)
        await until(found, lambda p: p.problems == () and is_trusted(p))


async def test_without_the_queues_folder_that_is_said_and_the_log_goes_on(postfix: Postfix) -> None:
    found = monitor(postfix.folder, postfix.etc, window=3600.0)
    async with running(found):
        queued = len(postfix.queue())
        first = await until(found, lambda p: p.complete and total(p) == queued and messages(p) > 0)
        gone = postfix.spool.with_name("gone")
        postfix.spool.rename(gone)
        try:
            picture = await until(found, lambda p: bool(p.problems))
            assert messages(picture) == messages(first)
            listed = picture.listed
            assert await found.refresh() != ""
            assert found.picture().listed == listed, "what failed is no listing"
            found.window = 7200.0
            anew = await until(found, lambda p: p.complete and p.window == 7200.0 and total(p) == queued)
            assert anew.listed == listed
            for action in ("purge", "hold", "release"):
                done = await asyncio.to_thread(bmtop, on(postfix, action, f"--login={ALICE}", "--yes"))
                assert done.returncode in (2, 4), done.stderr
                assert done.stdout == ""
                assert "itself failed" not in done.stderr
            assert not postfix.spool.exists(), "nothing makes it anew"
        finally:
            gone.rename(postfix.spool)
        await until(found, lambda p: p.problems == () and total(p) == queued)
