"""bmtop is killed in the middle of a purge: nothing is lost, nothing stays stuck, and the next start knows."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.purge.commandline import Bmtop, labels, queues, raw, several_links

ALICE, CAROL = "alice@example.com", "carol@example.com"
COUNT = 40


@pytest.fixture
def before(postfix: Postfix, player: Player) -> dict[str, bytes]:
    spam = [Message("spam", f"x{n}@lottery.example", (f"v{n}@bank.example",)) for n in range(COUNT)]
    player.send(Client("203.0.113.60"), spam, ALICE, connections=2)
    player.send(Client("198.51.100.7"), [Message("carol", CAROL, ("v@bank.example",))] * 3, CAROL)
    postfix.settle()
    return raw(postfix)


class Wrapper:
    """A program of Postfix's that does something before the real one, or in its place."""

    def __init__(self, postfix: Postfix) -> None:
        self.folder = postfix.folder / "bin"
        self.folder.mkdir(exist_ok=True)
        settings = self.folder / "bmtop.toml"
        settings.write_text(f'path = ["{self.folder}", "/usr/sbin", "/usr/bin", "/bin"]\n')
        self.bmtop = Bmtop(postfix, None, "--config", str(settings))

    def postsuper(self, script: str) -> None:
        program = self.folder / "postsuper"
        program.write_text(f'#!/bin/bash\nreal() {{ /usr/sbin/postsuper "$@"; }}\nset -- "$@"\n{script}\n')
        program.chmod(0o755)

    def remove(self) -> None:
        (self.folder / "postsuper").unlink(missing_ok=True)


@pytest.fixture
def wrapper(postfix: Postfix) -> Iterator[Wrapper]:
    found = Wrapper(postfix)
    yield found
    found.remove()


def is_cut_off(bmtop: Bmtop) -> bool:
    return "begun" in {line["state"] for line in bmtop.journal()} and bmtop.journal()[-1]["state"] == "begun"


# What postsuper does when it is to delete, and bmtop is gone all at once.
DELETES = {
    "nothing": "cat > /dev/null",
    "the first half": f'ids=$(head -n {COUNT // 2}); echo "$ids" | real "$@"',
    "everything": 'real "$@"',
}


@pytest.mark.parametrize(
    ("deletes", "then"),
    [
        ("nothing", "undo"),
        ("nothing", "finish"),
        ("the first half", "undo"),
        ("the first half", "undo of all, later"),
        ("everything", "finish"),
        ("everything", "undo"),
    ],
)
def test_a_purge_that_was_killed_is_finished_or_taken_back(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, wrapper: Wrapper, deletes: str, then: str
) -> None:
    wrapper.postsuper(f"{DELETES[deletes]}; kill -9 $PPID")
    killed = wrapper.bmtop.start("purge", "--login", ALICE, "--yes")
    assert killed.wait(30) == -signal.SIGKILL
    (begun,) = bmtop.journal()
    assert (begun["state"], begun["action"], begun["target"], len(begun["ids"])) == ("begun", "purge", ALICE, COUNT)
    said = bmtop("undo", "--list")
    assert "was cut off: `bmtop purge --finish` finishes it" in said.err
    assert f"`bmtop undo {begun['undo']}` takes it back" in said.err
    if then == "undo":
        assert bmtop("undo", begun["undo"], "--yes").status == 0
        ended = "It was cut off, and then taken back."
    else:
        finished = bmtop("purge", "--finish", "--yes", "--json")
        assert (finished.status, len(finished.json["done"])) == (0, COUNT), finished
        assert labels(postfix) == {"carol": 3}
        assert {queue_id: content for queue_id, content in before.items() if queue_id in raw(postfix)} == raw(postfix)
        ended = "It was cut off, and then finished."
    last = bmtop.journal()[-1]
    assert last["number"] == begun["number"]
    assert last["sentence"].startswith(ended)
    assert "cut off" not in bmtop("undo", "--list").err
    if then != "finish":
        if then != "undo":
            assert bmtop("undo", "--yes").status == 0
        assert raw(postfix) == before
        assert {name for queue_id, name in queues(postfix).items() if queue_id in begun["ids"]} == {"hold"}
    assert not several_links(postfix)
    assert bmtop("purge", "--finish", "--yes").status == 1


@pytest.mark.parametrize("milliseconds", [300, 450, 600, 750, 900])
def test_killed_at_any_moment(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, milliseconds: int) -> None:
    """Wherever that moment is: either nothing had begun, or all is done, or the next start says what was not."""
    running = bmtop.start("purge", "--login", ALICE, "--yes")
    time.sleep(milliseconds / 1000)
    running.kill()
    running.wait()
    # What postsuper was told already, it does.
    wait_until(lambda: "/usr/sbin/postsuper" not in commands(), what="postsuper has ended")
    if not (bmtop.state / "journal.jsonl").exists():
        assert raw(postfix) == before
        return
    begun = bmtop.journal()[0]
    if is_cut_off(bmtop):
        assert "was cut off" in bmtop("purge", "--login", "nobody@example.com", "--dry-run").err
        assert bmtop("purge", "--finish", "--yes").status == 0
    assert labels(postfix) == {"carol": 3}
    assert bmtop("undo", begun["undo"], "--yes").status == 0
    assert raw(postfix) == before
    assert not several_links(postfix)


def commands() -> set[str]:
    """The program of each process on this machine."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


def test_undo_waits_for_a_postsuper_that_goes_on_without_bmtop(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, wrapper: Wrapper
) -> None:
    wrapper.postsuper('kill -9 $PPID; sleep 1; real "$@"')
    assert wrapper.bmtop.start("purge", "--login", ALICE, "--yes").wait(30) == -signal.SIGKILL
    assert raw(postfix) == before
    assert bmtop("undo", bmtop.journal()[0]["undo"], "--yes").status == 0
    assert raw(postfix) == before
    assert not several_links(postfix)


def test_a_hold_that_was_killed(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, wrapper: Wrapper) -> None:
    wrapper.postsuper(f"{DELETES['the first half']}; kill -9 $PPID")
    assert wrapper.bmtop.start("hold", "--login", ALICE, "--yes").wait(30) == -signal.SIGKILL
    assert list(queues(postfix).values()).count("hold") == COUNT // 2
    assert "`bmtop hold --finish` finishes it" in bmtop("undo", "--list").err
    finished = bmtop("hold", "--finish", "--yes", "--json")
    assert len(finished.json["done"]) == COUNT // 2
    assert set(finished.json["left_out"].values()) == {"was on hold already"}
    assert list(queues(postfix).values()).count("hold") == COUNT
    assert raw(postfix) == before
    assert "cut off" not in bmtop("undo", "--list").err


def test_a_purge_without_copies_that_was_killed(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, wrapper: Wrapper
) -> None:
    wrapper.postsuper(
        f'[[ " $* " == *" -h "* ]] && exec /usr/sbin/postsuper "$@"\n{DELETES["the first half"]}; kill -9 $PPID'
    )
    assert wrapper.bmtop.start("purge", "--login", ALICE, "--yes", "--without-undo").wait(30) == -signal.SIGKILL
    assert labels(postfix) == {"carol": 3, "spam": COUNT // 2}
    finished = bmtop("purge", "--finish", "--yes", "--json")
    assert len(finished.json["done"]) == COUNT // 2
    assert set(finished.json["left_out"].values()) == {"had left the queue"}
    assert labels(postfix) == {"carol": 3}


def test_a_postsuper_that_fails_halfway(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, wrapper: Wrapper
) -> None:
    wrapper.postsuper(f"{DELETES['the first half']}; echo 'postsuper: fatal: out of luck' >&2; exit 1")
    said = wrapper.bmtop("purge", "--login", ALICE, "--yes", "--json")
    assert (said.status, len(said.json["done"])) == (3, COUNT // 2)
    assert set(said.json["left_out"].values()) == {"was not deleted by postsuper"}
    assert any("out of luck" in note for note in said.json["notes"])
    last = bmtop.journal()[-1]
    assert (last["state"], last["status"]) == ("failed", 1)
    assert "out of luck" in last["sentence"]
    assert labels(postfix) == {"carol": 3, "spam": COUNT // 2}
    assert not several_links(postfix)
    assert bmtop("undo", "--yes").status == 0
    assert raw(postfix) == before
    wrapper.postsuper("exit 1")
    said = wrapper.bmtop("purge", "--login", ALICE, "--yes")
    assert (said.status, said.out) == (4, "")
    assert raw(postfix) == before
    assert not several_links(postfix)
    assert bmtop("undo", "--list").status == 1
