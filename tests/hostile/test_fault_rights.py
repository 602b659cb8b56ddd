"""Who is not root sees all that may be read; what may not is named, with the command that would allow it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.people import People
from tests.hostile.programs import on, run
from tests.hostile.screen import Screen
from tests.mailserver import Player, Postfix, incident
from tests.mailserver.stories import Played

ALICE = "alice@example.com"
BMTOP = "/opt/bmtop/bin/bmtop"
HELP = "run `sudo bmtop`"


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        yield postfix


@pytest.fixture(scope="module")
def truth(postfix: Postfix) -> Played:
    return incident(Player(postfix), 40)


@pytest.fixture(scope="module")
def people(postfix: Postfix, truth: Played) -> Iterator[People]:
    with tempfile.TemporaryDirectory(prefix="bmtop-test-") as name:
        people = People(Path(name), postfix)
        # Root was there before: there is a journal, a known relay, and an undo copy.
        for command in (["known", "192.0.2.10"], ["purge", "--login=bob@example.com", "--yes"]):
            assert run(on(postfix, *command)).returncode == 0
        yield people


def test_a_member_of_adm_sees_all_but_whose_the_queued_messages_are(
    postfix: Postfix, people: People, truth: Played
) -> None:
    done = people.run("reader", BMTOP, "report")
    assert done.returncode == 0
    assert f"Queue: {len(postfix.queue())} messages" in done.stdout
    (alice,) = [line.split() for line in done.stdout.splitlines() if line.startswith(f"  {ALICE}")]
    assert alice[1] == str(truth.counts()["spam/alice"])
    assert alice[3] == "?", "not known is not none"
    assert "TRUSTED" in done.stdout
    assert truth.knocker in done.stdout
    for what in ("postcat failed", "The list of known relays", "The journal"):
        (said,) = [line for line in done.stderr.splitlines() if what in line]
        assert HELP in said.replace("Run", "run")
    assert "failed (" not in done.stderr


def test_without_the_log_the_queue_is_shown_and_the_command_named(postfix: Postfix, people: People) -> None:
    done = people.run("helper", BMTOP, "report")
    assert done.returncode == 0
    assert f"Queue: {len(postfix.queue())} messages" in done.stdout
    assert "Top SASL senders: not known" in done.stdout
    assert f"cannot be read (permission denied); {HELP}" in done.stderr
    assert "become a member of adm: `sudo usermod -aG adm $USER`, and log in again" in done.stderr


def test_monitoring_needs_to_read_the_log_and_says_so(postfix: Postfix, people: People) -> None:
    queued = f"{len(postfix.queue())} queued"
    done = people.run("helper", BMTOP, "check")
    assert done.returncode == 3, "blind, it can say of nobody that all is well"
    assert done.stdout.startswith(f"BMTOP UNKNOWN - {queued}, but: The log ")
    assert done.stdout.count("\n") == 1
    done = people.run("reader", BMTOP, "check")
    assert done.returncode == 1
    assert f"{queued}, suspected: {ALICE} (" in done.stdout


REFUSED = (
    ["purge", f"--login={ALICE}", "--yes"],
    ["purge", f"--login={ALICE}", "--dry-run"],
    ["purge", "--queue=deferred", "--yes"],
    ["hold", "--queue=deferred", "--yes"],
    ["hold", f"--login={ALICE}", "--follow", "--yes"],
    ["release", f"--login={ALICE}", "--yes"],
    ["purge", "--finish", "--yes"],
    ["undo", "--list"],
    ["undo", "--yes"],
    ["logout", ALICE],
    ["passwd", ALICE, "--make"],
    ["untrust", "192.0.2.66", "--yes"],
    ["untrust", "--undo", "--yes"],
    ["known"],
    ["known", "192.0.2.66"],
)


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_what_needs_root_says_so_and_changes_nothing(postfix: Postfix, people: People, command: list[str]) -> None:
    before = {id: (path, path.read_bytes()) for id, path in postfix.files().items()}
    done = people.run("reader", BMTOP, *command)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("bmtop: ")
    assert HELP in last
    assert "move it away" not in done.stderr
    assert {id: (path, path.read_bytes()) for id, path in postfix.files().items()} == before


def test_the_console_says_it_too(people: People) -> None:
    with Screen.running(people.command("reader", BMTOP), width=200, height=60) as terminal:
        terminal.wait_for(rf"{ALICE} +\d+")
        for what in ("postcat failed", "known relays", "journal"):
            terminal.wait_for(f"PROBLEM .*{what}.*sudo bmtop")
        terminal.press("h")
        terminal.wait_for("Not done")
        terminal.wait_for(HELP)
        terminal.press("Escape")
        terminal.wait_gone("Not done")
        terminal.press("q")
        assert terminal.wait_ended() == 0
