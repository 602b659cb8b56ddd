"""Two administrators on one server: one acts at a time, each exactly, and each sees the other in the journal."""

import fcntl
import json
import os
from contextlib import suppress
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
