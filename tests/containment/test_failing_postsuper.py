"""A postsuper that breaks off in the middle, or leaves messages where they are: nothing is called done that is not.

It is the real one, which the wrapper gives only some of the ids, or kills.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bmtop.incident.selection import Filter
from bmtop.response.keep import KeepHolding
from bmtop.response.plan import no_progress
from bmtop.response.runbook import Runbook
from bmtop.server import CommandFailed
from tests.containment.conftest import Site
from tests.containment.test_keep_holding import holding
from tests.containment.test_runbook import states
from tests.mailserver import Message, Player, wait_until
from tests.mailserver.stories import ALICE, INTRUDER

SPAM = Message("spam", "winner@lottery.example", ("victim@bank.example",))
COUNT, SOME = 10, 3
BREAKS_OFF = f"head -n {SOME} | real \"$@\"; echo 'postsuper: fatal: out of luck' >&2; exit 1"
LEAVES_SOME = f'head -n {SOME} | real "$@"'
FAILS = "echo 'postsuper: fatal: out of luck' >&2; exit 1"

Script = Callable[[str, str], None]


@pytest.fixture
def script(plain_site: Site) -> Iterator[Script]:
    """Have postsuper do this, where it is run with the option."""
    folder = Path(plain_site.postfix.folder, "bin")
    folder.mkdir()
    plain_site.settings = replace(plain_site.settings, path=(str(folder), *plain_site.settings.path))
    program = folder / "postsuper"

    def write(option: str, does: str) -> None:
        program.write_text(
            '#!/bin/bash\nreal() { /usr/sbin/postsuper "$@"; }\n'
            f'[[ " $* " == *" {option} "* ]] || exec /usr/sbin/postsuper "$@"\n{does}\n'
        )
        program.chmod(0o755)

    yield write
    program.unlink(missing_ok=True)


@pytest.fixture
def runbook(plain_site: Site, script: Script) -> Runbook:
    Player(plain_site.postfix).send(INTRUDER, [SPAM] * COUNT, ALICE)
    plain_site.postfix.settle()
    return again(plain_site)


def again(here: Site) -> Runbook:
    return here.responder.runbook(here.messages, login=ALICE)


@pytest.mark.parametrize(
    ("does", "why"), [(BREAKS_OFF, "out of luck"), (LEAVES_SOME, "7 of them are still in the queue")]
)
def test_a_purge_that_left_some_is_not_done(
    plain_site: Site, runbook: Runbook, script: Script, does: str, why: str
) -> None:
    script("-d", does)
    step = runbook.run("purge")
    assert len(plain_site.postfix.queue()) == COUNT - SOME
    assert step.state == "failed"
    assert step.sentence.startswith(f"{SOME} of {COUNT} messages deleted. To bring them back: bmtop undo ")
    assert any(why in note for note in step.notes)
    assert "Not done: hold, password, sessions, cache, connections, purge (3 of 10 messages" in runbook.summary()
    (entry,) = plain_site.journal()
    assert (entry["state"], why in entry["sentence"]) == ("failed", True)
    # Come back to, it is what it was, and run again it does the rest.
    assert states(again(plain_site))["purge"] == "failed"
    script("-d", 'real "$@"')
    assert again(plain_site).run("purge").state == "done"
    assert not plain_site.postfix.queue()
    assert states(again(plain_site))["purge"] == "done"


@pytest.mark.parametrize(
    ("does", "why"), [(BREAKS_OFF, "out of luck"), (LEAVES_SOME, "7 of them are still not on hold")]
)
def test_a_hold_that_left_some_is_not_done(
    plain_site: Site, runbook: Runbook, script: Script, does: str, why: str
) -> None:
    script("-h", does)
    step = runbook.run("hold")
    assert len(plain_site.on_hold()) == SOME
    assert step.state == "failed"
    assert step.sentence == f"{SOME} of {COUNT} messages held; what comes in is held as well."
    assert f"{COUNT - SOME} left out: was not put on hold by postsuper." in step.notes
    assert any(why in note for note in step.notes)
    entry = plain_site.journal()[-1]
    assert (entry["action"], entry["state"]) == ("hold", "failed")
    assert entry["sentence"].startswith(f"{SOME} of {COUNT} messages put on hold.")
    assert why in entry["sentence"]
    assert states(again(plain_site))["hold"] == "failed"
    script("-h", 'real "$@"')
    step = runbook.run("hold")
    assert (step.state, len(plain_site.on_hold())) == ("done", COUNT)
    runbook.close()


def test_a_hold_that_held_nothing_has_failed(plain_site: Site, runbook: Runbook, script: Script) -> None:
    script("-h", FAILS)
    step = runbook.run("hold")
    assert step.state == "failed"
    assert "out of luck" in step.sentence
    assert plain_site.on_hold() == set()
    runbook.close()


def test_a_release_that_left_some_says_so(plain_site: Site, runbook: Runbook, script: Script) -> None:
    responder = plain_site.responder
    assert len(responder.hold(runbook.plan("hold"), no_progress).done) == COUNT
    script("-H", BREAKS_OFF)
    plan = replace(runbook.plan("hold"), action="release")
    outcome = responder.release(plan, no_progress)
    assert (len(outcome.done), len(plain_site.on_hold())) == (SOME, COUNT - SOME)
    assert set(outcome.left_out.values()) == {"was not released by postsuper"}
    assert "out of luck" in outcome.failure
    script("-H", FAILS)
    with pytest.raises(CommandFailed, match="out of luck"):
        responder.release(plan, no_progress)


def test_keep_holding_says_what_postsuper_leaves(plain_site: Site, script: Script) -> None:
    keep: KeepHolding = plain_site.responder.keep_holding(Filter(login=ALICE))
    script("-h", "cat > /dev/null")
    with holding(keep):
        (one,) = Player(plain_site.postfix).send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: keep.problem == "1 of them is still not on hold; hold again.")
        assert keep.held == []
        script("-h", 'real "$@"')
        wait_until(lambda: plain_site.on_hold() == {one.queue_id})
        wait_until(lambda: keep.problem == "")
    assert keep.end().sentence == f"1 message of {ALICE} put on hold."


def test_keep_holding_takes_its_time_over_what_postsuper_leaves(plain_site: Site, script: Script) -> None:
    """Each look goes through the whole queue: many a second would take the server's time, and help nobody."""
    runs = Path(plain_site.postfix.folder, "runs")
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    script("-h", f"echo >> {runs}; cat > /dev/null")
    keep.begin()
    (one,) = Player(plain_site.postfix).send(INTRUDER, [SPAM], ALICE)
    plain_site.postfix.settle()
    wait_until(lambda: keep.tick() == 0 and keep.problem)
    runs.unlink()
    said, began = set(), time.monotonic()
    for _ in range(50):
        keep.tick()
        said.add(keep.problem)
        time.sleep(0.02)
    # Each of them half a second or more after the one before.
    assert 1 <= len(runs.read_text().splitlines()) <= 1 + (time.monotonic() - began) / 0.5
    # What it says stands until it has looked again.
    assert len(said) == 1
    assert "still not on hold" in said.pop()
    script("-h", 'real "$@"')
    wait_until(lambda: keep.tick() == 1)
    assert (keep.problem, plain_site.on_hold()) == ("", {one.queue_id})
    assert keep.end().ok
