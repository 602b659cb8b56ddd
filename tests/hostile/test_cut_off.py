"""bmtop is ended in the middle of an action: the action comes to its end, or the journal knows that it did not.

Purge, whose undo copies are a matter of their own, is in tests/purge. Judged by the queue, by BlueMind's stand-in,
and by the journal's lines as they are on disk.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bluemind.bm_cli_standin import Standin
from tests.hostile.barrier import Barrier
from tests.hostile.programs import is_alive, on, run
from tests.hostile.pty import Pty
from tests.hostile.spam import ALICE, COUNT, spammed
from tests.mailserver import Postfix, wait_until

KILL, HUP, TERM = signal.SIGKILL, signal.SIGHUP, signal.SIGTERM
POSTSUPER = {"postsuper": "/usr/sbin/postsuper"}


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with spammed({"hash_queue_names": "deferred, defer, hold"}) as postfix:
        yield postfix


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def lines(state: Path, action: str) -> list[str]:
    """The states that the journal has for this action."""
    journal = (state / "journal.jsonl").read_text().splitlines()
    return [entry["state"] for entry in map(json.loads, journal) if entry["action"] == action]


def held(postfix: Postfix) -> int:
    return sum(message.queue_name == "hold" for message in postfix.queue().values())


@dataclass(frozen=True)
class Ended:
    """How bmtop ended that was in the middle of an action, and what it said."""

    status: int
    said: str


def interrupted(command: list[str], barrier: Barrier, number: signal.Signals, give: str = "") -> Ended:
    """Send this signal while the action is at the barrier, then let the action go on; wait until all is over."""
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.STDOUT, text=True) as bmtop:
        assert bmtop.stdin is not None
        bmtop.stdin.write(give)
        bmtop.stdin.close()
        program = barrier.wait()
        os.kill(bmtop.pid, number)
        if number != HUP:
            bmtop.wait(30)
        barrier.open()
        assert bmtop.stdout is not None
        said = bmtop.stdout.read()
        status = bmtop.wait(30)
    wait_until(lambda: not is_alive(program), 30, "the program has ended")
    return Ended(status, said)


def is_told(command: list[str]) -> bool:
    """Whether the next start says that something was cut off."""
    return "was cut off" in run([*command, "undo", "--list"]).stderr


QUEUE_ACTIONS = [("hold", "-h -"), ("release", "-H -")]


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
@pytest.mark.parametrize(("action", "option"), QUEUE_ACTIONS)
def test_hold_and_release(
    postfix: Postfix, tmp_path: Path, state: Path, action: str, option: str, number: signal.Signals
) -> None:
    wanted = COUNT if action == "hold" else 0
    run(on(postfix, f"--state={state}", "release" if action == "hold" else "hold", f"--login={ALICE}", "--yes"))
    assert held(postfix) == COUNT - wanted
    barrier = Barrier(tmp_path / "bin", option, POSTSUPER)
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    ended = interrupted([*command, action, f"--login={ALICE}", "--yes"], barrier, number)
    if number == HUP:
        assert ended.status == 0, ended.said
        assert lines(state, action) == ["begun", "done"]
        assert held(postfix) == wanted
    elif number == TERM:
        assert ended.status == 4, ended.said
        assert ended.said.endswith("bmtop: stopped.\n")
        assert lines(state, action) == ["begun", "failed"]
        assert held(postfix) == COUNT - wanted, "what was to do it was stopped as well"
    else:
        assert ended.status == -KILL
        assert lines(state, action) == ["begun"]
        assert is_told(command)
        assert held(postfix) == wanted, "postsuper went on without it"
        done = run([*command, action, "--finish", "--yes"])
        assert done.returncode in (0, 3, 4), done.stderr
        assert lines(state, action)[0] == "begun"
        assert held(postfix) == wanted
    assert not is_told(command)


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
def test_undo(postfix: Postfix, tmp_path: Path, state: Path, number: signal.Signals) -> None:
    before = postfix.queue()
    raw = {id: postfix.raw(id) for id in before}
    run(on(postfix, f"--state={state}", "purge", f"--login={ALICE}", "--yes"))
    assert postfix.queue() == {}
    barrier = Barrier(tmp_path / "bin", "-s hold", POSTSUPER)
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    ended = interrupted([*command, "undo", "--yes"], barrier, number)
    states = lines(state, "undo")
    if number == HUP:
        assert ended.status == 0, ended.said
        assert states == ["begun", "done"]
    else:
        assert states == (["begun", "failed"] if number == TERM else ["begun"])
        assert is_told(command) == (number == KILL)
        if number == KILL:
            finished = run([*command, "undo", "--yes"])
            assert finished.returncode in (0, 1), finished.stderr
        run(["postsuper", "-c", str(postfix.etc), "-s", "hold"])
    assert {id: postfix.raw(id) for id in postfix.queue()} == raw, "all of it is back, byte for byte"
    assert held(postfix) == COUNT
    assert not is_told(command)


@pytest.fixture
def bluemind(tmp_path: Path) -> Standin:
    folder = tmp_path / "bluemind"
    folder.mkdir()
    return Standin(folder)


JANE = "jane.doe@example.com"
PASSWORD = "Fresh-Word-77"


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
@pytest.mark.parametrize("action", ["logout", "password"])
def test_logout_and_password(
    postfix: Postfix, tmp_path: Path, state: Path, bluemind: Standin, action: str, number: signal.Signals
) -> None:
    arguments = "user logout --email" if action == "logout" else "user update"
    barrier = Barrier(tmp_path / "bin", arguments, {"bm-cli": str(bluemind.program)})
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    do = [*command, "logout" if action == "logout" else "passwd", JANE]
    ended = interrupted(do, barrier, number, give=f"{PASSWORD}\n" if action == "password" else "")
    expected = {HUP: ["begun", "done"], TERM: ["begun", "failed"], KILL: ["begun"]}
    assert lines(state, action) == expected[number], ended.said
    assert is_told(command) == (number == KILL)
    if number == KILL:
        barrier.open()
        assert run(do, give=f"{PASSWORD}\n").returncode == 0
        assert not is_told(command), "the same, done again, ends it"
    for path in [*state.rglob("*"), *Path("/dev/shm").iterdir()]:
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), f"{path} has the password"
    assert PASSWORD not in ended.said


@pytest.mark.parametrize("number", [HUP, TERM])
@pytest.mark.parametrize("dialog", [True, False], ids=["asked", "under way"])
def test_the_console_brings_an_action_to_its_end(
    postfix: Postfix, tmp_path: Path, state: Path, number: signal.Signals, dialog: bool
) -> None:
    run(on(postfix, f"--state={state}", "release", f"--login={ALICE}", "--yes"))
    assert held(postfix) == 0
    barrier = Barrier(tmp_path / "bin", "-h -", POSTSUPER)
    with Pty.running(on(postfix, f"--state={state}", f"--config={barrier.settings}", "--window=1h")) as terminal:
        terminal.wait_for(rb"queue listed \d")
        terminal.wait_for(rb"alice@example\.com +%d" % COUNT)
        terminal.press("h")
        terminal.wait_for(b"%d of %d messages chosen" % (COUNT, COUNT))
        if not dialog:
            terminal.press("y")
            barrier.wait()
        os.kill(terminal.program.pid, number)
        barrier.open()
        assert terminal.ended() == 128 + number
        assert terminal.modes() == terminal.modes_before
    assert held(postfix) == (0 if dialog else COUNT)
    assert not (state / "journal.jsonl").exists() or lines(state, "hold") == ([] if dialog else ["begun", "done"])
    assert not is_told(on(postfix, f"--state={state}"))


def journal(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "journal.jsonl").read_text().splitlines()]


def test_many_at_once_wait_for_each_other(postfix: Postfix, state: Path) -> None:
    command, wanted = on(postfix, f"--state={state}"), (f"--login={ALICE}", "--yes")
    running = [
        subprocess.Popen([*command, action, *wanted], stdout=-1, stderr=-1) for action in ("hold", "release") * 4
    ]
    for bmtop in running:
        _, err = bmtop.communicate(timeout=120)
        assert bmtop.returncode in (0, 1, 2, 3, 4), err
        assert b"itself failed" not in err
    told = journal(state)
    begun = [entry["number"] for entry in told if entry["state"] == "begun"]
    ended = [entry["number"] for entry in told if entry["state"] != "begun"]
    assert begun == ended, "one after the other, each begun and ended"
    assert held(postfix) in (0, COUNT)
