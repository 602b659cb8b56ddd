"""What bmtop keeps is root's alone, is not written through anybody's link, and the journal only grows.

Judged by the modes on disk, under a umask that takes nothing away, and by the system calls.
"""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.programs import on, run
from tests.mailserver import Player, Postfix, incident

ALICE, RELAY = "alice@example.com", "192.0.2.66"
ACTIONS = (
    ["hold", f"--login={ALICE}", "--yes"],
    ["known", RELAY],
    ["untrust", RELAY, "--yes"],
    ["purge", f"--login={ALICE}", "--yes"],
    ["undo", "--yes"],
    ["purge", "--login=bob@example.com", "--yes"],
)


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        incident(Player(postfix), 40)
        yield postfix


def open_to_others(folder: Path) -> list[str]:
    """What below this folder, itself included, another user than root may read, enter or write."""
    found = [folder, *folder.rglob("*")]
    assert len(found) > 1
    return [
        f"{path} {stat.filemode(path.lstat().st_mode)}"
        for path in found
        if path.lstat().st_mode & 0o077 or path.lstat().st_uid
    ]


def test_all_of_it_is_roots_whatever_the_umask(postfix: Postfix) -> None:
    for action in ACTIONS:
        done = run(["sh", "-c", 'umask 0; exec "$@"', "sh", *on(postfix, *action)])
        assert done.returncode == 0, done.stderr
        assert open_to_others(postfix.folder / "state") == []
    copies = postfix.spool / "bmtop-undo"
    assert stat.S_IMODE(copies.stat().st_mode) == 0o700
    assert [path for path in copies.iterdir() if path.stat().st_mode & 0o077] == []


def test_the_journal_only_grows(postfix: Postfix, tmp_path: Path) -> None:
    journal, before = postfix.folder / "state" / "journal.jsonl", b""
    calls = "trace=openat,open,creat,ftruncate,truncate,rename,renameat,renameat2,unlink,unlinkat"
    for number, action in enumerate(ACTIONS):
        trace = tmp_path / str(number)
        done = run(["strace", "-f", "-qq", "-e", calls, "-o", str(trace), *on(postfix, *action)])
        assert done.returncode == 0, done.stderr
        assert journal.read_bytes().startswith(before), "what was written stays"
        before = journal.read_bytes()
        touching = [line for line in trace.read_text(errors="replace").splitlines() if "journal.jsonl" in line]
        assert touching
        for call in touching:
            assert "openat(" in call, call
            assert "O_NOFOLLOW" in call, call
            assert "O_RDONLY" in call or "O_APPEND" in call, call
            assert "O_TRUNC" not in call, call
    assert re.fullmatch(rb'(\{"number": [^\n]+\}\n)+', before)


PLACES = ("journal.jsonl", "lock", "known-relays", "pending", ".")


@pytest.mark.parametrize("place", PLACES)
def test_no_link_is_followed(postfix: Postfix, tmp_path: Path, place: str) -> None:
    state, target = postfix.folder / "state", tmp_path / "target"
    target.mkdir() if place in ("pending", ".") else target.write_text("precious\n")
    if place == ".":
        state.symlink_to(target)
    else:
        state.mkdir(mode=0o700)
        (state / place).symlink_to(target)
    before = {id: path.read_bytes() for id, path in postfix.files().items()}
    action = ["known", RELAY] if place == "known-relays" else ["purge", f"--login={ALICE}", "--yes"]
    done = run(on(postfix, *action))
    assert done.returncode == 2, done.stderr
    assert "itself failed" not in done.stderr
    assert {id: path.read_bytes() for id, path in postfix.files().items()} == before
    if target.is_dir():
        assert os.listdir(target) == []
    else:
        assert target.read_text() == "precious\n"
    (state if place == "." else state / place).unlink()
    assert subprocess.run(on(postfix, *action), capture_output=True).returncode == 0
