"""Moments as they are typed, on the days on which the time changes too."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest

from bmtop.spans import moment


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], str]]:
    """In Paris: what is meant, in UTC, by what is typed at a moment in UTC."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()

    def meant(now: str, typed: str) -> str:
        at = datetime.fromisoformat(now).replace(tzinfo=timezone.utc).timestamp()
        return datetime.fromtimestamp(moment(typed, at), timezone.utc).strftime("%Y-%m-%d %H:%M")

    yield meant
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("now", "typed", "meant"),
    [
        ("2026-11-24 12:00", "12:30", "2026-11-24 11:30"),
        ("2026-11-24 12:00", "13:19", "2026-11-23 12:19"),
        # Summer time began, or ended, at 01:00 UTC.
        ("2026-03-29 08:00", "13:19", "2026-03-28 12:19"),
        ("2026-03-29 08:00", "09:30", "2026-03-29 07:30"),
        ("2026-10-25 09:00", "13:19", "2026-10-24 11:19"),
        ("2026-10-25 09:00", "09:30", "2026-10-25 08:30"),
        # An hour comes twice: the latest one that there was.
        ("2026-10-25 01:30", "02:15", "2026-10-25 01:15"),
        ("2026-10-25 01:30", "02:45", "2026-10-25 00:45"),
        ("2026-10-25 00:30", "02:45", "2026-10-24 00:45"),
    ],
)
def test_a_time_of_day_is_the_latest_such_moment(
    paris: Callable[[str, str], str], now: str, typed: str, meant: str
) -> None:
    assert paris(now, typed) == meant
