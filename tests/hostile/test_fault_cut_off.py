"""Killed, or without its terminal, in the middle of an untrust or a purge: done whole, or told of.

Hold, release, undo, logout and password are in test_cut_off.py; purges that are killed, in tests/purge.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.barrier import Barrier
from tests.hostile.programs import on, run
from tests.hostile.test_cut_off import HUP, KILL, TERM, interrupted, is_told, lines
from tests.mailserver import Player, Postfix, incident
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
