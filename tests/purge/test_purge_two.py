"""Two administrators on one server: one acts at a time, each exactly, and each sees the other in the journal."""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bmtop.response import gate
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.purge.commandline import Bmtop, labels, raw, several_links

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"


def play(player: Player, count: int = 150) -> dict[str, bytes]:
    for login in (ALICE, BOB, CAROL):
        letters = [Message(login, f"x{n}@lottery.example", (f"v{n}@bank.example",)) for n in range(count)]
        player.send(Client("203.0.113.60"), letters, login, connections=2)
    player.postfix.settle()
    return raw(player.postfix)


def waits_for(lock: Path, pid: int) -> None:
    """Wait until this process waits for the lock: then it has its list."""
    looks = 0

    def has_it_open() -> bool:
        nonlocal looks
        is_open = False
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                is_open = is_open or os.readlink(path) == str(lock)
        # It only looks at it for a moment before.
        looks = looks + 1 if is_open else 0
        return looks > 2

    wait_until(has_it_open, 30, "it has its list")


@pytest.mark.parametrize("second", [ALICE, BOB], ids=["the same login", "another login"])
def test_two_purges_at_once(postfix: Postfix, player: Player, bmtop: Bmtop, second: str) -> None:
    before = play(player)
    bmtop.state.mkdir(mode=0o700)
    with (bmtop.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = [bmtop.start("purge", "--login", login, "--yes", "--json") for login in (ALICE, second)]
        for process in running:
            waits_for(bmtop.state / "lock", process.pid)
    ended = [(process, *process.communicate(timeout=60)) for process in running]
    told = [json.loads(out) for _, out, _ in ended]
    deleted = [set(one["done"]) for one in told]
    assert not deleted[0] & deleted[1]
    assert deleted[0] | deleted[1] == {s.queue_id for s in player.sent if s.label in (ALICE, second)}
    # What the other one had deleted is left out, and said.
    for one in told:
        assert set(one["done"]) | set(one["left_out"]) == set(one["selected"])
    assert set(labels(postfix)) == {ALICE, BOB, CAROL} - {ALICE, second}
    lines = bmtop.journal()
    assert [line["state"] for line in lines] == ["begun", "done"] * 2
    assert lines[0]["number"] == lines[1]["number"] != lines[2]["number"] == lines[3]["number"]
    for one in told:
        if one["undo"]:
            assert bmtop("undo", one["undo"], "--yes").status == 0
    assert raw(postfix) == before
    assert not several_links(postfix)


def test_who_comes_second_waits_and_then_is_told(
    postfix: Postfix, player: Player, bmtop: Bmtop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = play(player, 2)
    monkeypatch.setattr(gate, "_WAIT", 0.2)
    bmtop.state.mkdir(mode=0o700)
    with (bmtop.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = bmtop("purge", "--login", ALICE, "--yes")
        assert (said.status, "Another action is running" in said.err) == (2, True)
        assert raw(postfix) == before
    assert bmtop("purge", "--login", ALICE, "--yes").status == 0


@contextmanager
def another_action(state: Path) -> Iterator[Callable[[], None]]:
    """Another console's action is running, until what is given is called."""
    with (state / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(lock, fcntl.LOCK_UN)


def test_an_undo_that_waited_for_another_action_ends_the_purge_that_was_cut_off(
    postfix: Postfix, player: Player, bmtop: Bmtop
) -> None:
    before = play(player, 3)
    purge_killed(postfix, bmtop)
    name = bmtop.journal()[0]["undo"]
    with another_action(bmtop.state) as end:
        undo = bmtop.start("undo", name, "--yes")
        waits_for(bmtop.state / "lock", undo.pid)
        end()
        assert undo.wait(30) == 0
    assert raw(postfix) == before
    # It is over: nobody is asked to finish it, which would delete them all again.
    assert "was cut off" not in bmtop("undo", "--list").err
    assert bmtop("purge", "--finish", "--yes").status == 1
    assert raw(postfix) == before


def test_the_copy_of_a_purge_that_was_cut_off_is_not_dropped_by_one_that_waited(
    postfix: Postfix, player: Player, bmtop: Bmtop
) -> None:
    before = play(player, 3)
    purge_killed(postfix, bmtop)
    name = bmtop.journal()[0]["undo"]
    # There is room for no copy, but what is in use stays.
    about = postfix.spool / "bmtop-undo" / name / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "made": 0.0}))
    with another_action(bmtop.state) as end:
        purge = bmtop.start("purge", "--login", BOB, "--yes")
        waits_for(bmtop.state / "lock", purge.pid)
        end()
        assert purge.wait(30) == 0
    for copy in (name, bmtop.journal()[-1]["undo"]):
        assert bmtop("undo", copy, "--yes").status == 0
    assert raw(postfix) == before


def test_what_is_to_be_finished_is_not_said_to_be_nothing_while_another_action_runs(
    postfix: Postfix, player: Player, bmtop: Bmtop, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(player, 3)
    purge_killed(postfix, bmtop)
    monkeypatch.setattr(gate, "_WAIT", 0.2)
    with another_action(bmtop.state):
        said = bmtop("purge", "--finish", "--yes")
    assert (said.status, "Another action is running" in said.err) == (2, True)
    assert bmtop("purge", "--finish", "--yes").status == 0


def purge_killed(postfix: Postfix, bmtop: Bmtop) -> None:
    """Have a purge of Alice's mail killed once all of it is deleted."""
    folder = postfix.folder / "bin-killed"
    folder.mkdir(exist_ok=True)
    program = folder / "postsuper"
    program.write_text('#!/bin/bash\n/usr/sbin/postsuper "$@"\n[[ " $* " == *" -d "* ]] && kill -9 $PPID\n')
    program.chmod(0o755)
    (folder / "bmtop.toml").write_text(f'path = ["{folder}", "/usr/sbin", "/usr/bin", "/bin"]\n')
    killed = Bmtop(postfix, None, "--config", str(folder / "bmtop.toml")).start("purge", "--login", ALICE, "--yes")
    assert killed.wait(30) == -signal.SIGKILL


def test_an_undo_of_a_purge_that_was_cut_off_before_its_copy_was_made(
    postfix: Postfix, player: Player, bmtop: Bmtop
) -> None:
    play(player, 1)
    purge_killed(postfix, bmtop)
    name = bmtop.journal()[0]["undo"]
    shutil.rmtree(postfix.spool / "bmtop-undo" / name)
    said = bmtop("undo", name, "--yes")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("0 messages are back")
    assert "was cut off" not in bmtop("undo", "--list").err
