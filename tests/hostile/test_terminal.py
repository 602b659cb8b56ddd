"""The terminal: lost, resized, of the wrong kind, sending nonsense; and what is left on it at the end."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.programs import BMTOP, below, is_alive
from tests.hostile.pty import Pty
from tests.hostile.screen import Screen
from tests.mailserver import wait_until

RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1003l", b"\x1b[?1000l", b"\x1b[<u", b"\x1b[?7h")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made."""
    with tempfile.TemporaryDirectory(prefix="bmtop-test-") as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


@pytest.fixture
def on_nothing(tmp_path: Path) -> list[str]:
    """The command for a console where there is neither Postfix nor log: it is up soonest."""
    nothing = [f"--{name}={tmp_path / name}" for name in ("log", "postfix", "state")]
    return [*BMTOP, *nothing]


def up(pty: Pty) -> set[int]:
    """Wait for the panes; return the processes of the demo."""
    pty.wait_for(rb"Senders")
    pty.wait_for(rb"logins?")
    return below(pty.program.pid)


@pytest.mark.parametrize("controlling", [True, False], ids=["told", "untold"])
def test_a_lost_terminal_ends_the_console_and_all_that_it_started(folder: Path, controlling: bool) -> None:
    with Pty.running([*BMTOP, "--demo"], controlling=controlling) as pty:
        children = up(pty)
        assert children
        assert list(folder.iterdir())
        pty.hang_up()
        assert pty.ended() == 128 + signal.SIGHUP
    wait_until(lambda: not any(map(is_alive, children)), what="the demo's processes are gone")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_the_console_and_gives_the_terminal_back(folder: Path, number: signal.Signals) -> None:
    with Pty.running([*BMTOP, "--demo"]) as pty:
        children = up(pty)
        pty.press("?")
        pty.wait_for(rb"Everywhere")
        os.kill(pty.program.pid, number)
        assert pty.ended() == 128 + number
        assert pty.modes() == pty.modes_before
        for sequence in RESTORED:
            pty.wait_for(sequence.replace(b"[", rb"\[").replace(b"?", rb"\?"))
    wait_until(lambda: not any(map(is_alive, children)), what="the demo's processes are gone")
    assert list(folder.iterdir()) == []


def test_killed_the_console_leaves_no_process_and_no_demo(folder: Path) -> None:
    with Pty.running([*BMTOP, "--demo"]) as pty:
        children = up(pty)
        pty.program.kill()
        pty.ended()
    wait_until(lambda: not any(map(is_alive, children)), what="the demo's processes are gone")
    wait_until(lambda: list(folder.iterdir()) == [], what="the demo's folder is gone")


BREAKS = """
import sys
import bmtop.console.overview as overview
from bmtop.cli import main

def broken(self):
    password = "Hidden-Pass-1"
    hostile = "\\x1b]0;owned\\x07[red]\\u202e"
    raise ValueError(password + hostile)

overview.Overview.look = broken
sys.exit(main(sys.argv[1:]))
"""


def test_a_crash_is_a_sentence_without_values_and_gives_the_terminal_back(on_nothing: list[str]) -> None:
    with Pty.running([sys.executable, "-c", BREAKS, *on_nothing[len(BMTOP) :]]) as pty:
        assert pty.ended() == 4
        pty.wait_for(rb"bmtop itself failed \(ValueError at <string>:9\)")
        assert b"Hidden-Pass-1" not in pty.written
        assert b"owned" not in pty.written
        pty.wait_for(rb"in broken")
        assert pty.modes() == pty.modes_before
        assert pty.written.rfind(b"\x1b[?1049l") < pty.written.rfind(b"itself failed")


NONSENSE = (
    b"\xff\xfe", b"\xc3\xc3.", b"\x80" * 5000, b"\x1b[999999999999999;1~", b"\x1b]52;c;AAAA\x07", b"\x1b[<.",
    b"\x1b[200~\xff\x1b]0;x\x07\xe2\x80\xae pasted\x1b[201~", b"\x1b[1;1R\x1b[?1;2c\x1bP>|x\x1b\\",
)  # fmt: skip


def test_bytes_that_are_no_text_are_no_keys(on_nothing: list[str]) -> None:
    with Pty.running(on_nothing) as pty:
        pty.wait_for(rb"logins?")
        for nonsense in NONSENSE:
            pty.press(nonsense)
            # What is sent in one go with it may be lost as well.
            pty.press_until("?", rb"Everywhere")
            pty.press_until("\x1b", rb"Relay clients")
        pty.press("q")
        assert pty.ended() == 0


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_be_drawn_on_is_told_what_to_do(on_nothing: list[str], term: str | None) -> None:
    command = ["env", "-u", "TERM", *on_nothing] if term is None else ["env", f"TERM={term}", *on_nothing]
    with Pty.running(command) as pty:
        assert pty.ended() == 2
        pty.wait_for(rb"use `bmtop report`")
        assert b"\x1b" not in pty.written


@pytest.mark.parametrize("term", ["linux", "vt100", "no-such-terminal"])
def test_it_is_drawn_on_every_other_kind(on_nothing: list[str], term: str) -> None:
    with Pty.running(on_nothing, environment={"TERM": term}) as pty:
        pty.wait_for(rb"Relay clients")
        pty.press("q")
        assert pty.ended() == 0


def test_a_locale_that_is_not_utf_8_spoils_nothing(on_nothing: list[str]) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with Pty.running(on_nothing, environment=locale) as pty:
        pty.wait_for("─".encode())
        assert rb"\u2500" not in pty.written
        pty.press("q")
        assert pty.ended() == 0


def test_the_environment_makes_textual_write_no_file_and_press_no_key(on_nothing: list[str], tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    hostile = {
        "TEXTUAL_LOG": str(here / "log"), "TEXTUAL_PRESS": "q", "TEXTUAL_DRIVER": "no.such:Driver",
        "TEXTUAL_SCREENSHOT": "1", "TEXTUAL_SCREENSHOT_LOCATION": str(here), "TEXTUAL": "debug,devtools",
        "TEXTUAL_SHOW_RETURN": "1", "TEXTUAL_DEBUG": "1", "COLUMNS": "30", "LINES": "9",
    }  # fmt: skip
    with Pty.running(on_nothing, environment=hostile, folder=here) as pty:
        pty.wait_for(rb"Journal")
        pty.press("?")
        pty.wait_for(rb"Everywhere")
        pty.press("\x1b")
        assert pty.program.poll() is None
    assert list(here.iterdir()) == []


SIZES = [(140, 45), (80, 24), (40, 10), (20, 5), (5, 2), (1, 1), (300, 100), (140, 3), (3, 45), (140, 45)]
PLACES = (("h", "chosen"), ("?", "Everywhere"), ("Enter", "Sent in the window"))


def test_it_may_be_of_any_size_at_any_moment(folder: Path) -> None:
    with Screen.running([*BMTOP, "--demo"]) as terminal:
        terminal.wait_for(r"sales@example.com +\d.* forged senders")
        terminal.press("Home")
        terminal.wait_for("▸ sales@example.com")
        for key, seen in PLACES:
            terminal.press(key)
            terminal.wait_for(seen)
            for width, height in SIZES:
                terminal.resize(width, height)
            terminal.wait_for(seen)
            terminal.press("Escape")
            terminal.wait_gone(seen)
        terminal.wait_for("Senders")
        terminal.press("q")
        assert terminal.wait_ended() == 0
