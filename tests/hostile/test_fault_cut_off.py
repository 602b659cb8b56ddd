"""Killed, or without its terminal, in the middle of an untrust or a purge: done whole, or told of.

Hold, release, undo, logout and password are in test_cut_off.py; purges that are killed, in tests/purge.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.detection.test_untrust import refused_soon
from tests.hostile.barrier import Barrier
from tests.hostile.programs import is_alive, on, run
from tests.hostile.screen import Screen
from tests.hostile.test_cut_off import HUP, KILL, TERM, interrupted, is_told, lines
from tests.mailserver import Player, Postfix, incident, wait_until
from tests.mailserver.postfix import run as ask

ALICE, BROKEN = "alice@example.com", "192.0.2.66"
TRUSTED = "127.0.0.0/8, [::1]/128, 192.0.2.0/24"


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        incident(Player(postfix), 40)
        yield postfix


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def mynetworks(postfix: Postfix) -> str:
    return ask("postconf", "-c", str(postfix.etc), "-h", "mynetworks").stdout.decode().strip()


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
@pytest.mark.parametrize("program", ["postconf", "postfix"], ids=["before the change", "before the reload"])
def test_untrust(postfix: Postfix, tmp_path: Path, state: Path, program: str, number: signal.Signals) -> None:
    assert mynetworks(postfix) == TRUSTED
    at = " -e mynetworks=" if program == "postconf" else " reload"
    barrier = Barrier(tmp_path / "bin", at, {program: f"/usr/sbin/{program}"})
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    ended = interrupted([*command, "untrust", BROKEN, "--yes"], barrier, number)
    if number == HUP:
        assert ended.status == 0, ended.said
        assert lines(state, "untrust") == ["begun", "done"]
        assert BROKEN not in mynetworks(postfix).split(", ")
    elif number == TERM:
        assert lines(state, "untrust") == ["begun", "failed"]
    else:
        assert lines(state, "untrust") == ["begun"]
        assert is_told(command)
    # Whatever came of it, it can be taken back, or done again and then taken back: by the journal alone.
    if mynetworks(postfix) == TRUSTED:
        assert run([*command, "untrust", BROKEN, "--yes"]).returncode == 0
    assert "192.0.2.64/31, 192.0.2.67" in mynetworks(postfix), "it is out, and its neighbours are in"
    back = run([*command, "untrust", BROKEN, "--undo", "--yes"])
    assert back.returncode == 0, back.stderr
    assert mynetworks(postfix) == TRUSTED


def reloads(postfix: Postfix) -> int:
    return postfix.log.read_text().count(": reload -- version")


def stopped_before_the_reload(
    postfix: Postfix, folder: Path, state: Path, number: signal.Signals, *undo: str
) -> list[str]:
    """An untrust, or its undo, that is in main.cf, and that no smtpd was told of; return how to call bmtop."""
    barrier = Barrier(folder / "bin", " reload", {"postfix": "/usr/sbin/postfix"})
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    before, reloaded = mynetworks(postfix), reloads(postfix)
    with subprocess.Popen([*command, "untrust", BROKEN, *undo, "--yes"], stdout=-1, stderr=-1) as bmtop:
        program = barrier.wait()
        os.kill(bmtop.pid, number)
        bmtop.communicate(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(program, KILL)
    wait_until(lambda: not is_alive(program), 30, "the reload never comes")
    barrier.open()
    assert mynetworks(postfix) != before
    assert reloads(postfix) == reloaded
    return command


@pytest.mark.parametrize("number", [KILL, TERM])
def test_untrust_does_what_was_left(postfix: Postfix, tmp_path: Path, state: Path, number: signal.Signals) -> None:
    command = stopped_before_the_reload(postfix, tmp_path, state, number)
    first = ["begun"] if number == KILL else ["begun", "failed"]
    assert (lines(state, "untrust"), is_told(command)) == (first, number == KILL)
    main_cf = (postfix.etc / "main.cf").read_bytes()
    looked = run([*command, "untrust", BROKEN, "--dry-run"])
    assert "what is left is to have Postfix read it" in looked.stdout
    again = run([*command, "untrust", BROKEN, "--yes"])
    assert again.returncode == 0, again.stderr
    assert f"Postfix trusts {BROKEN} no more." in again.stdout
    assert (postfix.etc / "main.cf").read_bytes() == main_cf
    wait_until(lambda: reloads(postfix) == 1, 30, "it is reloaded")
    refused_soon(postfix, BROKEN)
    assert lines(state, "untrust") == [*first, "begun", "done"]
    assert not is_told(command)
    # Once it is done, it is not done a third time; and one undo takes it back.
    assert "lets 192.0.2.66 in" in run([*command, "untrust", BROKEN, "--yes"]).stderr
    assert run([*command, "untrust", BROKEN, "--undo", "--yes"]).returncode == 0
    assert mynetworks(postfix) == TRUSTED
    assert "could be taken back" in run([*command, "untrust", BROKEN, "--undo", "--yes"]).stderr


def test_undo_does_what_was_left(postfix: Postfix, tmp_path: Path, state: Path) -> None:
    assert run(on(postfix, f"--state={state}", "untrust", BROKEN, "--yes")).returncode == 0
    wait_until(lambda: reloads(postfix) == 1, 30, "it is reloaded")
    command = stopped_before_the_reload(postfix, tmp_path, state, KILL, "--undo")
    assert (mynetworks(postfix), is_told(command)) == (TRUSTED, True)
    again = run([*command, "untrust", BROKEN, "--undo", "--yes"])
    assert again.returncode == 0, again.stderr
    wait_until(lambda: reloads(postfix) == 2, 30, "it is reloaded")
    assert lines(state, "trust again") == ["begun", "begun", "done"]
    assert not is_told(command)


def test_the_console_does_what_was_left_of_an_untrust(postfix: Postfix, tmp_path: Path, state: Path) -> None:
    command = stopped_before_the_reload(postfix, tmp_path, state, KILL)
    with Screen.running([*command, "--window=1h"]) as console:
        console.wait_for("Not finished", 30)
        console.close("Not finished")
        console.wait_for(rf"{BROKEN} ", 30)
        for _ in range(10):
            console.press("Tab")
            with suppress(AssertionError):
                console.wait_for("t Untrust", 3)
                break
        console.press_until("t", f"─ Untrust {BROKEN}")
        console.wait_for("what is left is to have")
        console.press_while("y", "what is left is to have")
        console.wait_for(f"Postfix trusts {BROKEN} no more", 30)
    assert lines(state, "untrust") == ["begun", "begun", "done"]
    assert reloads(postfix) == 1
    assert not is_told(command)


def test_untrusts_are_taken_back_in_their_order(postfix: Postfix, tmp_path: Path, state: Path) -> None:
    """Also where the first was cut off: the second one's reload does not hide that from whoever does it again."""
    command = stopped_before_the_reload(postfix, tmp_path, state, KILL)
    for client in ("192.0.2.7", "192.0.2.130"):
        assert run([*command, "untrust", client, "--yes"]).returncode == 0
    assert is_told(command)
    again = run([*command, "untrust", BROKEN, "--yes"])
    assert again.returncode == 0, again.stderr
    assert not is_told(command)
    after = mynetworks(postfix)
    for client, first in (
        (BROKEN, "`bmtop untrust 192.0.2.130 --undo`, then `bmtop untrust 192.0.2.7 --undo`."),
        ("192.0.2.7", "take that back first: `bmtop untrust 192.0.2.130 --undo`."),
    ):
        refused = run([*command, "untrust", client, "--undo", "--yes"])
        assert refused.returncode == 2
        assert first in refused.stderr
        assert mynetworks(postfix) == after
    for client in ("192.0.2.130", "192.0.2.7", BROKEN):
        back = run([*command, "untrust", client, "--undo", "--yes"])
        assert back.returncode == 0, back.stderr
    assert mynetworks(postfix) == TRUSTED


@pytest.mark.parametrize("number", [HUP, TERM])
def test_purge(postfix: Postfix, tmp_path: Path, state: Path, number: signal.Signals) -> None:
    before = {id: path.read_bytes() for id, path in postfix.files().items()}
    barrier = Barrier(tmp_path / "bin", " -d -", {"postsuper": "/usr/sbin/postsuper"})
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    ended = interrupted([*command, "purge", f"--login={ALICE}", "--yes"], barrier, number)
    left = {id: path.read_bytes() for id, path in postfix.files().items()}
    if number == HUP:
        assert ended.status == 0, ended.said
        assert lines(state, "purge") == ["begun", "done"]
        assert len(left) < len(before)
        assert run([*command, "undo", "--yes"]).returncode == 0
    else:
        assert lines(state, "purge") == ["begun", "failed"]
    assert {id: path.read_bytes() for id, path in postfix.files().items()} == before
    assert not any(path.stat().st_nlink > 1 for path in postfix.files().values())
    assert not is_told(command)
