"""Messages that are being delivered: held first, and what leaves nevertheless is counted and said."""

import contextlib
import os
import re
from pathlib import Path

import pytest

from bmtop.response.plan import no_progress
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.purge.commandline import Bmtop, clear, frozen, labels, raw, several_links

ALICE, CAROL = "alice@example.com", "carol@example.com"
INTRUDER, OFFICE = Client("203.0.113.60"), Client("198.51.100.7")


@pytest.fixture
def postfix(mail_server: Postfix) -> Postfix:
    return mail_server


def sent_to(postfix: Postfix) -> set[str]:
    """The ids whose mail a server took, by Postfix's log."""
    return set(re.findall(r"/smtp\[\d+\]: (\w+): to=.*status=sent", postfix.log.read_text()))


def in_delivery(postfix: Postfix) -> list[str]:
    return [path.name for path in postfix.files().values() if path.parent.name == "active"]


def being_delivered(postfix: Postfix) -> set[str]:
    """The ids of the queue files that a process smtp has open."""
    found = set()
    for pid in postfix.processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "smtp\n":
                links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
                found |= {
                    Path(link).name
                    for link in links
                    if link.startswith((f"{postfix.spool}/active/", f"{postfix.spool}/hold/"))
                }
    return found


def play(player: Player, count: int) -> None:
    player.send(
        INTRUDER, [Message("spam", f"x{n}@lottery.example", (f"v{n}@bank.example",)) for n in range(count)], ALICE
    )
    player.send(OFFICE, [Message("carol", CAROL, (f"v{n}@bank.example",)) for n in range(3)], CAROL)
    player.postfix.settle()


@pytest.mark.parametrize("options", [(), ("--without-undo",)], ids=["undo", "without undo"])
def test_a_purge_in_the_middle_of_delivery(postfix: Postfix, player: Player, bmtop: Bmtop, options: tuple[str]) -> None:
    play(player, 12)
    spam = {sent.queue_id for sent in player.sent if sent.label == "spam"}
    # A server that takes so long for each message that none has arrived when the queue is listed.
    postfix.deliver(seconds_each=4)
    wait_until(lambda: len(in_delivery(postfix)) > 4, what="several are in delivery")
    done = bmtop("purge", "--login", ALICE, "--yes", "--json", *options)
    deleted, left_out = set(done.json["done"]), done.json["left_out"]
    assert deleted | set(left_out) == spam
    assert labels(postfix)["spam"] == 0
    assert done.status == (3 if left_out else 0)
    # Those were in delivery just then; nothing but them can have arrived, other than what is left out.
    noted = sum(int(found) for note in done.json["notes"] for found in re.findall(r"^(\d+) of them w", note))
    wait_until(lambda: not being_delivered(postfix), 30, "all deliveries have ended")
    arrived = sent_to(postfix) & spam
    assert set(left_out) <= arrived
    assert len(arrived & deleted) <= noted
    assert arrived, "the server was too slow to show anything"
    assert noted
    if not options:
        before_undo = labels(postfix)
        assert bmtop("undo", "--yes").status == 0
        assert set(raw(postfix)) >= deleted
        assert labels(postfix) - before_undo == {"spam": len(deleted)}
        assert not several_links(postfix)
        # What did arrive is marked so in the file itself: released, it is not sent a second time.
        bmtop("release", "--login", ALICE, "--yes")
        postfix.flush()
        wait_until(lambda: sent_to(postfix) >= deleted, 30, "the rest is delivered")
        log = postfix.log.read_text()
        for queue_id in spam:
            assert len(re.findall(rf"/smtp\[\d+\]: {queue_id}: to=.*status=sent", log)) == 1, queue_id


@pytest.mark.parametrize("action", ["purge", "hold"])
def test_what_was_delivered_before_it_could_be_held_is_not_called_deleted_or_held(
    postfix: Postfix, player: Player, action: str
) -> None:
    play(player, 1)
    (spam,) = (sent.queue_id for sent in player.sent if sent.label == "spam")
    # Long enough to be seen in it.
    postfix.deliver(seconds_each=5)
    wait_until(lambda: spam in being_delivered(postfix), 30, "it is in delivery")
    # It is held in the middle of its delivery, and delivered; then it is as if this had happened just now.
    hold, active = postfix.spool / "hold" / spam, postfix.spool / "active" / spam
    active.rename(hold)
    wait_until(lambda: spam in sent_to(postfix) and not being_delivered(postfix), 30, "it is delivered")
    hold.rename(active)
    responder, plan = frozen(postfix, ALICE, "purge" if action == "purge" else "hold")
    outcome = responder.purge(plan, no_progress) if action == "purge" else responder.hold(plan, no_progress)
    assert (outcome.done, dict(outcome.left_out)) == ((), {spam: "was delivered before it could be held"})
    postfix.flush()
    wait_until(lambda: spam not in raw(postfix), what="nothing of it is left in the queue")
    assert outcome.undo is None


def test_a_message_on_its_way_is_held_in_time(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    """More than one server takes at a time: those that wait in `active` do not leave any more."""
    clear(postfix)
    play(player, 40)
    postfix.deliver(seconds_each=30)
    wait_until(lambda: len(in_delivery(postfix)) > 20, what="many are active")
    held = bmtop("hold", "--login", ALICE, "--yes", "--json")
    assert len(held.json["done"]) == 40
    assert not set(in_delivery(postfix)) & set(held.json["done"])
    assert any("being delivered just then" in note for note in held.json["notes"])
