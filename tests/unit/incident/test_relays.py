"""Relay clients: who is one, of which kind, and what becomes of it when the configuration changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.events import Accepted, Activated, Delivery
from bmtop.incident.selection import network
from bmtop.incident.watch import clock

from .scribe import BOT, TRUSTED, Scribe, territory

RELAY = "192.0.2.66"


def test_open_trusted_and_refused_are_told_apart() -> None:
    log = Scribe()
    log.send(None, RELAY)
    log.send(None, BOT)
    log.refuse("203.0.113.99", 5)
    assert log.relays() == {RELAY: "trusted", BOT: "open", "203.0.113.99": "refused"}
    assert log.relay(RELAY).network == TRUSTED
    assert log.relay("203.0.113.99").refused == 5
    assert [row.client for row in log.picture().relays] == [BOT, RELAY, "203.0.113.99"]


@pytest.mark.parametrize(
    ("client", "to", "original", "daemon"),
    [
        (BOT, "carol@example.com", None, "local"),  # for our people
        (BOT, "carol@example.com", None, "smtp"),  # the same, by way of a content filter
        (BOT, "dave@elsewhere.test", "dave@example.com", "smtp"),  # whose mail is forwarded
        (BOT, "postmaster", None, "local"),
        (BOT, "postmaster@mail.example.test", "postmaster", "smtp"),
        (BOT, "carol@example.com", "carol@EXAMPLE.com.", "local"),
        (BOT, "carol@[192.0.2.1]", None, "local"),
        (BOT, "carol@[IPv6:2001:db8::1]", None, "local"),
        (BOT, "carol@example.com", "carol@host", "local"),  # a short name of our own machine
        (BOT, "carol@example.com", "example.com!carol", "local"),
        (BOT, '"a b"@example.com', None, "local"),
        (BOT, "dave@elsewhere.test", "dave@example.com.", "smtp"),
        (BOT, "dave@elsewhere.test", '"dave@example.com"@example.com', "smtp"),
        ("127.0.0.1", "x@faraway.test", None, "smtp"),  # the server itself
        ("192.0.2.1", "x@faraway.test", None, "smtp"),
        ("::ffff:192.0.2.1", "x@faraway.test", None, "smtp"),
        ("::1", "x@faraway.test", None, "smtp"),
    ],
)
def test_what_is_no_relay(client: str, to: str, original: str | None, daemon: str) -> None:
    log = Scribe()
    log.send(None, client, to=(to,), original=original, daemon=daemon)
    assert log.relays() == {}


def test_mail_with_a_login_is_no_relay() -> None:
    log = Scribe()
    log.send("alice@example.com", BOT)
    assert log.relays() == {}


def test_a_recipient_that_is_routed_through_us_is_elsewhere() -> None:
    log = Scribe()
    log.send(None, RELAY, to=("x@faraway.test",), original="x%faraway.test@example.com")
    assert log.relays() == {RELAY: "trusted"}


@pytest.mark.parametrize("domains", [("example.com",), ()], ids=["domains known", "domains not known yet"])
@pytest.mark.parametrize(
    "original",
    [
        "faraway.test!x@example.com",
        '"x@faraway.test"@example.com',
        "x@faraway.test@example.com",
        "x%faraway.test@example.com.",
        "x%faraway.test@[192.0.2.1]",
        "faraway.test!x",
        "x%faraway.test",
    ],
)
def test_no_way_of_writing_it_hides_that_a_recipient_is_elsewhere(original: str, domains: tuple[str, ...]) -> None:
    log = Scribe(ours=territory(domains=domains, complete=False))
    log.send(None, RELAY, to=("x@faraway.test",), original=original)
    log.queue(None, RELAY, "a@b.test", (original,))
    log.incident.territory(territory())
    row = log.relay(RELAY)
    assert (row.messages, row.recipients, row.queued) == (1, 1, 1)


def test_where_the_domains_are_not_all_known_the_delivery_agent_decides() -> None:
    log = Scribe(ours=territory(domains=(), complete=False))
    log.send(None, BOT, to=("carol@hosted.example",), daemon="lmtp")
    assert log.relays() == {}
    log.send(None, BOT, to=("x@faraway.test",), daemon="smtp")
    assert log.relays() == {BOT: "open"}


def test_each_recipient_and_message_counts_once_however_often_it_is_tried() -> None:
    log = Scribe()
    id = log.send(None, RELAY, to=("a@x.test", "b@y.test"), status="deferred", dsn="4.4.1")
    for status in ("deferred", "deferred", "sent"):
        for to in ("a@x.test", "b@y.test"):
            log.incident.feed(Delivery(log.now, id, to, None, "smtp", status, "2.0.0", "mx", ""))
    row = log.relay(RELAY)
    assert (row.messages, row.recipients) == (1, 2)


def test_an_exclusion_before_a_range_makes_it_open() -> None:
    log = Scribe(ours=territory(f"!{RELAY} {TRUSTED}"))
    log.send(None, RELAY)
    assert log.relays() == {RELAY: "open"}


def test_one_that_is_untrusted_is_not_called_open_and_is_refused_once_it_is() -> None:
    log = Scribe()
    log.send(None, RELAY)
    log.incident.territory(territory("192.0.2.0/26"))
    row = log.relay(RELAY)
    assert (row.kind, row.network, row.untrusted) == ("trusted", TRUSTED, True)
    log.refuse(RELAY)
    assert log.relay(RELAY).kind == "refused"
    # An old connection of it may go on: then it is not stopped.
    log.send(None, RELAY)
    assert log.relay(RELAY).kind == "open"


def test_what_was_trusted_when_the_log_was_written_is_known_from_the_journal() -> None:
    log = Scribe(ours=territory("192.0.2.0/26"))
    log.send(None, RELAY)
    assert log.relay(RELAY).kind == "open"
    log.incident.untrusted_relays({RELAY: (TRUSTED, log.now)})
    assert (log.relay(RELAY).kind, log.relay(RELAY).network) == ("trusted", TRUSTED)
    log.send(None, RELAY)
    assert log.relay(RELAY).kind == "open"


def test_one_that_goes_on_after_it_was_untrusted_is_told_by_that_and_is_no_slip_in_the_configuration() -> None:
    log = Scribe(ours=territory("192.0.2.0/26"))
    when = log.now
    log.incident.untrusted_relays({RELAY: (TRUSTED, when)})
    log.send(None, RELAY)
    log.send(None, BOT)
    row, other = log.relay(RELAY), log.relay(BOT)
    assert row.reasons[0].startswith(f"untrusted {clock(when)}; its connection is still open")
    assert row.untrusted
    assert row.suspected
    assert other.reasons[0] == "outside mynetworks, and its mail for elsewhere was accepted"
    assert not other.untrusted


def test_what_was_accepted_before_it_was_untrusted_and_tried_after_is_nothing_that_goes_on() -> None:
    log = Scribe(ours=territory("192.0.2.0/26"))
    at = log.now
    log.incident.feed(Accepted(at, "1083520CC3D", "unknown", RELAY, None, None, None))
    log.incident.feed(Activated(at, "1083520CC3D", "alice@example.com", 1000, 1))
    log.incident.untrusted_relays({RELAY: (TRUSTED, at + 1)})
    log.now = at + 30
    tried = Delivery(log.now, "1083520CC3D", "x@faraway.test", None, "smtp", "deferred", "4.3.2", "none", "later")
    log.incident.feed(tried)
    row = log.relay(RELAY)
    assert (row.kind, row.network, row.untrusted) == ("trusted", TRUSTED, True)
    assert not any("still open" in reason for reason in row.reasons)


def test_a_domain_that_turns_out_to_be_ours_takes_its_mail_out() -> None:
    log = Scribe()
    log.send(None, BOT, to=("a@branch.example",))
    log.send(None, RELAY, to=("a@branch.example",))
    log.send(None, RELAY, to=("a@faraway.test",))
    log.queue(None, BOT, "a@b.test", ("a@branch.example",))
    log.incident.territory(territory(domains=("example.com", "branch.example")))
    assert log.relays() == {RELAY: "trusted"}
    assert (log.relay(RELAY).messages, log.relay(RELAY).recipients) == (1, 1)


def test_the_queue_counts_come_out_even_though_the_configuration_changed_between() -> None:
    log = Scribe(ours=territory(domains=(), complete=False))
    messages = [log.queue(None, BOT, "a@b.test", ("carol@example.com",)) for _ in range(3)]
    messages.append(log.queue(None, BOT, "a@b.test"))
    assert log.relay(BOT).queued == 4
    log.incident.territory(territory())
    assert log.relay(BOT).queued == 1
    log.incident.queued(log.now, [], messages)
    assert log.relays() == {}


def test_a_broken_relay_that_sends_under_the_null_sender_is_suspected_and_one_that_bounces_is_not() -> None:
    """A bounce goes to one recipient, so that a mail server of ours in a trusted range may send many."""
    log = Scribe()
    for client, to in ((RELAY, ("x@faraway.test", "y@faraway.test")), ("192.0.2.20", ("x@faraway.test",))):
        log.send(None, client, "", to, count=60, status="deferred")
        for _ in range(60):
            log.queue(None, client, "", to)
    assert [row.client for row in log.picture().relays if row.suspected] == [RELAY]
    assert "60 messages under the null sender to several recipients: no bounces" in log.relay(RELAY).reasons


def test_a_server_that_bounces_much_and_forwards_little_is_not_suspected() -> None:
    log = Scribe()
    log.send(None, "192.0.2.20", "", count=60)
    for number in range(6):
        log.send(None, "192.0.2.20", f"person{number}@customer.test")
    assert not log.relay("192.0.2.20").suspected


def test_the_broken_one_stands_above_the_printer_and_a_known_one_last() -> None:
    log = Scribe()
    for number in range(10):
        log.send(None, RELAY, f"bank{number}@lottery.test")
    log.send(None, "192.0.2.10", "printer@example.com", count=28)
    for number in range(40):
        log.send(None, "192.0.2.20", f"person{number}@customer.test")
    assert [row.client for row in log.picture().relays if row.suspected] == ["192.0.2.20", RELAY]
    log.incident.known_relays((network("192.0.2.16/28"),))
    rows = log.picture().relays
    assert [(row.client, row.suspected, row.known) for row in rows] == [
        (RELAY, True, False),
        ("192.0.2.10", False, False),
        ("192.0.2.20", False, True),
    ]
    assert "100 % of its senders are none of ours (10 different ones)" in rows[0].reasons


@given(
    st.one_of(
        st.sampled_from(["unknown", "", "::ffff:192.0.2.66", "2001:db8:9::1", "fe80::1%eth0", "192.0.2.066", "1.2.3"]),
        st.text(max_size=40),
        st.ip_addresses().map(str),
    )
)
def test_any_client_is_shown_as_it_is(client: str) -> None:
    log = Scribe()
    log.refuse(client)
    log.send(None, client)
    log.fail("alice", client)
    picture = log.picture()
    shown = [row.client for row in picture.relays]
    assert shown == [client] or (shown == [] and territory().is_own(client))
    assert [row.client for row in picture.failed_logins] == [client]
    if client == "::ffff:192.0.2.66":
        assert picture.relays[0].kind == "trusted"
