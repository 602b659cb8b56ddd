"""SASL senders: what is counted, under whose name, and what only an attack explains."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Accepted, Delivery, Removed
from bmtop.incident.message import Envelope

from .scribe import BOT, HOME, OFFICE, Scribe, territory

ALICE, BOB, CAROL = (f"{name}@example.com" for name in ("alice", "bob", "carol"))
HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "admin", "a@b@c", "ADMIN", "x" * 300, "[/red]x", "\udcff", ALICE + ", sasl_username=" + BOB]),
)


def test_what_the_row_says() -> None:
    log = Scribe()
    log.send(ALICE, HOME, ALICE, ("a@x.test", "b@y.test"))
    log.send(ALICE, BOT, "winner@lottery.test", ("c@z.test",), status="bounced", dsn="5.1.1")
    log.send(ALICE, BOT, "", ("d@z.test",), status="deferred", dsn="4.4.1")
    row = log.row(ALICE)
    assert (row.messages, row.recipients, row.forged, row.envelope_senders) == (3, 4, 1, 3)
    assert (row.sent, row.bounced, row.deferred) == (2, 1, 1)
    assert row.clients == ((BOT, 2), (HOME, 1))
    assert (row.first_seen, row.last_seen) == (log.now - 2, log.now)
    assert row.queued is None


@pytest.mark.parametrize(
    ("login", "sender", "forged"),
    [
        (ALICE, ALICE, False),
        (ALICE, "ALICE@Example.COM", False),
        (ALICE, "alice+shop@example.com", False),
        (ALICE, "", False),
        (ALICE, CAROL, True),
        (ALICE, "alice@bank.test", True),
        ("alice", ALICE, False),
        ("alice", "alice@bank.test", True),
        ("alice", CAROL, True),
        ("a@b@c", "a@b@c", False),
    ],
)
def test_a_sender_that_is_not_the_accounts_own_is_forged(login: str, sender: str, forged: bool) -> None:
    log = Scribe()
    log.send(login, OFFICE, sender)
    assert log.picture().senders[0].forged == forged


def test_a_stolen_login_that_sends_under_the_null_sender_is_suspected() -> None:
    """Postfix writes its bounces itself: nobody logs in to send many."""
    log = Scribe()
    log.send(BOB, BOT, "", count=60)
    row = log.row(BOB)
    assert row.suspected
    assert "60 messages under the null sender, as bounces have" in row.reasons


def test_mail_under_the_null_sender_hides_no_forged_senders() -> None:
    log = Scribe()
    for number in range(8):
        log.send(BOB, BOT, "", count=5)
        log.send(BOB, BOT, f"winner@bank{number}.test")
    row = log.row(BOB)
    assert row.suspected
    assert "16 % forged senders (8 different ones)" in row.reasons


def test_read_receipts_are_nothing() -> None:
    log = Scribe()
    log.send(ALICE, OFFICE, ALICE, count=10)
    log.send(ALICE, OFFICE, "", count=40)
    assert not log.row(ALICE).suspected


def test_the_null_sender_is_told_of_what_is_in_the_queue_alone() -> None:
    log = Scribe()
    log.send(BOB, BOT, BOB, count=35)
    for _ in range(100):
        log.queue(BOB, BOT, "")
    assert "100 messages under the null sender, as bounces have" in log.row(BOB).reasons


def test_a_list_that_gives_each_recipient_a_sender_of_our_own_is_not_suspected() -> None:
    log = Scribe()
    for number in range(200):
        log.send("news@example.com", OFFICE, f"bounce+{number}=x.test@news.example.com")
    assert (
        log.row("news@example.com").reasons == ("60 messages within a minute",)
        or not log.row("news@example.com").suspected
    )


def test_what_left_a_content_filter_is_the_same_mail() -> None:
    log = Scribe()
    first = log.send(ALICE, BOT, "winner@lottery.test", status="filtering")
    log.incident.feed(Accepted(log.now, "F000001", "localhost", "127.0.0.1", None, None, first))
    log.incident.feed(Delivery(log.now, first, "x@faraway.test", None, "smtp", "sent", "2.0.0", "127.0.0.1", "ok"))
    log.incident.feed(Delivery(log.now, "F000001", "x@faraway.test", None, "smtp", "sent", "2.0.0", "mx", "ok"))
    picture = log.picture()
    assert [(row.login, row.messages, row.sent) for row in picture.senders] == [(ALICE, 1, 1)]
    assert picture.relays == ()


def test_another_server_cannot_name_an_id_of_ours_as_its_own() -> None:
    log = Scribe()
    first = log.send(ALICE, OFFICE)
    log.send(None, BOT, origin=first)
    assert log.relays() == {BOT: "open"}
    assert log.row(ALICE).messages == 1


def test_a_queue_that_the_log_knows_nothing_of_is_judged_too() -> None:
    log = Scribe()
    log.send(CAROL, OFFICE, CAROL, count=5)
    for number in range(20):
        log.queue(ALICE, BOT, f"winner{number}@lottery.test")
    rows = log.picture().senders
    assert [(row.login, row.queued, row.messages) for row in rows] == [(ALICE, 20, 0), (CAROL, 0, 5)]
    assert rows[0].suspected
    assert "100 % forged senders (20 different ones)" in rows[0].reasons


def test_of_a_long_queue_some_senders_are_looked_at_and_no_more_are_told() -> None:
    log = Scribe()
    for number in range(1_249):
        log.queue(ALICE, BOT, f"winner{number}@lottery.test")
    assert "100 % forged senders (at least 1,000 different ones)" in log.row(ALICE).reasons


@pytest.mark.parametrize("window", [300.0, 900.0, 3600.0, 86400.0])
def test_a_steady_rate_is_told_as_what_it_is_at_every_moment(window: float) -> None:
    log = Scribe(window=window)
    for number in range(1200):
        log.now = 1_000_000.0 + 1.5 * number
        log.incident.feed(Accepted(log.now, f"{number:011X}", "unknown", OFFICE, CAROL, "LOGIN", None))
        if number > 600:
            (row,) = log.picture().senders
            assert 39.5 <= row.rate <= 40.5


def test_of_a_part_of_an_hour_no_hour_is_told() -> None:
    log = Scribe(window=900.0)
    for number in range(370):
        log.now = 1_000_000.0 + 2.25 * number
        log.incident.feed(Accepted(log.now, f"{number:011X}", "unknown", OFFICE, CAROL, "LOGIN", None))
    assert log.row(CAROL).reasons == ("370 messages within 15 minutes",)


def test_what_leaves_the_queue_is_counted_out() -> None:
    log = Scribe()
    messages = [log.queue(ALICE, BOT, ALICE) for _ in range(3)]
    assert log.row(ALICE).queued == 3
    log.incident.queued(log.now, [], messages)
    assert log.picture().senders == ()


def test_old_mail_from_a_content_filter_is_not_hers_who_has_its_first_id_today() -> None:
    """Short ids are used again; whatever is said to be hers would be purged with her spam."""
    log = Scribe()
    id = log.send(ALICE, BOT)
    passed_on = replace(log.queue(None, "127.0.0.1", BOB), envelope=Envelope(None, "127.0.0.1", sender=BOB, origin=id))
    assert log.incident.origin(passed_on) == (id, ALICE, BOT, "unknown")
    assert log.incident.origin(replace(passed_on, arrival=int(log.now) - 86400)) is None


def test_a_message_leaves_the_queue_with_as_many_recipients_as_it_was_counted_with() -> None:
    """When it leaves, its recipients are those that were left over."""
    log = Scribe()
    for _ in range(4):
        log.queue(ALICE, OFFICE, "choir@partner.test")
    for _ in range(10):
        message = log.queue(ALICE, OFFICE, "choir@partner.test", [f"singer{n}@choir.test" for n in range(60)])
        log.incident.queued(log.now, [], [replace(message, recipients=message.recipients[:1])])
    assert not any("recipients" in words for words in log.row(ALICE).reasons)


def test_a_wave_from_elsewhere_is_told_by_its_addresses_and_its_rate() -> None:
    log = Scribe()
    log.send(BOB, OFFICE, BOB, count=6)
    log.now += 400
    log.send(BOB, BOT, BOB, count=120)
    log.send(BOB, OFFICE, BOB, count=2)
    row = log.row(BOB)
    assert row.suspected
    assert "120 messages from an address not seen before" in row.reasons
    assert any("times its own past rate" in words for words in row.reasons)


def test_the_address_stays_new_while_the_wave_goes_on_past_the_window() -> None:
    log = Scribe()
    log.send(BOB, OFFICE, BOB, count=6)
    log.now += 400
    for _ in range(10):
        log.send(BOB, BOT, BOB, count=300)
        row = log.row(BOB)
        assert row.suspected
        assert any("from an address not seen before" in words for words in row.reasons)


def test_an_owner_who_comes_in_between_is_not_the_new_address() -> None:
    log = Scribe()
    log.send(BOB, BOT, BOB, count=200)
    log.send(BOB, OFFICE, BOB, count=3)
    assert not any("not seen before" in words for words in log.row(BOB).reasons)


def test_where_an_account_sends_from_is_known_after_a_quiet_window() -> None:
    log = Scribe()
    log.send(BOB, OFFICE, BOB, count=3)
    log.now += 5000
    assert log.picture().senders == ()
    log.send(BOB, BOT, BOB, count=100)
    assert any("from an address not seen before" in words for words in log.row(BOB).reasons)


def test_a_burst_from_one_of_its_addresses_does_not_hide_the_others() -> None:
    """A botnet is not cleared by sending faster from an address that it already used."""
    log = Scribe()
    for number in range(40):
        log.send(BOB, f"203.0.113.{number}", BOB, count=4)
        log.now += 14
    assert log.row(BOB).suspected
    log.send(BOB, "203.0.113.0", BOB, count=50)
    row = log.row(BOB)
    assert row.suspected
    assert "40 client addresses" in row.reasons


def test_addresses_that_were_used_hours_apart_are_those_of_a_traveller() -> None:
    log = Scribe(window=86_400.0)
    for number in range(20):
        log.send(BOB, f"203.0.113.{number}", BOB, count=2)
        log.now += 2_400
    log.send(BOB, "203.0.113.0", BOB, count=300)
    assert not log.row(BOB).suspected


def test_a_phone_that_changes_its_ipv6_address_is_one_place() -> None:
    log = Scribe()
    for number in range(40):
        log.send(BOB, f"2001:db8:5:5::{number:x}", BOB)
    assert not log.row(BOB).suspected


def test_one_recipient_that_is_always_wrong_is_one_that_does_not_exist() -> None:
    log = Scribe()
    log.send(BOB, OFFICE, BOB, ("gone@partner.test",), count=100, status="bounced", dsn="5.1.1")
    assert not log.row(BOB).suspected
    for number in range(100):
        log.send(CAROL, OFFICE, CAROL, (f"gone{number}@partner.test",), status="bounced", dsn="5.1.1")
    assert "100 recipients that do not exist" in log.row(CAROL).reasons


@given(st.lists(HOSTILE, min_size=1, max_size=8))
def test_any_login_is_counted_under_its_own_name(logins: list[str]) -> None:
    accounts = Accounts("", {})
    log = Scribe(accounts=accounts)
    for login in logins:
        log.fail(login)
        log.send(login, OFFICE, login)
    rows = {row.login: row for row in log.picture().senders}
    assert rows.keys() == {accounts.account(login) for login in logins}
    for name, row in rows.items():
        mine = [login for login in logins if accounts.account(login) == name]
        assert row.messages == len(mine)
        assert set(row.logins) == set(mine)
        detail = log.incident.login_detail(mine[0])
        assert (detail.name, detail.messages) == (name, len(mine))


def test_memory_of_messages_ends_with_them() -> None:
    log = Scribe()
    for _ in range(50):
        log.incident.feed(Removed(log.now, log.send(ALICE, OFFICE)))
    assert log.incident._mail == {}


def test_details_tell_how_it_came_about() -> None:
    log = Scribe(ours=territory())
    log.send(ALICE, "127.0.0.1", ALICE, ("x@partner.test",))
    log.now += 300
    log.fail(ALICE, BOT, 7)
    log.send(ALICE, BOT, "winner@lottery.test", ("a@x.test", "b@y.test"), count=40)
    log.queue(ALICE, BOT, "winner@lottery.test")
    detail = log.incident.login_detail("ALICE@example.com")
    when = {moment.what: moment.time for moment in detail.moments}
    got_in = detail.moments[0].time + 300 + 7 + 1
    assert when == {
        "first message": got_in - 308,
        "first failed login": got_in - 7,
        "first message from a foreign address": got_in,
        "got in after failed logins": got_in,
        "busiest minute": when["busiest minute"],
        "last message": got_in + 39,
    }
    assert got_in - 60 < when["busiest minute"] <= got_in + 39
    assert list(detail.moments) == sorted(detail.moments)
    assert {m.figure for m in detail.moments if "got in" in m.what or "foreign" in m.what} == {BOT}
    assert detail.clients == ((BOT, 40), ("127.0.0.1", 1))
    assert detail.senders == (("winner@lottery.test", 40), (ALICE, 1))
    assert dict(detail.domains) == {"x.test": 40, "y.test": 40, "partner.test": 1}
    assert detail.tried_from == ((BOT, 7),)
    assert (detail.messages, detail.recipients, detail.sent, detail.queued) == (41, 81, 81, 1)
    client = log.incident.client_detail(BOT)
    assert client.tried == ((ALICE, 7),)
