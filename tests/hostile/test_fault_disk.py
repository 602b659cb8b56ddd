"""The disk is full where bmtop keeps its journal: on a real file system of few pages, nothing is done unnoticed.

Where there is no room for undo copies is in tests/purge/test_undo.py.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.barrier import Barrier
from tests.hostile.programs import on, run
from tests.hostile.spam import ALICE, COUNT, spammed
from tests.mailserver import Postfix


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
    assert bmtop.returncode == 2, said
    assert "no space left on device" in said
    assert {message.queue_name for message in postfix.queue().values()} == {"hold"}
    assert [entry["state"] for entry in lines(state)] == ["begun"]
    (state / "other").unlink()
    assert "`bmtop hold --finish` finishes it" in run([*command, "undo", "--list"]).stderr
    run([*command, "hold", "--finish", "--yes"])
    assert [entry["state"] for entry in lines(state)] != ["begun"]
    assert "cut off" not in run([*command, "undo", "--list"]).stderr
    assert os.listdir(state / "pending") == []
