"""Short queue ids are used again: what was shown is deleted, and never what has its id by then."""

import shutil
from pathlib import Path

import pytest

from bmtop.checked import Refused
from bmtop.response.plan import no_progress
from tests.mailserver import Client, Message, Player, Postfix, Sent
from tests.mailserver.postfix import run
from tests.purge.commandline import Bmtop, frozen, labels, raw

ALICE, CAROL = "alice@example.com", "carol@example.com"
INTRUDER, OFFICE = Client("203.0.113.60"), Client("198.51.100.7")
SPAM = Message("spam", "x@lottery.example", ("v@bank.example",))

# Everything else about it is as in the spam.
OTHERS = {
    "login": (INTRUDER, Message("other", SPAM.sender, SPAM.recipients, subject="Hell"), CAROL),
    "client": (OFFICE, Message("other", SPAM.sender, SPAM.recipients, subject="Hell"), ALICE),
    "sender": (INTRUDER, Message("other", "y@lottery.example", SPAM.recipients, subject="Hell"), ALICE),
    "size": (INTRUDER, Message("other", SPAM.sender, SPAM.recipients), ALICE),
}


def put_in_place_of(postfix: Postfix, other: Sent, spam: Sent) -> Path:
    """The spam leaves, and another message takes its id, as it can when its inode is free again."""
    run("postsuper", "-c", str(postfix.etc), "-h", other.queue_id)
    run("postsuper", "-c", str(postfix.etc), "-d", spam.queue_id)
    place = postfix.spool / "hold" / spam.queue_id
    (postfix.spool / "hold" / other.queue_id).rename(place)
    return place


@pytest.mark.parametrize("differs_in", OTHERS)
def test_a_message_that_has_the_id_by_now_survives(postfix: Postfix, player: Player, differs_in: str) -> None:
    first, *rest = player.send(INTRUDER, [SPAM] * 3, ALICE)
    postfix.settle()
    responder, plan = frozen(postfix, ALICE)
    client, message, login = OTHERS[differs_in]
    (other,) = player.send(client, [message], login)
    postfix.settle()
    place = put_in_place_of(postfix, other, first)
    content = place.read_bytes()
    outcome = responder.purge(plan, no_progress)
    assert set(outcome.done) == {sent.queue_id for sent in rest}
    assert outcome.left_out == {first.queue_id: "is another message now"}
    assert place.read_bytes() == content
    assert place.stat().st_nlink == 1
    assert labels(postfix) == {"other": 1}
    assert outcome.undo is not None
    assert set(responder.undo(outcome.undo, no_progress).ids) == set(outcome.done)
    assert place.read_bytes() == content


@pytest.mark.parametrize("without_undo", [True, False])
def test_it_survives_also_where_no_copy_is_kept_and_what_is_gone_is_said(
    postfix: Postfix, player: Player, without_undo: bool
) -> None:
    first, second, third = player.send(INTRUDER, [SPAM] * 3, ALICE)
    (other,) = player.send(OFFICE, [Message("other", CAROL, ("v@bank.example",))], CAROL)
    postfix.settle()
    responder, plan = frozen(postfix, ALICE)
    place = put_in_place_of(postfix, other, first)
    run("postsuper", "-c", str(postfix.etc), "-d", second.queue_id)
    content = place.read_bytes()
    outcome = responder.purge(plan, no_progress, without_undo=without_undo)
    assert outcome.done == (third.queue_id,)
    assert outcome.left_out == {first.queue_id: "is another message now", second.queue_id: "had left the queue"}
    assert raw(postfix) == {first.queue_id: content}
    sentence = Bmtop(postfix).journal()[-1]["sentence"]
    assert sentence == "Deleted 1 of 3 messages; 2 left out."


def test_neither_hold_nor_release_touch_it(postfix: Postfix, player: Player) -> None:
    first, second = player.send(INTRUDER, [SPAM] * 2, ALICE)
    (other,) = player.send(OFFICE, [Message("other", CAROL, ("v@bank.example",))], CAROL)
    postfix.settle()
    (holder, hold), (releaser, release) = frozen(postfix, ALICE, "hold"), frozen(postfix, ALICE, "release")
    place = put_in_place_of(postfix, other, first)
    outcome = releaser.release(release, no_progress)
    assert outcome.left_out == {first.queue_id: "is another message now", second.queue_id: "was not on hold"}
    assert place.exists()
    run("postsuper", "-c", str(postfix.etc), "-H", first.queue_id)
    outcome = holder.hold(hold, no_progress)
    assert outcome.done == (second.queue_id,)
    assert outcome.left_out == {first.queue_id: "is another message now"}
    assert postfix.queue()[first.queue_id].queue_name == "deferred"


def test_an_id_that_has_two_files_stops_the_whole_action(postfix: Postfix, player: Player) -> None:
    first, _ = player.send(INTRUDER, [SPAM] * 2, ALICE)
    (other,) = player.send(OFFICE, [Message("other", CAROL, ("v@bank.example",))], CAROL)
    postfix.settle()
    responder, plan = frozen(postfix, ALICE)
    # As after a restored backup: postsuper would take the one on hold, which is carol's.
    shutil.copy2(postfix.files()[other.queue_id], postfix.spool / "hold" / first.queue_id)
    before = {path: path.read_bytes() for path in postfix.spool.glob("*/**/*") if path.is_file()}
    with pytest.raises(Refused, match="postsuper -s"):
        responder.purge(plan, no_progress)
    after = {path: path.read_bytes() for path in postfix.spool.glob("*/**/*") if path.is_file()}
    assert after == before
