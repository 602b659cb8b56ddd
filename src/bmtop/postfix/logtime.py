"""Time stamps of log lines: RFC 3164 (`Nov  4 08:00:01`, no year, no zone) and RFC 3339, to whole seconds."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHORT = re.compile(rf"({'|'.join(_MONTHS)}) ([ \d]\d) (\d\d):([0-5]\d):([0-5]\d|60)", re.ASCII)
_LONG = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d):([0-5]\d):([0-5]\d|60)(?:\.\d{1,9})?(?:(Z)|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_LONGEST = 40
# What wrote the log may be a little ahead of this clock: that is no log of last year.
_AHEAD = 600.0
# A stamp with a year is taken at its word, but not from a clock that was quite wrong.
_FAR_AHEAD = 86400.0
# Time zones change at full quarters of an hour, so what was worked out in one holds until its end.
_QUARTER = 900
# So many stamps, and so many heads of lines, are remembered.
_MOST = 10_000

# When a line was written, in seconds since the epoch, and by which daemon.
Head = tuple[float, str]


class LogClock:
    """Reads time stamps; what names no zone is in local time.

    A stamp without a year is the latest such moment that is not in the future. In the hour that comes twice
    when summer time ends, that is the second one as soon as it has begun. A stamp more than a day ahead is none.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._quarter = 0
        self._seconds: dict[str, float | None] = {}
        self._heads: dict[str, Head] = {}

    def heads(self) -> dict[str, Head]:
        """Return what was noted of each line's head, as far as it still holds; more may be noted."""
        self._forget()
        return self._heads

    def _forget(self) -> None:
        quarter = int(self._now() // _QUARTER)
        if quarter != self._quarter or len(self._seconds) > _MOST or len(self._heads) > _MOST:
            self._quarter = quarter
            # Whoever is reading goes on with what it was given.
            self._seconds, self._heads = {}, {}

    def epoch(self, stamp: str) -> float | None:
        """Return the second since the epoch that `stamp` says, or None where it is no time stamp."""
        self._forget()
        known = self._seconds
        if stamp not in known:
            try:
                known[stamp] = self._short(stamp) if stamp[:1].isalpha() else self._long(stamp)
            except (ValueError, OverflowError, OSError):
                known[stamp] = None
        return known[stamp]

    def of_line(self, line: bytes) -> float | None:
        """Return the same for the stamp at the start of a log line."""
        start = line[:_LONGEST].decode("ascii", "replace")
        found = _SHORT.match(start) or _LONG.match(start)
        return self.epoch(found[0]) if found and start[found.end() :][:1] == " " else None

    def _short(self, stamp: str) -> float | None:
        found = _SHORT.fullmatch(stamp)
        if found is None:
            return None
        now = self._now()
        month, day, hour, minute, second = _MONTHS.index(found[1]) + 1, *(int(part) for part in found.groups()[1:])
        leap_second = second // 60
        year = time.localtime(now + _AHEAD).tm_year
        # A 29th of February may be up to eight years back.
        for candidate in range(year, year - 9, -1):
            try:
                moment = datetime(candidate, month, day, hour, minute, second - leap_second)
            except ValueError:
                continue
            first, second_time = moment.timestamp(), moment.replace(fold=1).timestamp()
            if first < second_time <= now // _QUARTER * _QUARTER + _QUARTER:
                return second_time + leap_second
            if first <= now + _AHEAD:
                return first + leap_second
        return None

    def _long(self, stamp: str) -> float | None:
        found = _LONG.fullmatch(stamp)
        if found is None:
            return None
        hour, minutes, seconds, utc, sign, zone_hours, zone_minutes = found.groups()
        # Python's datetime has no leap seconds.
        moment = datetime.fromisoformat(f"{hour}:00")
        if utc:
            moment = moment.replace(tzinfo=timezone.utc)
        elif sign:
            offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            moment = moment.replace(tzinfo=timezone(offset if sign == "+" else -offset))
        epoch = moment.timestamp() + int(minutes) * 60 + int(seconds)
        return epoch if 0 <= epoch <= self._now() + _FAR_AHEAD else None
