"""Killed, or without its terminal, while a relay is marked, mail is held on, or an account is let in again.

Judged by the list's own bytes, by the queue, by BlueMind's stand-in, and by the journal's lines as they are on
disk. The steps of the runbook are in test_fault_cut_off_runbook.py.
"""

import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.hostile.barrier import Barrier, CallBarrier
from tests.hostile.programs import BMTOP, is_alive, on, run
from tests.hostile.pty import Pty
from tests.hostile.spam import ALICE, BOT, spammed
from tests.hostile.test_cut_off import HUP, JANE, KILL, POSTSUPER, TERM, is_told, journal, lines
from tests.mailserver import Message, Player, Postfix, wait_until

HONEST, OTHER = "192.0.2.10", "2001:db8:25::1"
SPAM = Message("spam", "winner@lottery.example", ("victim@bank.example",))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with spammed({"hash_queue_names": "deferred, defer, hold"}) as postfix:
        yield postfix


def files(state: Path) -> set[str]:
    """The files that there are, after a look that each is for its owner alone."""
    found = [path for path in state.rglob("*") if path.is_file()]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)
    return {path.name for path in found}


# Known relays: no program is run, so the signal comes with a system call (strace(1), --inject).

CALLS = {
    "before anything is done": "fsync:when=1",
    "before the list is whole": "fsync:when=2",
    "before the list is in its place": "rename:when=1",
    # The journal is looked at before each line is written to it.
    "before it is written that it has ended": "pread64:when=2",
}
# Between these, Ctrl-C and SIGTERM find an action that can be broken off; at them, they cut off the journal's line.
WITHIN = ("fsync:when=2", "rename:when=1")


def cut_off_at(
    call: str, number: signal.Signals, state: Path, command: list[str]
) -> "subprocess.CompletedProcess[str]":
    name, _, when = call.partition(":")
    only = [f"--trace-path={state}/journal.jsonl"] if name == "pread64" else []
    inject = f"--inject={name}:signal={number.value}:{when}"
    return run(["strace", "-f", "-qq", "-o", "/dev/null", *only, f"--trace={name}", inject, *command])


def listed(state: Path) -> set[str]:
    """Whom the list has, every line of it being whole."""
    text = (state / "known-relays").read_text()
    assert text.endswith("\n")
    rows = [row.partition("  # ") for row in text.splitlines()]
    assert all(who for _, _, who in rows)
    return {relay for relay, _, _ in rows}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("action", "number"), [("mark", KILL), ("mark", HUP), ("mark", TERM), ("unmark", KILL)])
def test_known(state: Path, action: str, call: str, number: signal.Signals) -> None:
    bmtop = [*BMTOP, f"--state={state}"]
    for relay in (OTHER,) if action == "mark" else (OTHER, HONEST):
        assert run([*bmtop, "known", relay]).returncode == 0
    after = {OTHER, HONEST} if action == "mark" else {OTHER}
    do = [*bmtop, "known", HONEST, *(() if action == "mark" else ("--forget",))]
    ended = cut_off_at(call, number, state, do)

    states = lines(state, f"{action} as known")[2 if action == "mark" else 0 :]
    assert listed(state) in (after, after ^ {HONEST})
    left = files(state) - {"journal.jsonl", "lock", "known-relays"}
    told = is_told(bmtop)
    if number == HUP:
        assert (ended.returncode, states, listed(state)) == (0, ["begun", "done"], after)
    elif number == TERM:
        assert ended.stderr == "bmtop: stopped.\n"
        assert (states, told) == ((["begun", "failed"], False) if call in WITHIN else (["begun"], True))
    else:
        assert (ended.returncode, states, told) == (-KILL, ["begun"], True)
    assert left <= ({".known-relays"} if number == KILL else set())
    # Once more, whether it had taken effect or not.
    again = run(do)
    assert again.returncode == 0, again.stderr
    assert listed(state) == after
    assert not is_told(bmtop)
    assert files(state) == {"journal.jsonl", "lock", "known-relays"}


# Keep holding


@contextmanager
def holding(postfix: Postfix, state: Path, barrier: Barrier) -> Iterator[Pty]:
    """`bmtop hold --follow` once it holds: all that is in the queue is on hold before."""
    subprocess.run(["postsuper", "-c", postfix.etc, "-h", "ALL"], check=True, capture_output=True)
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}", "hold", f"--login={ALICE}", "--follow")
    with Pty.running([*command, "--yes"]) as terminal:
        terminal.wait_for(b"Holding what alice@example.com newly queues")
        yield terminal


def on_hold(postfix: Postfix) -> set[str]:
    return {id for id, message in postfix.queue().items() if message.queue_name == "hold"}


def sent(postfix: Postfix) -> str:
    (message,) = Player(postfix).send(BOT, [SPAM], ALICE)
    return message.queue_id


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
def test_keep_holding(postfix: Postfix, tmp_path: Path, state: Path, number: signal.Signals) -> None:
    barrier = Barrier(tmp_path / "bin", "-h -", POSTSUPER)
    bmtop = on(postfix, f"--state={state}")
    with holding(postfix, state, barrier) as terminal:
        one = sent(postfix)
        program = barrier.wait()
        assert one not in on_hold(postfix)
        assert not is_told(bmtop), "it goes on"
        if number == HUP:
            terminal.hang_up()
        else:
            os.kill(terminal.program.pid, number)
        if number == KILL:
            assert terminal.ended() == -KILL
        barrier.open()
        assert terminal.ended() == (-KILL if number == KILL else 0)
    wait_until(lambda: not is_alive(program), 30, "postsuper has ended")
    assert one in on_hold(postfix), "what had begun came to its end"
    if number == KILL:
        postfix.settle()
        two = sent(postfix)
        wait_until(
            lambda: (found := postfix.queue().get(two)) and found.queue_name == "deferred", 30, "it is let through"
        )
        assert "stop holding" not in (state / "journal.jsonl").read_text()
        assert is_told(bmtop)
        assert is_told(bmtop), "once more, as long as nothing is done about it"
        held_again(postfix, state, barrier)
    else:
        assert lines(state, "stop holding") == ["begun", "done"]
        (ids,) = {tuple(line["ids"]) for line in journal(state) if line["ids"]}
        assert ids == (one,)
    assert not is_told(bmtop)
    assert files(state) == {"journal.jsonl", "lock"}


def test_keep_holding_ends_while_another_action_runs(postfix: Postfix, tmp_path: Path, state: Path) -> None:
    """It is off, whatever the other one does; that the journal has nothing of it is said, and why."""
    barrier = Barrier(tmp_path / "bin", "-h -", POSTSUPER)
    barrier.open()
    bmtop = on(postfix, f"--state={state}")
    with holding(postfix, state, barrier) as terminal, (state / "lock").open("rb") as lock:
        one = sent(postfix)
        wait_until(lambda: one in on_hold(postfix), 30, "it is held")
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.kill(terminal.program.pid, TERM)
        assert terminal.ended() == 0
        said = " ".join(bytes(terminal.written).decode().split())
    assert f"1 message of {ALICE} put on hold." in said
    assert "It is off, but that could not be written into the journal: Another action is running" in said
    assert lines(state, "keep holding") == ["begun", "done"]
    assert lines(state, "stop holding") == []
    assert not is_told(bmtop)
    assert files(state) == {"journal.jsonl", "lock"}


def held_again(postfix: Postfix, state: Path, barrier: Barrier) -> None:
    with holding(postfix, state, barrier) as terminal:
        assert not is_told(on(postfix, f"--state={state}"))
        three = sent(postfix)
        wait_until(lambda: three in on_hold(postfix), 30, "it is held again")
        os.kill(terminal.program.pid, TERM)
        assert terminal.ended() == 0
    assert lines(state, "stop holding") == ["begun", "done"]


@pytest.mark.parametrize("call", ["fsync:when=1", "fsync:when=3"], ids=["not on yet", "on"])
def test_keep_holding_is_killed_while_it_is_switched_on(
    postfix: Postfix, tmp_path: Path, state: Path, call: str
) -> None:
    barrier = Barrier(tmp_path / "bin", "-h -", POSTSUPER)
    barrier.open()
    bmtop = on(postfix, f"--state={state}")
    ended = cut_off_at(call, KILL, state, [*bmtop, "hold", f"--login={ALICE}", "--follow", "--yes"])
    assert ended.returncode == -KILL
    assert is_told(bmtop)
    held_again(postfix, state, barrier)
    assert not is_told(bmtop)
    assert files(state) == {"journal.jsonl", "lock"}


# No key and no command lets an account in again: this is what a program does that builds on bmtop's actions.

LET_IN = """
import os, signal, sys
from pathlib import Path
from bmtop import commands, config
from bmtop.checked import Login
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.default_int_handler)
_, responder = commands.reader_and_responder(config.load({}, os.environ, Path(sys.argv[1])))
print(responder.reactivate(Login(sys.argv[2])).sentence)
"""


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
def test_an_account_is_let_in_again(tmp_path: Path, state: Path, number: signal.Signals) -> None:
    core = Core(tmp_path)
    users = core.load()["users"]
    core.change(users={**users, "UID-1": {**users["UID-1"], "archived": True}})
    token, settings = tmp_path / "bm-core.tok", tmp_path / "bmtop.toml"
    token.write_text(rest_standin.KEY)
    with rest_standin.serving(core) as rest:
        settings.write_text(f'state = "{state}"\nbm_api = "{rest.url}"\nbm_token = "{token}"\n')
        barrier = CallBarrier(rest)
        do = [sys.executable, "-c", LET_IN, str(settings), JANE]
        with subprocess.Popen(do) as program:
            barrier.wait()
            program.send_signal(number)
            if number != HUP:
                program.wait(30)
            barrier.open()
        expected = {HUP: ["begun", "done"], TERM: ["begun", "failed"], KILL: ["begun"]}
        assert lines(state, "reactivate") == expected[number]
        assert core.can_log_in(JANE, "old"), "BlueMind went on without it"
        assert is_told([*BMTOP, f"--state={state}"]) == (number == KILL)
        again = run(do)
        assert again.returncode == 0, again.stderr
    assert core.can_log_in(JANE, "old")
    assert not is_told([*BMTOP, f"--state={state}"])
    assert files(state) == {"journal.jsonl", "lock"}
