"""The disk is full where bmtop keeps its journal: on a real file system of few pages, nothing is done unnoticed.

Where there is no room for undo copies is in tests/purge/test_undo.py.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hostile.barrier import Barrier
from tests.hostile.programs import is_alive, on, run
from tests.hostile.screen import Screen
from tests.hostile.spam import ALICE, COUNT, spammed
from tests.hostile.test_cut_off import is_told
from tests.mailserver import Postfix, wait_until


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with spammed() as postfix:
        yield postfix


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a file system that holds 64 kB."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    """Leave no room, not even in the last page of a file."""
    (folder / "journal.jsonl").touch(0o600)
    with (folder / "other").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def use_up_its_page(journal: Path) -> None:
    """Fill the journal's last page with an entry that says nothing, so that no line fits behind it."""
    rest = -journal.stat().st_size % 4096
    with journal.open("ab") as file:
        file.write(b" " * max(0, rest - 1) + b"\n" * bool(rest))


def seen(postfix: Postfix) -> dict[str, tuple[Path, bytes]]:
    return {id: (path, path.read_bytes()) for id, path in postfix.files().items()}


def lines(state: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (state / "journal.jsonl").read_text().splitlines() if line.strip()]


ACTIONS = (
    ["purge", f"--login={ALICE}", "--yes"],
    ["purge", f"--login={ALICE}", "--yes", "--without-undo"],
    ["hold", f"--login={ALICE}", "--yes"],
    ["hold", f"--login={ALICE}", "--follow", "--yes"],
    ["untrust", "192.0.2.66", "--yes"],
    ["known", "192.0.2.66"],
    ["logout", ALICE],
)


@pytest.mark.parametrize("action", ACTIONS, ids=" ".join)
def test_no_action_begins_without_its_line(postfix: Postfix, state: Path, action: list[str]) -> None:
    fill(state)
    before, trusted = seen(postfix), (postfix.etc / "main.cf").read_bytes()
    done = run(on(postfix, f"--state={state}", *action))
    assert done.returncode == 2, done.stderr
    assert "no space left on device" in done.stderr
    assert "make room" in done.stderr
    assert seen(postfix) == before
    assert (postfix.etc / "main.cf").read_bytes() == trusted
    assert (state / "journal.jsonl").read_bytes() == b"", "not even half a line"
    (state / "other").unlink()
    done = run(on(postfix, f"--state={state}", "hold", f"--login={ALICE}", "--yes"))
    assert f"Held {COUNT} of {COUNT}" in done.stdout
    assert [entry["state"] for entry in lines(state)] == ["begun", "done"]


def test_an_action_whose_end_cannot_be_written_is_done_and_said_to_be_unfinished(
    postfix: Postfix, state: Path, tmp_path: Path
) -> None:
    barrier = Barrier(tmp_path / "bin", "-h -", {"postsuper": "/usr/sbin/postsuper"})
    command = on(postfix, f"--state={state}", f"--config={barrier.settings}")
    with subprocess.Popen(
        [*command, "hold", f"--login={ALICE}", "--yes"], stdout=-1, stderr=subprocess.STDOUT, text=True
    ) as bmtop:
        barrier.wait()
        use_up_its_page(state / "journal.jsonl")
        fill(state)
        barrier.open()
        said, _ = bmtop.communicate(timeout=60)
    assert bmtop.returncode == 0, said
    assert f"Held {COUNT} of {COUNT} messages." in said
    assert said.count("could not be written into the journal") == said.count("no space left on device") == 1
    assert "make room; the next start will say" in said
    assert {message.queue_name for message in postfix.queue().values()} == {"hold"}
    assert [entry["state"] for entry in lines(state)] == ["begun"]
    (state / "other").unlink()
    assert "`bmtop hold --finish` finishes it" in run([*command, "undo", "--list"]).stderr
    run([*command, "hold", "--finish", "--yes"])
    assert [entry["state"] for entry in lines(state)] != ["begun"]
    assert "cut off" not in run([*command, "undo", "--list"]).stderr
    assert os.listdir(state / "pending") == []


def ends_unwritten(state: Path, command: list[str], line: int = 2) -> "subprocess.CompletedProcess[str]":
    """Run it, with no room for this line that it writes into the journal (strace(1), --inject)."""
    only = [f"--trace-path={state}/journal.jsonl", "--trace=write", f"--inject=write:error=ENOSPC:when={line}"]
    return run(["strace", "-f", "-qq", "-o", "/dev/null", *only, *command])


def on_hold(postfix: Postfix) -> int:
    return sum(message.queue_name == "hold" for message in postfix.queue().values())


def trusts(postfix: Postfix) -> bool:
    return "192.0.2.0/24" in (postfix.etc / "main.cf").read_text()


BY_LOGIN = (f"--login={ALICE}", "--yes")
UNWRITTEN: dict[str, tuple[tuple[str, ...], str, Callable[[Postfix], bool]]] = {
    "purge": (("purge", *BY_LOGIN), f"Deleted {COUNT} of {COUNT} messages.", lambda p: not p.queue()),
    "hold": (("hold", *BY_LOGIN), f"Held {COUNT} of {COUNT} messages.", lambda p: on_hold(p) == COUNT),
    "untrust": (("untrust", "192.0.2.66", "--yes"), "trusts 192.0.2.66 no more.", lambda p: not trusts(p)),
    "known": (("known", "192.0.2.66"), "known as an honest relay now.", lambda p: True),
}


@pytest.mark.parametrize("action", UNWRITTEN)
def test_what_was_done_is_told_whole_where_its_end_cannot_be_written(
    postfix: Postfix, tmp_path: Path, action: str
) -> None:
    arguments, result, is_done = UNWRITTEN[action]
    command = on(postfix, f"--state={tmp_path}/state")
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "journal.jsonl").touch(0o600)
    done = ends_unwritten(tmp_path / "state", [*command, *arguments])
    assert done.returncode == 0, done.stderr
    assert result in done.stdout
    assert "could not be written into the journal" in done.stdout
    assert is_done(postfix)
    assert [entry["state"] for entry in lines(tmp_path / "state")] == ["begun"]
    assert is_told(command)
    if action == "purge":
        (undo,) = (line.split()[-1] for line in done.stdout.splitlines() if "bring them back" in line)
        # It ends what was begun, so this is its only line.
        back = ends_unwritten(tmp_path / "state", [*command, "undo", undo, "--yes", "--json"], line=1)
        assert (back.returncode, on_hold(postfix)) == (0, COUNT), back.stderr
        told = json.loads(back.stdout)
        assert len(told["restored"]) == COUNT
        assert "could not be written into the journal" in " ".join(told["notes"])


def test_holding_ends_on_a_full_disk(postfix: Postfix, state: Path) -> None:
    """The console is ended: it says what it held, and that the journal does not know; nobody is held any more."""
    command = on(postfix, f"--state={state}", "--window=1h")
    said = state.parent / "said"
    with Screen.running(command) as console:
        console.wait_for(rf"{ALICE} +\d", 30)
        console.press_until("H", f"─ Keep holding {ALICE}")
        console.press_while("y", f"─ Keep holding {ALICE}")
        console.wait_for("HOLDING 0 held", 30)
        assert os.listdir(state / "going-on")
        use_up_its_page(state / "journal.jsonl")
        fill(state)
        said.touch()
        console.record(said)
        pid = console.pid()
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), 30, "the console has ended")
        wait_until(lambda: b"Keep holding has ended" in said.read_bytes(), 30, "it says so")
        words = " ".join(said.read_text(errors="replace").split())
    assert "no space left on device" in words
    assert os.listdir(state / "going-on") == []
    assert [entry["action"] for entry in lines(state)] == ["keep holding", "keep holding"]
    (state / "other").unlink()
    assert not is_told(command)
