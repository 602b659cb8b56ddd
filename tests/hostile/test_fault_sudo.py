"""The sudo rules of the README let through what they name, and no other file, program or setting of the caller's."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.people import SUDOERS, People
from tests.hostile.screen import Screen
from tests.mailserver import Player, Postfix, incident

ALICE = "alice@example.com"
BMTOP = "/opt/bmtop/bin/bmtop"
SECRET = "root:x:0:0"
SMUGGLED = {
    "BMTOP_LOG": "/etc/passwd", "BMTOP_BM_CLI": "/bin/sh", "BMTOP_READ_ONLY": "no", "BMTOP_POSTFIX": "/tmp",
    "PYTHONPATH": "/nowhere", "PYTHONSTARTUP": "/nowhere", "HOME": "/tmp", "TEXTUAL_DRIVER": "x:y",
}  # fmt: skip


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        incident(Player(postfix), 40)
        yield postfix


@pytest.fixture(scope="module")
def people(postfix: Postfix) -> Iterator[People]:
    with tempfile.TemporaryDirectory(prefix="bmtop-test-") as name:
        yield People(Path(name), postfix)


def state(postfix: Postfix) -> dict[str, object]:
    return {
        "queue": {id: (path, path.read_bytes()) for id, path in postfix.files().items()},
        "state": (postfix.folder / "state").exists(),
        "main.cf": (postfix.etc / "main.cf").read_bytes(),
    }


def test_they_are_those_of_the_readme() -> None:
    assert SUDOERS.read_text() in (Path(__file__).parents[2] / "README.md").read_text()


def test_sudo_understands_them() -> None:
    done = subprocess.run(["visudo", "-c", "-f", SUDOERS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{SUDOERS}: parsed OK\n"), done.stderr
    rules = [line for line in SUDOERS.read_text().splitlines() if not line.startswith("#")]
    assert not any(sign in line for line in rules for sign in "*?[^"), "no pattern that more than one text fits"


LOOKS = (["--read-only", "report"], ["--read-only", "report", "--json"])


@pytest.mark.parametrize("user", ["helper", "boss"])
@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_the_helpdesk_looks_as_root(postfix: Postfix, people: People, user: str, command: list[str]) -> None:
    before = state(postfix)
    done = people.run(user, "sudo", "-n", BMTOP, *command, environment=SMUGGLED)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "all can be read, and no setting came from the environment"
    assert ALICE in done.stdout
    assert SECRET not in done.stdout
    assert state(postfix) == before


NOT_LET_THROUGH = (
    [BMTOP],
    [BMTOP, "report"],
    [BMTOP, "--read-only", "--log", "/etc/shadow"],
    [BMTOP, "--read-only", "report", "--log", "/etc/shadow"],
    [BMTOP, "--read-only", "report", "--json", "--log=/etc/shadow"],
    [BMTOP, "--read-only", "report", "--json", "--config=/tmp/mine.toml"],
    [BMTOP, "--read-only", "--log", "/etc/shadow", "report"],
    [BMTOP, "--read-only", "purge", "--queue=deferred", "--yes"],
    [BMTOP, "--bm-cli", "/bin/sh", "logout", ALICE],
    [BMTOP, "--demo"],
    [BMTOP, "check"],
    ["BMTOP_LOG=/etc/shadow", BMTOP, "--read-only", "report"],
    ["-E", BMTOP, "--read-only", "report"],
    ["--chdir=/etc", BMTOP, "--read-only", "report"],
    ["/opt/bmtop/bin/../bin/bmtop", "purge", "--queue=deferred", "--yes"],
    ["/bin/sh", "-c", "id"],
)


@pytest.mark.parametrize("command", NOT_LET_THROUGH, ids=" ".join)
def test_nothing_else_gets_through(postfix: Postfix, people: People, command: list[str]) -> None:
    before = state(postfix)
    done = people.run("helper", "sudo", "-n", *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not allowed" in done.stderr or "not permitted" in done.stderr, done.stderr
    assert state(postfix) == before


@pytest.mark.parametrize("command", [["--read-only report"], ["--read-only", "report --json"]], ids=" ".join)
def test_what_sudo_takes_for_the_same_words_is_not_bmtops(people: People, command: list[str]) -> None:
    # sudo compares the arguments as one text (sudoers(5)); bmtop takes them one by one, and no option by its beginning.
    done = people.run("helper", "sudo", "-n", BMTOP, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: bmtop" in done.stderr


def test_monitoring_may_check_and_nothing_more(people: People) -> None:
    done = people.run("nagios", "sudo", "-n", BMTOP, "check", environment=SMUGGLED)
    assert done.returncode == 1
    assert done.stdout.startswith(f"BMTOP WARNING - 50 queued, suspected: {ALICE}")
    for more in (["--log", "/etc/shadow"], ["--warning", "1"]):
        assert people.run("nagios", "sudo", "-n", BMTOP, "check", *more).returncode == 1
        assert people.run("nagios", "sudo", "-n", BMTOP, "check", *more).stdout == ""


def test_the_helpdesks_console_changes_nothing(postfix: Postfix, people: People) -> None:
    before = state(postfix)
    command = people.command("helper", "sudo", "-n", BMTOP, "--read-only")
    with Screen.running(["env", "BMTOP_READ_ONLY=no", *command]) as terminal:
        terminal.wait_for(rf"{ALICE} +\d+")
        terminal.wait_for("READ-ONLY")
        for key in ("l", "p", "e"):
            terminal.press_until(key, "start it without")
            terminal.close("start it without")
        terminal.press("q")
        assert terminal.wait_ended() == 0
    assert state(postfix) == before


def test_an_administrator_acts_in_the_console_alone(postfix: Postfix, people: People) -> None:
    for command in (["purge", f"--login={ALICE}", "--yes"], ["--log", "/etc/shadow"], ["--config", "/tmp/mine.toml"]):
        done = people.run("boss", "sudo", "-n", BMTOP, *command)
        assert (done.returncode, done.stdout) == (1, "")
    with Screen.running(people.command("boss", "sudo", "-n", BMTOP)) as terminal:
        terminal.wait_for(rf"{ALICE} +\d+")
        terminal.press_until("h", "20 of 20 messages chosen")
        terminal.press("y")
        terminal.wait_for("Put on hold 20 of 20")
        terminal.wait_for(r"boss +hold +alice@example\.com +done")
