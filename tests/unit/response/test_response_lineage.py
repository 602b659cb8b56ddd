"""What the log tells of where a message comes from: only this machine's own word counts."""

import pytest

from bmtop.checked import QueueId
from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Accepted, Activated, Delivery, Notified, Removed
from bmtop.incident.lineage import Lineage, bounces
from bmtop.incident.message import Envelope, Message
from bmtop.incident.selection import Filter, network

ALICE, CLIENT = "alice@example.com", "203.0.113.60"
FIRST, SECOND, OTHER, BOUNCE = (QueueId(f"ABCDE00000{digit}") for digit in "1234")
OWN = "127.0.0.1"


def lineage() -> Lineage:
    return Lineage(lambda address: address in (OWN, "::1", "192.0.2.1"))


def accepted(time: float, id: str, client: str = OWN, login: str | None = None, origin: str | None = None) -> Accepted:
    return Accepted(time, id, "unknown", client, login, login and "LOGIN", origin)


def sent(
    id: str,
    answer: str,
    *,
    relay: str = f"{OWN}[{OWN}]:10024",
    time: float = 3,
    to: str = "v@x.example",
    status: str = "sent",
) -> Delivery:
    return Delivery(time, id, to, None, "smtp", status, "2.0.0", relay, answer)


def returned(*, time: float = 2, client: str = OWN, login: str | None = None, sender: str = "s@x.example") -> Message:
    envelope = Envelope(login, client, sender=sender, addressed=("v@x.example",))
    return Message(SECOND, "deferred", int(time), 1, sender, ("v@x.example",), envelope=envelope)


def filtered(answer: str, **how: str) -> Lineage:
    """A log in which alice's message goes to a content filter on this machine, which answers so."""
    log = lineage()
    log.feed(accepted(1, FIRST, CLIENT, ALICE))
    log.feed(Activated(1, FIRST, how.get("sender", "s@x.example"), 1, 1))
    log.feed(accepted(2, SECOND, how.get("client", OWN)))
    log.feed(sent(FIRST, answer, relay=how.get("relay", f"{OWN}[{OWN}]:10024")))
    log.feed(Removed(3, FIRST))
    return log


QUEUED = f"250 2.0.0 Ok: queued as {SECOND}"


@pytest.mark.parametrize(
    "answer", [QUEUED, f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {SECOND}"]
)
def test_a_filter_that_says_nothing_is_known_by_its_answer(answer: str) -> None:
    origin = filtered(answer).origin(returned())
    assert origin is not None
    assert (origin.login, origin.client, origin.id) == (ALICE, CLIENT, FIRST)


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("a remote server that claims it", {"relay": "mx.evil.example[203.0.113.9]:25"}),
        ("a remote server whose name looks like this machine", {"relay": f"[{OWN}]:25.evil.example[203.0.113.9]:25"}),
        ("a socket", {"relay": f"{OWN}[private/lmtp]"}),
        ("a message that a stranger handed in", {"client": "203.0.113.9"}),
        ("a message from another sender", {"sender": "other@x.example"}),
    ],
)
def test_nobody_else_can_claim_a_message(what: str, how: dict[str, str]) -> None:
    assert filtered(QUEUED, **how).origin(returned()) is None, what


def test_a_message_that_is_not_what_was_handed_over_is_not_claimed() -> None:
    log = filtered(QUEUED)
    assert log.origin(returned()) is not None
    assert log.origin(returned(login="carol@example.com")) is None
    assert log.origin(returned(client="203.0.113.9")) is None
    assert log.origin(returned(sender="other@x.example")) is None
    assert log.origin(Message(OTHER, "deferred", 2, 1, "s@x.example", ())) is None


def test_what_came_before_the_first_or_after_the_answer_is_another_message() -> None:
    for time in (0, 4):
        log = lineage()
        log.feed(accepted(1, FIRST, CLIENT, ALICE))
        log.feed(Activated(1, FIRST, "s@x.example", 1, 1))
        log.feed(accepted(time, SECOND))
        log.feed(sent(FIRST, QUEUED))
        assert log.origin(returned(time=time)) is None


def test_two_filters_in_a_row_lead_to_the_first_sender() -> None:
    third = QueueId("ABCDE000009")
    log = filtered(QUEUED)
    log.feed(Activated(3, SECOND, "s@x.example", 1, 1))
    log.feed(accepted(4, third))
    log.feed(sent(SECOND, f"250 2.0.0 Ok: queued as {third}", time=5))
    envelope = Envelope(None, OWN, sender="s@x.example", addressed=("v@x.example",))
    origin = log.origin(Message(third, "deferred", 4, 1, "s@x.example", (), envelope=envelope))
    assert origin is not None
    assert origin.login == ALICE


def test_a_removed_id_is_forgotten() -> None:
    log = filtered(QUEUED)
    log.feed(Removed(4, SECOND))
    assert log.origin(returned()) is None


def a_bounce(arrival: int = 5, to: str = "forged@x.example") -> Message:
    return Message(BOUNCE, "deferred", arrival, 1, "", (to,), envelope=Envelope(None, None))


def bounced(*, removed: bool = True) -> Lineage:
    log = lineage()
    log.feed(accepted(1, FIRST, CLIENT, ALICE))
    log.feed(accepted(1, OTHER, "198.51.100.7", "carol@example.com"))
    log.feed(Notified(5, FIRST, BOUNCE))
    if removed:
        log.feed(Removed(5, FIRST))
    return log


def offered(wanted: Filter, log: Lineage, bounce: Message, *chosen: Message) -> bool:
    return bounces([bounce, *chosen], wanted, chosen, Accounts(), log) == (bounce,)


@pytest.mark.parametrize(
    ("wanted", "theirs"),
    [
        (Filter(login=ALICE), True),
        (Filter(login="carol@example.com"), False),
        (Filter(clients=(network(CLIENT),)), True),
        (Filter(clients=(network("198.51.100.0/24"),)), False),
        (Filter(login=ALICE, not_clients=(network(CLIENT),)), False),
        (Filter(login=ALICE, sender="forged@x.example"), True),
        (Filter(login=ALICE, sender="other@x.example"), False),
        (Filter(login=ALICE, since=1, before=2), True),
        (Filter(login=ALICE, since=2), False),
        (Filter(login=ALICE, before=1), False),
        (Filter(login=ALICE, recipient="v@x.example"), False),
        (Filter(login=ALICE, subject="x"), False),
        (Filter(ids=(FIRST,)), False),
        (Filter(), False),
    ],
)
def test_a_bounce_of_what_has_left_goes_with_who_sent_that(wanted: Filter, theirs: bool) -> None:
    assert offered(wanted, bounced(), a_bounce()) is theirs


def test_a_bounce_of_what_is_still_chosen_goes_with_it_whatever_the_filter() -> None:
    chosen = Message(FIRST, "deferred", 1, 1, "forged@x.example", (), envelope=Envelope(ALICE, CLIENT))
    for wanted in (Filter(ids=(FIRST,)), Filter(recipient="v@x.example"), Filter(subject="x")):
        assert offered(wanted, bounced(removed=False), a_bounce(), chosen)
    # The id is another message's by now: it came in after the bounce was made.
    later = Message(FIRST, "deferred", 6, 1, "carol@example.com", (), envelope=Envelope(None, None))
    assert not offered(Filter(ids=(FIRST,)), bounced(), a_bounce(), later)


def test_only_what_postfix_itself_made_is_a_bounce() -> None:
    log = bounced()
    for envelope, sender in ((Envelope(None, "203.0.113.9"), ""), (Envelope(None, None), "x@x.example"), (None, "")):
        message = Message(BOUNCE, "deferred", 5, 1, sender, ("forged@x.example",), envelope=envelope)
        assert not offered(Filter(login=ALICE), log, message)
