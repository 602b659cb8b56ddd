"""Mail that came back through a content filter belongs to who sent it in the first place."""

from collections.abc import Iterator

import pytest

from tests.mailserver import Client, Message, Player, Postfix, played
from tests.purge.commandline import Bmtop, clear, labels, raw
from tests.purge.filters import filtered

ALICE, CAROL = "alice@example.com", "carol@example.com"
INTRUDER, OFFICE, WEBMAIL = Client("203.0.113.60"), Client("198.51.100.7"), Client("127.0.0.1")


@pytest.fixture(scope="module", params=[True, False], ids=["xforward", "silent"])
def filtering(request: pytest.FixtureRequest) -> Iterator[Postfix]:
    with filtered(xforward=request.param) as postfix:
        yield postfix


@pytest.fixture
def postfix(filtering: Postfix) -> Postfix:
    clear(filtering)
    return filtering


def play(player: Player) -> None:
    """Alice's spam under many senders, some of them carol; carol's own mail, and mail of the machine itself."""
    senders = ("winner@lottery.example", "", CAROL, '"a b"@lottery.example', "Winner@Lottery.example")
    spam = [
        Message("spam", sender, (f"v{n}@bank.example", f'"w {n}"@bank.example')) for n, sender in enumerate(senders)
    ]
    player.send(INTRUDER, spam, ALICE)
    player.send(OFFICE, [Message("carol", CAROL, (f"v{n}@bank.example",)) for n in range(5)], CAROL)
    player.send(WEBMAIL, [Message("machine", "winner@lottery.example", ("v0@bank.example",)) for _ in range(3)])
    player.postfix.settle()


def test_a_login_is_known_through_the_filter(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    play(player)
    before = raw(postfix)
    # All of it has other ids by now than those it was taken in under.
    assert not {sent.queue_id for sent in player.sent} & set(before)
    done = bmtop("purge", "--login", ALICE, "--yes", "--json")
    assert (done.status, len(done.json["done"])) == (0, 5), done
    assert labels(postfix) == {"carol": 5, "machine": 3}
    assert bmtop("undo", "--yes").status == 0
    assert raw(postfix) == before


def test_a_client_is_known_through_the_filter(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    play(player)
    assert bmtop("purge", "--client", "203.0.113.0/24", "--yes").status == 0
    assert labels(postfix) == {"carol": 5, "machine": 3}
    assert bmtop("purge", "--client", "127.0.0.1", "--yes").status == 0
    assert labels(postfix) == {"carol": 5}


def test_who_is_spared_is_spared_behind_the_filter(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    play(player)
    assert bmtop("purge", "--login", CAROL, "--not-client", OFFICE.address, "--dry-run").status == 1
    assert bmtop("purge", "--sender", CAROL, "--not-client", OFFICE.address, "--yes").status == 0
    assert labels(postfix) == {"carol": 5, "machine": 3, "spam": 4}


def test_a_bounce_of_filtered_spam_goes_with_it(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    player.send(INTRUDER, [Message("spam", "forged@bank.example", ("nobody@dead.invalid",))], ALICE)
    player.send(OFFICE, [Message("carol", "carol@bank.example", ("nobody@dead.invalid",))], CAROL)
    postfix.settle()
    assert labels(postfix) == {"bounce": 2}
    looked = bmtop("purge", "--login", ALICE, "--bounces", "--dry-run", "--json")
    (queue_id,) = looked.json["selected"]
    assert postfix.queue()[queue_id].recipients == ("forged@bank.example",)
    assert set(played(postfix)) > {queue_id}
