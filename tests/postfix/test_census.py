"""The queue kept in step by looking into its folders is the queue that Postfix lists."""

import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from bmtop.checked import QueueId, Refused
from bmtop.incident import message
from bmtop.incident.incident import Incident
from bmtop.incident.message import Envelope
from bmtop.postfix import networks
from bmtop.postfix.census import Census
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix as Instance
from bmtop.response.witness import hear_postcat
from bmtop.server import Server
from tests.mailserver import Client, Message, Player, Postfix, incident
from tests.mailserver.postfix import wait_until
from tests.mailserver.stories import ALICE, INTRUDER

RELAY = Client("192.0.2.10", "printer.example.com", "printer")


def letters(count: int, to: str = "victim@foreign.example") -> list[Message]:
    return [Message("x", f"sender{n}@lottery.example", (to, f"other{n}@foreign.example")) for n in range(count)]


def census_of(postfix: Postfix) -> Census:
    return Census(Instance(Server(), postfix.etc))


def postsuper(postfix: Postfix, option: str, ids: Iterable[str]) -> None:
    command = ["/usr/sbin/postsuper", "-c", str(postfix.etc), option, "-"]
    subprocess.run(command, input="\n".join(ids), text=True, check=True, capture_output=True)


def as_listed(postfix: Postfix) -> dict[QueueId, message.Message]:
    census = census_of(postfix)
    census.take()
    return census.messages


def facts(found: dict[QueueId, message.Message]) -> dict[QueueId, tuple[object, ...]]:
    """Return all that is said of each message, but for the reason, which only a listing tells."""
    return {
        id: (m.queue, m.arrival, m.size, m.sender, sorted(m.recipients), m.login, m.client, m.envelope)
        for id, m in found.items()
    }


def test_what_comes_moves_and_goes_between_two_listings_is_seen(mail_server: Postfix) -> None:
    player = Player(mail_server)
    player.send(INTRUDER, letters(30), ALICE, connections=3)
    mail_server.settle()
    census = census_of(mail_server)
    added, gone = census.take()
    assert len(added) == 30
    assert not gone

    listed = census._next_listing = float("inf")
    come = player.send(RELAY, letters(7)) + player.send(INTRUDER, letters(5), ALICE)
    held, deleted = sorted(census.messages)[:4], sorted(census.messages)[4:10]
    postsuper(mail_server, "-h", held)
    postsuper(mail_server, "-d", deleted)
    mail_server.settle()

    wait_until(lambda: _look(census, added, gone) and len(census.messages) == 36, what="all is seen")
    assert census._next_listing == listed, "nothing was listed meanwhile"
    assert facts(census.messages) == facts(as_listed(mail_server))
    assert {m.id for m in added[30:]} == {sent.queue_id for sent in come}
    assert {m.id for m in gone} == set(deleted)
    assert {id for id, m in census.messages.items() if m.queue == "hold"} == set(held)
    assert {m.login for m in added[30:]} == {ALICE, None}


def _look(census: Census, added: list[message.Message], gone: list[message.Message]) -> bool:
    more, less = census.look()
    added += more
    gone += less
    return True


@pytest.mark.parametrize("long_ids", [False, True])
def test_queue_files_say_what_postcat_and_postqueue_say(long_ids: bool) -> None:
    with Postfix.temporary(long_queue_ids=long_ids) as postfix:
        incident(Player(postfix), scale=120)
        census = census_of(postfix)
        census.look()
        queue = postfix.queue()
        assert {(m.id, m.queue, m.arrival, m.size, tuple(sorted(m.recipients))) for m in census.messages.values()} == {
            (q.queue_id, q.queue_name, q.arrival_time, q.message_size, tuple(sorted(q.recipients)))
            for q in queue.values()
        }
        said = envelopes(Instance(Server(), postfix.etc), list(census.messages))
        assert {id: m.envelope for id, m in census.messages.items()} == said


def test_mail_to_a_list_that_has_left_the_queue_accuses_nobody(mail_server: Postfix) -> None:
    """Most of its recipients are served first, so it leaves with fewer than it came with."""
    mail_server.postconf(defer_transports="smtp, relay, discard")
    player, census = Player(mail_server), census_of(mail_server)
    territory = networks.territory(Instance(Server(), mail_server.etc))
    seen, fresh = (Incident(window=900, threshold=200, territory=territory) for _ in range(2))
    singers = tuple(f"singer{n}@example.net" for n in range(60))

    def look() -> None:
        added, gone = census.take()
        seen.queued(time.time(), added, gone)

    waiting = [Message("x", "choir@partner.example", ("one@foreign.example",)) for _ in range(4)]
    lists = [Message("x", "choir@partner.example", (*singers, "away@foreign.example")) for _ in range(5)]
    player.send(RELAY, waiting)
    sent = [mail.queue_id for mail in player.send(RELAY, lists)]
    mail_server.settle()
    look()
    mail_server.postconf(defer_transports="smtp, relay")
    mail_server.flush()
    wait_until(lambda: all(len(mail.recipients) == 1 for mail in mail_server.queue().values()), what="all are served")
    look()
    postsuper(mail_server, "-d", sent)
    look()

    assert [mail.recipients for mail in mail_server.queue().values()] == [("one@foreign.example",)] * 4
    fresh.queued(time.time(), as_listed(mail_server).values(), [])
    (row,) = seen.picture(time.time(), complete=True).relays
    assert (row,) == fresh.picture(time.time(), complete=True).relays
    assert not row.suspected


def test_a_message_of_which_postcat_says_something_else_is_not_purged(mail_server: Postfix) -> None:
    Player(mail_server).send(INTRUDER, letters(3), ALICE)
    mail_server.settle()
    instance, found = Instance(Server(), mail_server.etc), census_of(mail_server)
    found.look()
    messages = list(found.messages.values())
    hear_postcat(instance, messages, lambda done, total, what: None)
    wrong = replace(messages[0], envelope=replace(messages[0].envelope or Envelope(None, None), origin="ABCDEF012"))
    with pytest.raises(Refused, match=messages[0].id):
        hear_postcat(instance, [wrong, *messages[1:]], lambda done, total, what: None)


def test_an_id_that_another_message_has_by_now_is_told_by_the_next_listing(mail_server: Postfix) -> None:
    player = Player(mail_server)
    player.send(
        INTRUDER, [Message("x", "a@lottery.example", ("b@foreign.example",), body="x" * n) for n in (1, 9)], ALICE
    )
    mail_server.settle()
    census = census_of(mail_server)
    census.take()
    one, other = sorted(census.messages)
    files = mail_server.files()
    files[other].replace(files[one])

    added, gone = census.take()
    assert {m.id for m in gone} == {one, other}
    assert [m.id for m in added] == [one]
    assert facts(census.messages) == facts(as_listed(mail_server))


def test_counting_the_queue_sees_every_change(mail_server: Postfix) -> None:
    player = Player(mail_server)
    census = census_of(mail_server)
    assert sum(census.counts().values()) == 0
    for number in range(1, 20):
        player.send(INTRUDER, letters(1), ALICE)
        mail_server.settle()
        assert census.counts()["deferred"] == number == _files_below(mail_server.spool / "deferred")
    held = sorted(mail_server.queue())[:5]
    postsuper(mail_server, "-h", held)
    assert (census.counts()["hold"], census.counts()["deferred"]) == (5, 14)


def _files_below(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))
