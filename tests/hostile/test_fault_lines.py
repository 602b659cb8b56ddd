"""A real log, its daemons interleaved in any other order, cut and with anything in between: nobody else is accused.

The log is that of tests/hostile/test_log_framing.py, in which carol's name stands wherever an attacker can put it.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmtop.incident.incident import Incident
from bmtop.incident.picture import Picture
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock
from tests.hostile.test_log_framing import ATTACKER, FRAMES, Truth, truth
from tests.mailserver.stories import ALICE, CAROL, OFFICE

__all__ = ["truth"]

NOISE = st.one_of(
    st.binary(max_size=120),
    # Not at the beginning of a line: what stands there, only the syslog daemon writes.
    st.sampled_from(FRAMES).map(lambda frame: b"x " + frame.encode()),
    st.sampled_from(FRAMES).map(lambda frame: b"x " + frame.encode("utf-16")),
    st.sampled_from(FRAMES).map(lambda frame: b"x " + frame.encode("latin-1", "replace") + b"\xff\xc3"),
    st.just(b"x" * 1_000_000),
)


def interleaved(lines: list[bytes], chances: list[int]) -> list[bytes]:
    """These lines, each daemon's own in their order, the daemons' in another one."""
    of_each: dict[bytes, list[bytes]] = {}
    for line in lines:
        of_each.setdefault(line.split(b": ")[0].rpartition(b" ")[2], []).append(line)
    waiting = [part[::-1] for part in of_each.values()]
    found: list[bytes] = []
    turn = 0
    while waiting:
        turn += 1
        part = waiting[chances[turn % len(chances)] % len(waiting)]
        found.append(part.pop())
        waiting = [part for part in waiting if part]
    return found


def picture(lines: list[bytes]) -> Picture:
    incident = Incident(window=7200, threshold=200)
    latest = 0.0
    for event in events(decoded(b"".join(lines)), LogClock()):
        incident.feed(event)
        latest = max(latest, event.time)
    return incident.picture(latest, complete=True)


def assert_nobody_else_is_accused(seen: Picture) -> None:
    for row in seen.senders:
        # Where a line was cut in the login, or right behind it, that is all of it that is known.
        whose = {
            client
            for name, client in ((ALICE, ATTACKER), (CAROL, OFFICE.address))
            if f"{name}, sasl_sender=".startswith(row.login)
        }
        assert {client for client, _ in row.clients} <= whose
        assert row.login != CAROL or (row.suspected, row.forged) == (False, 0)
    assert {row.client for row in seen.relays} <= {ATTACKER}
    assert {row.client for row in seen.failed_logins} <= {ATTACKER}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(chances=st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_daemons_that_are_interleaved_otherwise(truth: Truth, chances: list[int]) -> None:
    lines = interleaved(truth.log.splitlines(keepends=True), chances)
    assert sorted(lines) == sorted(truth.log.splitlines(keepends=True))
    assert_nobody_else_is_accused(picture(lines))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_lines_that_are_cut_or_missing_and_others_in_between(truth: Truth, data: st.DataObject) -> None:
    lines = truth.log.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 30))):
        place = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(("cut", "gone", "noise")))
        if how == "cut" and OFFICE.address.encode() not in lines[place]:
            # As rsyslog cuts: the end of a line. Cut right behind the client, a letter of carol's has no login.
            lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place]) - 1))] + b"\n"
        elif how == "gone":
            del lines[place]
        else:
            lines.insert(place, data.draw(NOISE).replace(b"\n", b"") + b"\n")
    assert_nobody_else_is_accused(picture(lines))


@pytest.mark.parametrize("offset", ["+00:00", "+05:30", "-11:00"])
def test_time_stamps_of_any_zone_and_of_a_year_that_ends(truth: Truth, offset: str) -> None:
    lines = truth.log.splitlines(keepends=True)
    half = len(lines) // 2
    stamps = [f"2025-12-31T23:59:58.9{offset}".encode(), f"2026-01-01T00:00:01.1{offset}".encode()]
    seen = picture([stamps[number >= half] + line[15:] for number, line in enumerate(lines)])
    assert_nobody_else_is_accused(seen)
    assert {row.login: row.messages for row in seen.senders} == {ALICE: len(truth.with_login), CAROL: 2}
