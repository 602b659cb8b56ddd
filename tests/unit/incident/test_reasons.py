"""When figures make a suspect: two kinds of reason, or one that is enough; each from its threshold on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.reasons import BreakIn, Figures, Thresholds, judge

LIMITS = Thresholds()
NEWSLETTER = Figures(messages=5000, recipients=5000, per_hour=5000, per_minute=400, busiest=3000, clients=1, places=1)
GUESSED = BreakIn("203.0.113.60", failures=7, names=1, others_failures=0, others=0)
QUIET = Figures(messages=20, recipients=25, per_hour=20, per_minute=2, busiest=8, clients=1, places=1, answered=25)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (replace(QUIET, forged=20, foreign=20, foreign_senders=5), "100 % forged senders (5 different ones)"),
        (replace(QUIET, places=10, clients=12), "12 client addresses"),
        (replace(QUIET, unknown=50, answered=100), "50 recipients that do not exist"),
        (replace(QUIET, break_in=replace(GUESSED, failures=20)), "20 failed logins before it got in from 203.0.113.60"),
        (
            replace(QUIET, break_in=replace(GUESSED, failures=0, names=5)),
            "it got in from 203.0.113.60, which failed at 5 names before",
        ),
    ],
)
def test_one_reason_that_is_enough(figures: Figures, words: str) -> None:
    verdict = judge(figures, LIMITS)
    assert (verdict.suspected, verdict.reasons) == (True, (words,))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"places": 5, "clients": 5}, "5 client addresses"),
        ({"new_clients": 2, "new_messages": 2500, "wave_messages": 5000}, "2,500 messages from 2 addresses not seen"),
        ({"webmail": True}, "a webmail session"),
        ({"break_in": replace(GUESSED, failures=5)}, "5 failed logins before it got in"),
        ({"break_in": replace(GUESSED, failures=1, others_failures=9, others=4)}, "10 failed logins from 5 addresses"),
        ({"forged": 1000, "foreign": 1000, "foreign_senders": 1}, "20 % forged senders (always the same one)"),
        ({"null": 5000}, "5,000 messages under the null sender"),
        ({"unknown": 500, "answered": 5000}, "500 recipients that do not exist"),
    ],
)
def test_two_kinds_make_a_suspect_above_a_newsletter_of_any_size(more: dict[str, object], words: str) -> None:
    alone = judge(replace(QUIET, **more), LIMITS)  # type: ignore[arg-type]
    assert alone.reasons == () or alone.suspected
    verdict = judge(replace(NEWSLETTER, **more), LIMITS)  # type: ignore[arg-type]
    assert verdict.suspected
    assert any(words in reason for reason in verdict.reasons)
    huge = replace(NEWSLETTER, messages=10**6, recipients=10**6, per_hour=10**6)
    assert verdict.suspicion > judge(huge, LIMITS).suspicion


@pytest.mark.parametrize(
    "figures",
    [
        NEWSLETTER,
        replace(NEWSLETTER, unknown=40, answered=5000),  # a clean list has some that left
        replace(NEWSLETTER, past_rate=1.0, busiest_rate=12000.0),  # it comes once a month
        replace(NEWSLETTER, forged=5000),  # VERP: a sender each, all under our own domain
        replace(NEWSLETTER, recipients=250_000),
        # Others failed at its name, which stands on a web page.
        replace(NEWSLETTER, break_in=BreakIn("198.51.100.7", 0, 0, 500, 100)),
        replace(NEWSLETTER, break_in=BreakIn("127.0.0.1", 1, 9, 500, 100, shared=True)),
    ],
)
def test_a_newsletter_is_told_of_by_its_rate_and_suspected_for_nothing(figures: Figures) -> None:
    verdict = judge(figures, LIMITS)
    assert not verdict.suspected
    assert "5,000 messages an hour" in verdict.reasons
    assert all("rate" in words or "messages" in words or "a message" in words for words in verdict.reasons)


@pytest.mark.parametrize(
    "figures",
    [
        QUIET,
        replace(QUIET, recipients=600),  # a choir's mail to all
        replace(QUIET, break_in=GUESSED),  # a phone with an old password
        replace(QUIET, break_in=BreakIn("198.51.100.7", 0, 0, 5000, 900)),  # everybody guesses at this name
        replace(QUIET, break_in=BreakIn("127.0.0.1", 30, 12, 0, 0, shared=True)),  # webmail: all fail from there
        # Behind the address of an office, somebody else tried many names.
        replace(QUIET, break_in=BreakIn("198.51.100.7", 0, 50, 0, 0, several=True)),
        replace(QUIET, webmail=True),
        replace(QUIET, places=4, clients=4),
        replace(QUIET, forged=15),  # a shared mailbox of our own domain
        replace(QUIET, null=20),  # read receipts
        replace(QUIET, forged=2, foreign=2, foreign_senders=2),
        replace(QUIET, forged=20, foreign=20, foreign_senders=1),  # a private address at another provider
        replace(QUIET, unknown=9, answered=25),
    ],
)
def test_ordinary_people_are_not_suspected(figures: Figures) -> None:
    verdict = judge(figures, LIMITS)
    assert not verdict.suspected


@given(
    st.builds(
        Figures,
        messages=st.integers(0, 10**6),
        recipients=st.integers(0, 10**6),
        per_hour=st.floats(0, 1e6),
        per_minute=st.integers(0, 10**4),
        busiest=st.integers(0, 10**6),
        busiest_rate=st.floats(0, 1e6),
        past_rate=st.none() | st.floats(0, 1e6),
        unknown=st.integers(0, 10**5),
        answered=st.integers(0, 10**6),
        forged=st.integers(0, 10**6),
        foreign=st.integers(0, 10**6),
        foreign_senders=st.integers(0, 10**6),
        null=st.integers(0, 10**6),
        webmail=st.booleans(),
    )
)
def test_any_figures_can_be_judged_and_suspects_have_reasons(figures: Figures) -> None:
    verdict = judge(figures, LIMITS)
    assert bool(verdict.reasons) or not verdict.suspected
    assert (verdict.suspicion >= 100) == verdict.suspected


def test_thresholds_move_the_line() -> None:
    assert judge(replace(QUIET, per_minute=2), Thresholds(messages_per_minute=2)).reasons
    assert not judge(NEWSLETTER, Thresholds(messages_per_hour=10_000, messages_per_minute=1000)).reasons
