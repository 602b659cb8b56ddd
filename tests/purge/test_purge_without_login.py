"""`--without-login`: of all that came from an address, what nobody logged in for; through a content filter as well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mailserver import Message, Player, Postfix
from tests.mailserver.stories import ALICE, BROKEN_RELAY, CAROL, OFFICE
from tests.purge.commandline import Bmtop, clear, labels, queues, raw
from tests.purge.filters import filtered

SPAM = [Message("spam", "winner@lottery.example", (f"v{n}@bank.example",)) for n in range(4)]
LETTERS = [Message("colleague", CAROL, (f"buyer{n}@customer.example",)) for n in range(3)]
OTHERS = [Message("other", "app@shop.example", ("buyer@customer.example",))]
FROM_THERE = ("--client", BROKEN_RELAY.address)


@pytest.fixture(scope="module", params=["plain", "xforward", "silent"])
def server(request: pytest.FixtureRequest) -> Iterator[Postfix]:
    with Postfix.temporary() if request.param == "plain" else filtered(xforward=request.param == "xforward") as postfix:
        yield postfix


@pytest.fixture
def postfix(server: Postfix) -> Postfix:
    """A broken-into relay client and two people who log in, all behind one address; and somebody elsewhere."""
    clear(server)
    player = Player(server)
    player.send(BROKEN_RELAY, SPAM)
    player.send(BROKEN_RELAY, LETTERS, CAROL)
    player.send(BROKEN_RELAY, LETTERS, ALICE)
    player.send(OFFICE, OTHERS, ALICE)
    server.settle()
    assert labels(server) == {"spam": 4, "colleague": 6, "other": 1}
    return server


def test_a_purge_takes_what_came_without_a_login_and_nothing_else(postfix: Postfix, bmtop: Bmtop) -> None:
    before = raw(postfix)
    done = bmtop("purge", *FROM_THERE, "--without-login", "--yes", "--json")
    assert (done.status, len(done.json["done"])) == (0, 4), done
    assert done.json["filter"] == {"client": [f"{BROKEN_RELAY.address}/32"], "without_login": True}
    assert labels(postfix) == {"colleague": 6, "other": 1}
    assert bmtop("undo", "--yes").status == 0
    assert raw(postfix) == before


def test_hold_and_release_go_by_it_as_well(postfix: Postfix, bmtop: Bmtop) -> None:
    assert bmtop("hold", *FROM_THERE, "--without-login", "--yes").status == 0
    assert sorted(queues(postfix).values()) == ["deferred"] * 7 + ["hold"] * 4
    assert bmtop("hold", *FROM_THERE, "--yes").status == 0
    assert bmtop("release", *FROM_THERE, "--without-login", "--yes").status == 0
    assert sorted(queues(postfix).values()) == ["deferred"] * 5 + ["hold"] * 6


def test_a_client_alone_means_all_that_came_from_there(postfix: Postfix, bmtop: Bmtop) -> None:
    done = bmtop("purge", *FROM_THERE, "--yes", "--json")
    assert "without_login" not in done.json["filter"]
    assert labels(postfix) == {"other": 1}


def test_where_the_log_tells_the_login_no_more_a_filtered_message_is_left_alone(postfix: Postfix, bmtop: Bmtop) -> None:
    log = postfix.log.read_bytes()
    postfix.log.write_bytes(b"")
    try:
        bmtop("purge", *FROM_THERE, "--without-login", "--yes")
    finally:
        postfix.log.write_bytes(log)
    assert labels(postfix)["colleague"] == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--login", ALICE, "--without-login"), "leave one of the two out"),
        (("--without-login",), "No filter was given"),
        (("--without-login", "--finish"), "takes neither a filter"),
    ],
)
def test_what_makes_no_sense_is_refused(server: Postfix, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = Bmtop(server, tmp_path)("purge", *arguments, "--yes")
    assert refused.status == 2
    assert said in refused.err
