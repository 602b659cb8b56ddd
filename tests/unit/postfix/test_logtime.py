"""Time stamps of log lines: which moment they mean, whatever the clock and the zone do."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.postfix.logtime import LogClock

SetZone = Callable[[str], None]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    """Set the machine's time zone; afterwards it is as it was."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def at(now: str, *stamps: str) -> list[str | None]:
    """What these stamps mean at this moment, both in UTC."""
    clock = LogClock(lambda: utc(now))
    found = (clock.epoch(stamp) for stamp in stamps)
    return [None if e is None else datetime.fromtimestamp(e, timezone.utc).strftime("%Y-%m-%d %H:%M:%S") for e in found]


def test_a_stamp_without_a_year_is_of_this_year_or_the_last_one_never_of_the_future(zone: SetZone) -> None:
    zone("UTC")
    assert at("2027-01-01 00:00:05", "Jan  1 00:00:01", "Dec 31 23:59:59", "Jan  2 00:00:00", "Nov 24 13:19:42") == [
        "2027-01-01 00:00:01",
        "2026-12-31 23:59:59",
        "2026-01-02 00:00:00",
        "2026-11-24 13:19:42",
    ]


def test_a_log_written_a_little_ahead_of_this_clock_is_of_today(zone: SetZone) -> None:
    zone("UTC")
    assert at("2026-12-31 23:59:58", "Jan  1 00:00:03", "Dec 31 23:59:59") == [
        "2027-01-01 00:00:03",
        "2026-12-31 23:59:59",
    ]


def test_the_29th_of_february_is_of_the_latest_leap_year(zone: SetZone) -> None:
    zone("UTC")
    assert at("2026-11-24 12:00:00", "Feb 29 12:00:00") == ["2024-02-29 12:00:00"]
    assert at("2104-02-28 12:00:00", "Feb 29 12:00:00") == ["2096-02-29 12:00:00"]
    assert at("2028-02-29 13:00:00", "Feb 29 12:00:00") == ["2028-02-29 12:00:00"]


def test_local_time_follows_summer_time(zone: SetZone) -> None:
    zone("Europe/Paris")
    assert at("2026-11-24 12:00:00", "Jul  1 12:00:00", "Nov 24 12:00:00", "Mar 29 03:30:00") == [
        "2026-07-01 10:00:00",
        "2026-11-24 11:00:00",
        "2026-03-29 01:30:00",
    ]


def test_in_the_hour_that_comes_twice_a_fresh_line_is_fresh_both_times(zone: SetZone) -> None:
    zone("Europe/Paris")
    # Summer time ends at 03:00, which is 01:00 UTC: 02:05 local is 00:05 and 01:05 UTC.
    assert at("2026-10-25 00:05:02", "Oct 25 02:05:00") == ["2026-10-25 00:05:00"]
    assert at("2026-10-25 01:05:02", "Oct 25 02:05:00", "Oct 25 02:50:00") == [
        "2026-10-25 01:05:00",
        "2026-10-25 00:50:00",
    ]


def test_a_clock_that_goes_on_reads_the_same_stamp_anew(zone: SetZone) -> None:
    zone("Europe/Paris")
    now = utc("2026-10-25 00:05:02")
    clock = LogClock(lambda: now)
    assert clock.epoch("Oct 25 02:05:00") == utc("2026-10-25 00:05:00")
    now += 3600
    assert clock.epoch("Oct 25 02:05:00") == utc("2026-10-25 01:05:00")
    now += 366 * 86400
    assert clock.epoch("Oct 25 02:05:00") == utc("2027-10-25 00:05:00")


def test_a_clock_that_is_set_back_reads_the_same_stamp_anew(zone: SetZone) -> None:
    zone("UTC")
    now = utc("2026-11-24 12:00:00")
    clock = LogClock(lambda: now)
    assert clock.epoch("Nov 24 11:59:00") == utc("2026-11-24 11:59:00")
    now -= 86400
    assert clock.epoch("Nov 24 11:59:00") == utc("2025-11-24 11:59:00")


@pytest.mark.parametrize(
    ("stamp", "meant"),
    [
        ("2026-11-24T13:19:42Z", "2026-11-24 13:19:42"),
        ("2026-11-24T13:19:42.123456+01:00", "2026-11-24 12:19:42"),
        ("2026-11-24T13:19:42-0530", "2026-11-24 18:49:42"),
        ("2026-11-24T13:19:42", "2026-11-24 12:19:42"),
        ("2016-12-31T23:59:60Z", "2017-01-01 00:00:00"),
        ("2026-10-25T02:05:00+02:00", "2026-10-25 00:05:00"),
        ("2026-10-25T02:05:00+01:00", "2026-10-25 01:05:00"),
    ],
)
def test_rfc_3339(zone: SetZone, stamp: str, meant: str) -> None:
    zone("Europe/Paris")
    assert at("2026-11-24 20:00:00", stamp) == [meant]


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "Nov 24 24:00:00",
        "Nov 31 12:00:00",
        "Feb 30 12:00:00",
        "Nov 24 12:60:00",
        "Nov 24 12:00:61",
        "Now 24 12:00:00",
        "nov 24 12:00:00",
        "Nov 24 12:00:0x",
        "Nov -4 12:00:00",
        "Nov  0 12:00:00",
        "Nov ٢٤ 12:00:00",
        "2026-13-24T13:19:42Z",
        "2026-11-24T25:19:42Z",
        "2026-11-24T13:19:42+99:99",
        "2026-11-24 13:19:42",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
    ],
)
def test_what_is_no_time_stamp_is_none(stamp: str) -> None:
    assert at("2026-11-24 12:00:00", stamp) == [None]


def test_a_stamp_of_a_clock_that_was_quite_wrong_is_not_believed() -> None:
    assert at("2026-11-24 12:00:00", "2026-11-24T13:00:00Z", "2030-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00") == [
        "2026-11-24 13:00:00",
        None,
        None,
    ]


def test_the_start_of_a_line_is_read_and_nothing_else() -> None:
    clock = LogClock(lambda: utc("2026-11-24 14:00:00"))
    assert clock.of_line(b"2026-11-24T13:19:42.5Z mail postfix/qmgr[1]: A: removed\n") == utc("2026-11-24 13:19:42")
    assert clock.of_line(b"2026-11-24T13:19:42Zmail x") is None
    assert clock.of_line(b"2026-11-24T13:19:42Z") is None
    assert clock.of_line(b" Nov 24 13:19:42 mail x") is None
    assert clock.of_line(b"\xff\xfe\x00") is None


ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")
MOMENTS = st.integers(int(utc("2005-01-01")), int(utc("2090-01-01")))


@settings(max_examples=300, deadline=None)
@given(now=MOMENTS, name=st.sampled_from(ZONES), ago=st.integers(0, 360 * 86400))
def test_what_was_written_in_the_last_year_is_read_as_that_moment(now: int, name: str, ago: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(now - ago))
        found = LogClock(lambda: float(now)).epoch(stamp)
    time.tzset()
    # In the hour that comes twice, the stamp alone does not tell which one it was.
    assert found is not None
    assert found - (now - ago) in (0, 3600, -3600, 1800, -1800)
    if ago < 900:
        assert found == now - ago or found - (now - ago) in (1800, 3600)
        assert found <= now + 900


@settings(max_examples=300, deadline=None)
@given(now=MOMENTS, ago=st.integers(0, 10_000_000), east=st.integers(-14 * 60, 14 * 60))
def test_a_stamp_with_its_zone_is_read_as_that_moment(now: int, ago: int, east: int) -> None:
    moment = datetime.fromtimestamp(now - ago, timezone(timedelta(minutes=east)))
    assert LogClock(lambda: float(now)).epoch(moment.isoformat(timespec="microseconds")) == now - ago


@settings(max_examples=300, deadline=None)
@given(line=st.binary(max_size=60))
def test_no_bytes_raise(line: bytes) -> None:
    LogClock(lambda: utc("2026-11-24 14:00:00")).of_line(line)
