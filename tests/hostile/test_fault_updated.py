"""bmtop is updated, or removed, while its console runs: it goes on with what it is, or says to start it again."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bmtop
from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.hostile.programs import BMTOP, on
from tests.hostile.screen import Screen
from tests.mailserver import Client, Message, Player, Postfix, wait_until

JANE = "jane.doe@example.com"
COUNT = 12
# The newer version has every module, and none of them fits the older ones.
NEWER = "raise AttributeError('this is of another version')\n"
# What each key opens, and saves.
OPENS = {
    "?": "Everywhere",
    "Enter": "In the queue",
    "C-p": "Search",
    "p": "New password for",
    "u": "no purge to take",
}
SAVES = {"e": "report is saved", "S": "picture is saved"}


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary(users={JANE: "Old-Word-1"}) as postfix:
        spam = [Message("spam", f"x{n}@lottery.example", (f"v{n}@victim.example",)) for n in range(COUNT)]
        Player(postfix).send(Client("203.0.113.57"), spam, JANE)
        postfix.settle()
        yield postfix


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An installation of its own; it tells when the last of its parts is loaded."""
    package = tmp_path / "installed" / "bmtop"
    shutil.copytree(Path(bmtop.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "bluemind" / "exchange.py").open("a") as last:
        last.write(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
    return package


def command(postfix: Postfix, tmp_path: Path, url: str) -> list[str]:
    """The command for the console of that installation, with a BlueMind of its own."""
    (tmp_path / "key").write_text(rest_standin.KEY)
    options = on(postfix, f"--bm-api={url}", f"--bm-token={tmp_path / 'key'}", "--window=1h")[len(BMTOP) :]
    return ["env", f"PYTHONPATH={tmp_path / 'installed'}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-m", "bmtop",
            *options]  # fmt: skip


def remove(package: Path) -> None:
    shutil.rmtree(package)


def replace(package: Path) -> None:
    for module in package.rglob("*.py"):
        module.write_text(NEWER)


def load_nothing_ahead(package: Path) -> None:
    """Have each part loaded when it is first needed, as it is in the first moment after a start."""
    (package / "console" / "after_start.py").read_bytes()
    (package / "console" / "after_start.py").write_text("async def finish_start(complete: object) -> None:\n    pass\n")


def held(postfix: Postfix) -> int:
    return sum(message.queue_name == "hold" for message in postfix.queue().values())


@pytest.mark.parametrize("update", [remove, replace])
def test_the_console_goes_on_as_what_it_was(postfix: Postfix, installed: Path, tmp_path: Path, update: object) -> None:
    here = tmp_path / "here"
    here.mkdir()
    core = Core(tmp_path)
    with rest_standin.serving(core) as rest:
        script = ["sh", "-c", f'cd {here} && exec "$@"', "sh", *command(postfix, tmp_path, rest.url)]
        with Screen.running(script) as terminal:
            terminal.wait_for(rf"{JANE} +{COUNT}")
            wait_until((tmp_path / "loaded").exists, 30, "all of it is loaded")
            assert callable(update)
            update(installed)
            for key, seen in OPENS.items():
                terminal.press_until(key, seen)
                terminal.close(seen)
            for key, seen in SAVES.items():
                terminal.press_until(key, seen)
            terminal.press_until("l", "Log out jane")
            terminal.press("y")
            terminal.wait_for("2 sessions were open, none is now")
            terminal.close("Log out jane")
            terminal.press_until("h", f"{COUNT} of {COUNT} messages chosen")
            terminal.press("y")
            terminal.wait_for(rf"{COUNT} of {COUNT} messages put on hold")
            terminal.wait_for("Put on hold 12 of 12")
            terminal.close("Put on hold 12")
            assert "cannot be loaded" not in terminal.screen()
            terminal.press("q")
            assert terminal.wait_ended() == 0
        assert [session[0] for session in core.load()["sessions"]] == ["UID-2"], "jane's sessions have ended"
    assert held(postfix) == COUNT
    assert {path.suffix for path in here.iterdir()} == {".txt", ".svg"}


@pytest.mark.parametrize("key", ["l", "d", "c", "t", "Enter", "?", "b"])
def test_a_part_that_is_gone_before_it_was_loaded_is_a_sentence(
    postfix: Postfix, installed: Path, tmp_path: Path, key: str
) -> None:
    load_nothing_ahead(installed)
    with Screen.running(command(postfix, tmp_path, "https://bluemind.example.com/api")) as terminal:
        terminal.wait_for(rf"{JANE} +{COUNT}")
        remove(installed)
        terminal.press_until(key, "cannot be loaded")
        terminal.wait_for("was updated or")
        terminal.press("q")
        assert terminal.wait_ended() == 0
    assert len(postfix.queue()) == COUNT
    assert held(postfix) == 0


def test_a_part_that_is_gone_when_an_action_is_confirmed_is_a_sentence(
    postfix: Postfix, installed: Path, tmp_path: Path
) -> None:
    load_nothing_ahead(installed)
    with rest_standin.serving(core := Core(tmp_path)) as rest, Screen.running(
        command(postfix, tmp_path, rest.url)
    ) as terminal:  # fmt: skip
        terminal.wait_for(rf"{JANE} +{COUNT}")
        terminal.press_until("l", "Log out jane")
        remove(installed)
        terminal.press("y")
        terminal.wait_for("cannot be loaded")
        terminal.press("q")
        assert terminal.wait_ended() == 0
    assert len(core.load()["sessions"]) == 3
