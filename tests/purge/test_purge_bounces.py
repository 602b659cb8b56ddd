"""The bounces that Postfix itself made for the spam: told of, and only taken where that is asked for."""

from tests.mailserver import Client, Message, Player, Postfix
from tests.purge.commandline import Bmtop, labels, raw

ALICE, CAROL = "alice@example.com", "carol@example.com"
INTRUDER, OFFICE = Client("203.0.113.60"), Client("198.51.100.7")
DEAD = "nobody@dead.invalid"


def play(player: Player) -> None:
    """Spam that is still there, spam that came back, and honest mail that came back."""
    spam = [Message("spam", f"forged{n}@bank.example", ("v@bank.example",)) for n in range(4)]
    mixed = [Message("spam", f"mixed{n}@bank.example", ("v@bank.example", DEAD)) for n in range(3)]
    gone = [Message("spam", f"gone{n}@bank.example", (DEAD,)) for n in range(2)]
    player.send(INTRUDER, spam + mixed + gone, ALICE)
    player.send(OFFICE, [Message("carol", "carol@elsewhere.example", (DEAD,)) for _ in range(2)], CAROL)
    # Somebody else's bounce, which comes in from outside, is ordinary mail.
    player.send(OFFICE, [Message("from outside", "", ("v@bank.example",))], CAROL)
    player.postfix.settle()


def to(postfix: Postfix) -> list[str]:
    """To whom the bounces in the queue go."""
    return sorted(to for m in postfix.queue().values() if m.sender == "MAILER-DAEMON" for to in m.recipients)


CAROLS = ["carol@elsewhere.example", "carol@elsewhere.example", "v@bank.example"]
OF_THE_SPAM = ["gone0@bank.example", "gone1@bank.example", *(f"mixed{n}@bank.example" for n in range(3))]


def test_they_are_left_and_told_of(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    play(player)
    done = bmtop("purge", "--login", ALICE, "--yes", "--json")
    assert len(done.json["done"]) == 7
    assert "Left in the queue: 5 bounces that Postfix made for them; --bounces takes those, too." in done.err
    assert to(postfix) == sorted(OF_THE_SPAM + CAROLS)


def test_they_are_taken_where_that_is_asked_for_also_after_the_spam_has_left(
    postfix: Postfix, player: Player, bmtop: Bmtop
) -> None:
    play(player)
    before = raw(postfix)
    held = bmtop("hold", "--login", ALICE, "--bounces", "--yes", "--json")
    assert len(held.json["done"]) == 12
    assert bmtop("release", "--login", ALICE, "--yes").status == 0
    done = bmtop("purge", "--login", ALICE, "--bounces", "--yes", "--json")
    assert len(done.json["done"]) == 12
    assert to(postfix) == CAROLS
    assert labels(postfix)["spam"] == 0
    assert bmtop("undo", "--yes").status == 0
    assert raw(postfix) == before


def test_they_follow_the_filter(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    play(player)
    for options, count in (
        (("--client", INTRUDER.address), 12),
        (("--login", ALICE, "--sender", "gone0@bank.example"), 1),
        (("--sender", "@bank.example"), 12),
        (("--login", CAROL), 3),
        (("--login", ALICE, "--not-client", INTRUDER.address), 0),
    ):
        looked = bmtop("purge", *options, "--bounces", "--dry-run", "--json")
        assert len(looked.json["selected"]) == count, options
