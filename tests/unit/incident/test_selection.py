"""A filter for mail without a login, by who sent it in the first place."""

from dataclasses import replace
from itertools import product

import pytest

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Envelope, Message, Origin
from bmtop.incident.selection import Filter, network, select

ACCOUNTS = Accounts("example.com")
NAT, ELSEWHERE, FILTER = "192.0.2.66", "192.0.2.67", "127.0.0.1"
CAROL = "carol@example.com"
THERE = Filter(clients=(network(NAT),), without_login=True)


def message(envelope: Envelope | None, origin: Origin | None = None) -> Message:
    return Message(QueueId("A000001"), "deferred", 0, 1, "x@x.example", (), envelope=envelope, origin=origin)


@pytest.mark.parametrize(("login", "client"), product((None, CAROL), (NAT, ELSEWHERE)))
def test_it_is_without_a_login_where_who_sent_it_first_had_none(login: str | None, client: str) -> None:
    sent = message(Envelope(login, client))
    given_back = message(Envelope(None, FILTER), Origin("A", login, client, "unknown"))
    passed_on = message(Envelope(None, client, origin="A"), Origin("A", login, client, "unknown"))
    for one in (sent, given_back, passed_on):
        assert bool(select([one], THERE, ACCOUNTS)) == (login is None and client == NAT)
        assert bool(select([one], replace(THERE, without_login=False), ACCOUNTS)) == (client == NAT)


def test_where_nobody_can_tell_the_login_it_is_not_taken_for_none() -> None:
    passed_on = message(Envelope(None, NAT, origin="A"))
    assert not select([passed_on], THERE, ACCOUNTS)
    assert select([passed_on], replace(THERE, without_login=False), ACCOUNTS)


def test_an_envelope_that_was_not_read_is_no_answer() -> None:
    with pytest.raises(Refused, match="could not be read"):
        select([message(None)], Filter(sender="x@x.example", without_login=True), ACCOUNTS)


def test_alone_it_chooses_nothing_and_beside_a_login_it_is_refused() -> None:
    with pytest.raises(Refused, match="No filter was given"):
        select([], Filter(without_login=True), ACCOUNTS)
    with pytest.raises(Refused, match="leave one of the two out"):
        Filter(login=CAROL, without_login=True)


def test_it_is_written_down_only_where_it_is_set() -> None:
    assert THERE.as_dict() == {"client": ["192.0.2.66/32"], "without_login": True}
    assert replace(THERE, without_login=False).as_dict() == {"client": ["192.0.2.66/32"]}
    assert Filter(since=0.0).as_dict() == {"since": 0.0}
