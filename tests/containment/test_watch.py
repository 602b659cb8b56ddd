"""What the watch says, as a pure function of what it was told and of the time."""

import dataclasses

import pytest

from bmtop.incident.watch import Kind, Sign, Verdict, Watch, clock

STEPS = ("password", "sessions", "cache", "connections")
BOT, OTHER, HERE = "203.0.113.60", "198.51.100.9", "127.0.0.1"


def sign(at: float, since: float | None, *, kind: Kind = "sent", client: str = BOT, own: bool = False) -> Sign:
    return Sign(kind, at, client, (client, since), since, own=own)


def watch(*, begun: float = 1000.0, steps: tuple[str, ...] = STEPS, **done: float) -> Watch:
    """A watch that began at `begun`, and what was done by when."""
    made = Watch(steps, remedy="restart bm-ysnp")
    made.begin(begun)
    for step, when in done.items():
        made.done(step, when)
    made.open_now(begun, [])
    made.sessions([])
    return made


def after_all(**more: float) -> Watch:
    """The same with everything done, at 1000 to 1030, and what else was."""
    made = watch(password=1000.0, sessions=1010.0, cache=1020.0, connections=1030.0)
    for step, when in more.items():
        made.done(step, when)
    return made


def said(made: Watch, now: float = 1100.0) -> tuple[str, tuple[str, ...]]:
    verdict = made.verdict(now)
    return verdict.state, verdict.missing


def test_an_old_connection_is_still_open() -> None:
    made = watch(password=1000.0, sessions=1010.0, cache=1020.0)
    made.saw(sign(1040, 900))
    verdict = made.verdict(1041)
    assert (verdict.state, verdict.missing) == ("alarm", ("connections",))
    assert verdict.sentence == (
        "Still sending 40 s after the new password: its SMTP connection from 203.0.113.60 is still open; end it."
    )
    made.done("connections", 1050)
    assert said(made) == ("watching", ())


def test_a_connection_from_before_the_log_counts_as_old() -> None:
    made = after_all()
    made.saw(sign(1040, None))
    assert said(made) == ("alarm", ("connections",))


def test_a_new_connection_was_let_in_by_the_cache() -> None:
    made = watch(password=1000.0, sessions=1010.0, connections=1020.0)
    made.saw(sign(1300, 1290))
    verdict = made.verdict(1301)
    assert verdict.missing == ("cache",)
    assert verdict.sentence == (
        "It logged in again with its old password 5 min after the new password, from 203.0.113.60:"
        " the SASL cache still has it; restart bm-ysnp."
    )
    # The cache is emptied now, but what came in by its help is still there.
    made.done("cache", 1310)
    assert said(made, 1311) == ("alarm", ("connections",))
    made.ended((BOT, 1290))
    assert said(made, 1312) == ("watching", ())


def test_past_everything_somebody_has_the_new_password() -> None:
    made = after_all()
    made.saw(sign(1200, 1190))
    verdict = made.verdict(1201)
    assert verdict.missing == ("suspend",)
    assert "past an empty cache: somebody has the new password; if that is not its owner, suspend" in verdict.sentence
    made.done("suspend", 1250)
    assert said(made, 1251) == ("watching", ())
    # A password that was good goes on being remembered.
    made.saw(sign(1300, 1290))
    assert said(made, 1301) == ("alarm", ("cache",))
    made.done("cache", 1310)
    made.saw(sign(1330, 1325))
    assert "it lets this one in" in made.verdict(1331).sentence


def test_the_owner_who_is_connected_again_is_no_alarm() -> None:
    made = after_all()
    made.open_now(1100, [sign(1100, 1090, kind="open", client=OTHER)])
    made.log_grew(1700)
    verdict = made.verdict(1700)
    assert verdict.state == "contained"
    assert any(OTHER in found for found in verdict.evidence)


def test_an_open_connection_from_before_is_an_alarm_though_it_is_silent() -> None:
    made = after_all()
    made.open_now(1100, [sign(1100, 990, kind="open")])
    assert made.verdict(1101).sentence.startswith("Still logged in 2 min after the new password: its SMTP connection")
    made.open_now(1103, [])
    assert said(made, 1104) == ("watching", ())


def test_what_has_ended_needs_no_ending() -> None:
    made = watch(password=1000.0, cache=1020.0)
    one = sign(1040, 900)
    made.saw(one)
    made.ended(one.connection)
    assert said(made) == ("watching", ("sessions", "connections"))
    made.saw(dataclasses.replace(one, time=1050))
    assert said(made) == ("alarm", ("connections",))


def test_a_login_without_mail_counts() -> None:
    made = watch(password=1000.0, connections=1000.0)
    made.saw(sign(1040, 1039, kind="logged in"))
    made.ended((BOT, 1039))
    assert said(made) == ("alarm", ("cache",))


def test_without_a_new_password_that_is_what_is_missing() -> None:
    made = watch(hold=990.0, connections=995.0)
    made.saw(sign(999, 998))
    assert said(made) == ("watching", ("password", "sessions", "cache"))
    made.saw(sign(1001, 998))
    assert made.verdict(1002).sentence == (
        "Still sending, from 203.0.113.60: its password is still the old one; set a new one."
    )
    made.done("password", 1003)
    made.done("cache", 1003)
    made.ended((BOT, 998))
    assert said(made, 1004) == ("watching", ("sessions",))


def test_mail_from_the_server_itself_is_a_web_session() -> None:
    made = watch(password=1000.0, cache=1000.0, connections=1000.0)
    made.saw(sign(1040, 1039, client=HERE, own=True))
    verdict = made.verdict(1041)
    assert verdict.missing == ("sessions",)
    assert "from this server itself: a web session is still open; log it out." in verdict.sentence
    made.done("sessions", 1050)
    assert said(made) == ("watching", ())
    # What is open now began later: with the new password.
    made.sessions([1060.0])
    made.saw(sign(1070, 1069, client=HERE, own=True))
    assert said(made) == ("alarm", ("suspend",))


def test_a_session_from_before_is_an_alarm() -> None:
    made = after_all()
    made.sessions([900.0, 1015.0, None])
    assert made.verdict(1100).sentence == "1 session from before is still open: log the account out again."
    made.sessions([1015.0])
    assert said(made) == ("watching", ())


def test_the_second_of_a_step_counts_as_before_it() -> None:
    """The log's seconds are whole: what it writes at 1000 was somewhere from 1000.0 to 1000.9."""
    made = watch(password=1000.4)
    made.saw(sign(1000, 1000))
    assert said(made) == ("watching", ("sessions", "cache", "connections"))
    made.saw(sign(1002, 1000))
    assert said(made) == ("alarm", ("connections",))
    made.ended((BOT, 1000))
    made.saw(sign(1003, 1003))
    assert said(made) == ("alarm", ("cache",))


def test_both_at_once_in_the_order_of_the_steps() -> None:
    made = watch(password=1000.0, sessions=1000.0)
    made.saw(sign(1040, 900))
    made.saw(sign(1041, 900, client="2001:db8::2"))
    made.saw(sign(1042, 1041, client=OTHER))
    verdict = made.verdict(1043)
    assert verdict.missing == ("cache", "connections")
    assert "from 2001:db8::2 (and 1 more) is still open" in verdict.sentences[1]


def test_ten_quiet_minutes_and_the_evidence() -> None:
    made = after_all(hold=995.0, purge=1035.0)
    made.saw(sign(1005, 900))
    made.ended((BOT, 900))
    assert made.verdict(1100).sentence == "Quiet for 70 s; 9 min more will show that it is contained."
    made.open_now(1629, [])
    assert said(made, 1629.9) == ("watching", ())
    made.log_grew(1630)
    verdict = made.verdict(1630)
    assert (verdict.state, verdict.sentence) == ("contained", "Contained: quiet for 10 min.")
    labels = [found.partition(":")[0] for found in verdict.evidence]
    assert labels[:-3] == [
        "New password", "Logged out", "SASL cache emptied", "SMTP connections ended", "Held", "Purged",
    ]  # fmt: skip
    assert labels[-3] == "Last message"
    assert labels[-2].startswith("Open SMTP connections at ")
    assert verdict.evidence[-1] == "Open sessions: none"
    assert verdict.evidence[-2].endswith(": none")
    made.saw(sign(1640, 1639))
    assert made.verdict(1641).state == "alarm"


def test_what_was_not_done_is_not_contained_however_quiet_it_is() -> None:
    made = watch(password=1000.0)
    verdict = made.verdict(9000)
    assert (verdict.state, verdict.missing) == ("watching", ("sessions", "cache", "connections"))
    assert verdict.sentence.endswith("but not everything was done: sessions, cache, connections.")
    for step in ("sessions", "cache", "connections"):
        made.left_out(step)
    made.log_grew(9000)
    verdict = made.verdict(9000)
    assert verdict.state == "contained"
    assert "SASL cache emptied: left out" in verdict.evidence


def test_nothing_is_contained_while_the_connections_were_not_seen() -> None:
    made = Watch(STEPS, remedy="restart bm-ysnp")
    made.begin(1000)
    for step in STEPS:
        made.done(step, 1000)
    made.log_grew(9000)
    assert made.verdict(9000).sentence.endswith("but the connections were not seen.")
    made.open_now(9000, [])
    assert made.verdict(9000).sentence.endswith("but the sessions were not seen.")
    made.sessions(None)
    assert made.verdict(9000).state == "contained"


def test_a_blind_span_is_no_quiet_span() -> None:
    made = after_all()
    made.looked(1330)
    made.looked(1331, "The log cannot be read.")
    for now in (1332, 1630, 9000):
        made.log_grew(now)
        assert made.verdict(now).sentence == "Quiet for 5 min, but not all can be seen: The log cannot be read."
        made.looked(now, "The log cannot be read.")
    made.looked(9010)
    assert made.verdict(9070).sentence == "Quiet for 60 s; 9 min more will show that it is contained."
    # As long as each look sees, what is between two of them is quiet.
    made.log_grew(9610)
    made.looked(9610)
    assert said(made, 9610) == ("contained", ())


def test_sessions_that_cannot_be_asked_keep_it_from_being_contained() -> None:
    made = after_all()
    made.log_grew(1700)
    made.sessions(None, "BlueMind does not answer.")
    assert made.verdict(1700).sentence == "Quiet for 11 min, but not all can be seen: BlueMind does not answer."
    made.sessions([])
    assert said(made, 1700) == ("contained", ())
    made.sessions(None, "BlueMind does not answer.")
    made.left_out("sessions")
    assert said(made, 1700) == ("contained", ())


def test_a_silent_log_shows_nothing() -> None:
    made = after_all()
    made.log_grew(1629)
    verdict = made.verdict(1700)
    assert verdict.state == "watching"
    assert verdict.sentence == (
        f"Quiet for 11 min, but the log has not grown since {clock(1629)};"
        " see whether syslog still writes (logger -p mail.info test)."
    )
    made.log_grew(1701)
    assert said(made, 1701) == ("contained", ())
    # Nor does it once it falls silent later.
    assert said(made, 2300) == ("contained", ())
    assert said(made, 2302) == ("watching", ())


class TestClient:
    """A client instead of a login: what it still relays."""

    @pytest.fixture
    def made(self) -> Watch:
        return watch(steps=("untrust", "connections"))

    def test_it_is_still_trusted(self, made: Watch) -> None:
        made.saw(sign(1001, 1000))
        assert "it is still trusted; take it out of mynetworks" in alarm(made).sentence
        assert alarm(made).missing == ("untrust",)

    def test_its_connection_is_still_open(self, made: Watch) -> None:
        made.done("untrust", 1010)
        made.saw(sign(1020, 1000))
        assert alarm(made).missing == ("connections",)
        assert alarm(made).sentence.startswith("Still sending 10 s after it was untrusted: its SMTP connection from")

    def test_something_else_lets_it_in(self, made: Watch) -> None:
        made.done("untrust", 1010)
        made.saw(sign(1020, 1015))
        assert alarm(made).missing == ("untrust",)
        assert "something lets it in still" in alarm(made).sentence

    def test_it_is_contained(self, made: Watch) -> None:
        made.done("untrust", 1010)
        made.done("connections", 1011)
        made.log_grew(1612)
        assert said(made, 1612) == ("contained", ())


def alarm(made: Watch) -> Verdict:
    verdict = made.verdict(1100)
    assert verdict.state == "alarm"
    return verdict
