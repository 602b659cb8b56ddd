"""The main job, as the administrator does it: see who it is, purge, take it back, on a real Postfix.

Judged by postqueue, by the header that the incident player wrote, and by the queue files' bytes.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.mailserver import Player, Postfix, incident, played, wait_until
from tests.mailserver.stories import INTRUDER, INTRUDER6, Played
from tests.terminal.terminal import Terminal


@pytest.fixture
def server() -> Iterator[tuple[Postfix, Played]]:
    with Postfix.temporary() as postfix:
        yield postfix, incident(Player(postfix), scale=300)


def bmtop(postfix: Postfix, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "bmtop", "--postfix", str(postfix.etc), "--log", str(postfix.log),
        "--state", str(postfix.folder / "state"), *more,
    ]  # fmt: skip


def spam(labels: dict[str, str]) -> set[str]:
    return {id for id, label in labels.items() if label == "spam/alice"}


def first_row(screen: str) -> str:
    """The first row of the pane of senders."""
    lines = screen.splitlines()
    heading = next(i for i, line in enumerate(lines) if "─ Senders" in line)
    return lines[heading + 2]


def test_the_stolen_login_is_purged_and_given_back(server: tuple[Postfix, Played]) -> None:
    postfix, truth = server
    before = played(postfix)
    guilty = spam(before)
    raw = {id: postfix.raw(id) for id in guilty}
    with Terminal.running(bmtop(postfix)) as terminal:
        terminal.wait_for("─ Senders")
        terminal.wait_gone("reading back")
        screen = terminal.wait_for(rf"▸ alice@example\.com +\d+ .* {len(guilty)} .*(forged|failed)")
        assert "alice@example.com" in first_row(screen), "the stolen login stands on top"
        row = first_row(screen).split()
        assert str(len(guilty)) in row, "its queued messages are counted by the envelope"

        terminal.press("Home", "Enter")
        details = terminal.wait_for(re.escape(INTRUDER6.address))
        assert INTRUDER.address in details
        terminal.press("Escape")
        terminal.wait_gone("Sent in the window")

        terminal.press("d")
        terminal.wait_for(rf"Purge {len(guilty)}\b")
        assert played(postfix) == before, "nothing happens before it is confirmed"
        confirm(terminal, len(guilty))
        terminal.wait_for(rf"Deleted {len(guilty)} of {len(guilty)}[\s\S]*ids on standard input")

        left = played(postfix)
        assert not spam(left)
        assert left == {id: label for id, label in before.items() if id not in guilty}, "everyone else's mail is there"

        terminal.press("Escape")
        terminal.wait_gone("ids on standard input")
        terminal.press("u")
        terminal.wait_for("Bring back…")
        terminal.press_until("Enter", rf"Bring back {len(guilty)}")
        terminal.press_until("y", rf"{len(guilty)} messages? .*on hold")
        terminal.wait_for(rf"hold {len(guilty)}\b")

        back = played(postfix)
        assert back == before
        held = {id for id, message in postfix.queue().items() if message.queue_name == "hold"}
        assert held == guilty, "what came back is on hold, and nothing else is"
        assert {id: postfix.raw(id) for id in guilty} == raw, "byte for byte"
        assert Counter(back.values())["spam/alice"] == truth.queued()["spam/alice"]

        terminal.press("Escape")
        terminal.wait_gone("─ Undo a purge")
        assert leave(terminal) == 0


def confirm(terminal: Terminal, count: int) -> None:
    """Type the count that the dialog asks for; then its button has the focus, and is pressed."""
    terminal.wait_for("type the number")
    terminal.type(str(count))
    terminal.wait_gone("y Yes")
    terminal.press("Enter")
    terminal.wait_for("y Yes")
    terminal.press("Enter")


def leave(terminal: Terminal) -> int:
    """Press q until bmtop ends, since it stays while something is under way; return its exit status."""
    for _ in range(10):
        terminal.press("q")
        with suppress(TimeoutError):
            wait_until(lambda: terminal.ended() is not None, 2)
            break
    status = terminal.ended()
    assert status is not None, terminal.screen()
    return status


def test_a_console_that_cannot_read_anything_says_so_and_stays(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "bmtop", "--postfix", str(tmp_path / "etc"), "--log", str(tmp_path / "mail.log"),
        "--state", str(tmp_path / "state"),
    ]  # fmt: skip
    with Terminal.running(command, width=80, height=24) as terminal:
        terminal.wait_for(r"There is no log")
        assert leave(terminal) == 0
