"""Failed logins: what is told of a client, what of an account, and who is said to have got in."""

from bmtop.incident.picture import Attacked, FailedLogin

from .scribe import BOT, HOME, OFFICE, Scribe

ALICE, BOB, CAROL = (f"{name}@example.com" for name in ("alice", "bob", "carol"))


def client(log: Scribe, address: str) -> FailedLogin:
    return next(row for row in log.picture().failed_logins if row.client == address)


def account(log: Scribe, login: str) -> Attacked:
    return next(row for row in log.picture().attacked if row.login == login)


def test_a_guessed_password_is_marked_with_its_moment() -> None:
    log = Scribe()
    log.fail(ALICE, BOT, 6)
    log.fail(BOB, BOT)
    log.send(ALICE, BOT)
    row = client(log, BOT)
    assert (row.failures, row.logins, row.succeeded, row.broke_in) == (7, ((ALICE, 6), (BOB, 1)), (ALICE,), True)
    assert row.got_in == ((ALICE, log.now),)


def test_a_mistyped_password_is_no_break_in() -> None:
    log = Scribe()
    log.fail(ALICE, HOME, 3)
    log.send(ALICE, HOME)
    assert (client(log, HOME).succeeded, client(log, HOME).broke_in) == ((ALICE,), False)
    assert log.row(ALICE).reasons == ()


def test_who_was_there_before_does_not_break_in() -> None:
    """A phone goes on with the old password after it was changed."""
    log = Scribe()
    log.send(ALICE, HOME)
    log.fail(ALICE, HOME, 50)
    log.send(ALICE, HOME)
    assert (client(log, HOME).succeeded, client(log, HOME).broke_in) == ((), False)
    assert not log.row(ALICE).suspected


def test_a_colleague_in_the_same_office_is_not_who_got_in() -> None:
    log = Scribe()
    log.fail(BOB, OFFICE, 9)
    log.send(CAROL, OFFICE)
    assert client(log, OFFICE).succeeded == ()
    assert not log.row(CAROL).suspected


FIVE = [f"{name}@example.com" for name in ("admin", "info", "test", "root", "scan")]


def test_an_infected_machine_behind_the_address_of_an_office_accuses_nobody_there() -> None:
    log = Scribe()
    for name in FIVE:
        log.fail(name, OFFICE)
    log.send(CAROL, OFFICE, CAROL, count=2)
    log.picture()
    log.send(ALICE, OFFICE, ALICE)
    assert not log.row(CAROL).suspected
    assert not log.row(ALICE).suspected
    assert not client(log, OFFICE).broke_in


def test_who_is_new_at_an_address_that_a_colleague_used_before_the_failures_is_not_accused() -> None:
    log = Scribe()
    log.send(CAROL, OFFICE, CAROL)
    log.now += 3000
    for name in FIVE:
        log.fail(name, OFFICE)
    log.send(ALICE, OFFICE, ALICE)
    assert not log.row(ALICE).suspected


def test_who_tries_many_names_and_gets_in_at_one_that_it_had_not_failed_at_is_named() -> None:
    log = Scribe()
    for name in FIVE:
        log.fail(name, BOT)
    log.send(ALICE, BOT, ALICE, count=2)
    log.send(ALICE, HOME, ALICE)
    assert log.row(ALICE).suspected
    assert client(log, BOT).broke_in


def test_who_fails_at_several_names_and_then_gets_in_at_these_is_named_with_all_of_them() -> None:
    log = Scribe()
    for name in (*FIVE, ALICE, BOB):
        log.fail(name, BOT)
    log.send(ALICE, BOT, ALICE)
    log.send(BOB, BOT, BOB)
    assert log.row(ALICE).suspected
    assert log.row(BOB).suspected
    assert client(log, BOT).broke_in


def test_who_gets_in_at_several_names_and_sends_fast_is_named() -> None:
    log = Scribe()
    for name in FIVE:
        log.fail(name, BOT)
    log.send(ALICE, BOT, ALICE, count=50)
    log.send(BOB, BOT, BOB, count=50)
    assert log.row(ALICE).suspected
    assert log.row(BOB).suspected


def test_webmail_where_everybody_fails_from_the_server_itself_breaks_in_nowhere() -> None:
    log = Scribe()
    for number in range(30):
        log.fail(f"user{number}@example.com", "127.0.0.1")
    log.send(CAROL, "127.0.0.1")
    assert (client(log, "127.0.0.1").succeeded, client(log, "127.0.0.1").broke_in) == ((), False)
    assert not log.row(CAROL).suspected


def test_many_addresses_at_one_name_are_one_row() -> None:
    log = Scribe()
    for number in range(20):
        log.fail(ALICE, f"203.0.113.{number}", 2)
    log.send(ALICE, "203.0.113.9")
    row = account(log, ALICE)
    assert (len(row.clients), row.failures, row.got_in) == (20, 40, (("203.0.113.9", log.now),))


def test_failures_of_others_accuse_nobody() -> None:
    log = Scribe()
    for number in range(200):
        log.fail(CAROL, f"203.0.113.{number}", 3)
    log.send(CAROL, HOME, CAROL, count=20)
    assert (log.row(CAROL).suspected, log.row(CAROL).reasons) == (False, ())
    assert log.row(CAROL).failed_logins == 600
    assert account(log, CAROL).got_in == ()


def test_a_name_that_is_not_logged_is_not_an_empty_one() -> None:
    log = Scribe()
    log.fail(None)
    log.fail("(unavailable)")
    log.fail("")
    row = client(log, BOT)
    assert (row.failures, row.unnamed, row.logins) == (3, 2, (("", 1),))


def test_it_is_forgotten_with_the_window() -> None:
    log = Scribe()
    log.fail(ALICE, BOT, 9)
    log.now += 2000
    assert (log.picture().failed_logins, log.picture().attacked) == ((), ())


def test_memory_is_bounded_whatever_addresses_and_names_are_tried() -> None:
    log = Scribe(window=1e6)
    log.fail(ALICE, BOT, 9)
    for number in range(12_000):
        log.fail(f"name{number}", f"2001:db8::{number:x}")
    for number in range(3_000):
        log.fail(f"other{number}", BOT)
    rows = log.picture().failed_logins
    assert 5_000 <= len(rows) <= 10_000
    assert client(log, BOT).failures == 3_009, "the one that matters is not forgotten for those that do not"
    assert 500 <= len(client(log, BOT).logins) <= 1_000
    assert any("sketch" in problem for problem in log.picture().problems)
