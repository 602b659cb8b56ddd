"""Time stamps of log lines: RFC 3164 (`Nov  4 08:00:01`, no year) and RFC 3339."""

import time
from datetime import datetime

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
# A log written a little ahead of this clock is not a log of last year.
_AHEAD = 86400.0


class LogClock:
    """Reads time stamps, in local time where they name no zone; each hour is computed once."""

    def __init__(self, now: float | None = None) -> None:
        self._now = now
        self._hours: dict[bytes, float] = {}
        self._hours_made = 0.0

    def epoch(self, line: bytes) -> float | None:
        """Return the seconds since the epoch at the start of `line`, or None where it has no time stamp.

        A stamp without a year is the latest such moment that is not in the future.
        """
        try:
            if line[3:4] == b" ":
                return self._hour(line[:9]) + int(line[10:12]) * 60 + int(line[13:15])
            if line[4:5] == b"-" and line[10:11] == b"T":
                return self._rfc3339(line)
        except (ValueError, KeyError, OverflowError):
            return None
        return None

    def _rfc3339(self, line: bytes) -> float:
        stamp = line[: line.index(b" ") if b" " in line[:40] else 40]
        minutes, seconds = int(stamp[14:16]), stamp[17:]
        zone = next((i for i, c in enumerate(seconds) if c in b"Zz+-"), len(seconds))
        key = stamp[:13] + seconds[zone:]
        base = self._hours.get(key)
        if base is None:
            offset = seconds[zone:].decode("ascii").upper().replace("Z", "+00:00")
            base = self._hours[key] = datetime.fromisoformat(f"{stamp[:13].decode('ascii')}:00:00{offset}").timestamp()
        return base + minutes * 60 + float(seconds[:zone])

    def _hour(self, key: bytes) -> float:
        """Return the epoch second of an hour such as `Nov  4 08`."""
        now = time.time() if self._now is None else self._now
        # The year that is meant changes as time goes on.
        if now - self._hours_made > 3600:
            self._hours.clear()
            self._hours_made = now
        base = self._hours.get(key)
        if base is None:
            base = self._hours[key] = _latest(_MONTHS[key[:3]], int(key[4:6]), int(key[7:9]), now + _AHEAD)
        return base


def _latest(month: int, day: int, hour: int, before: float) -> float:
    year = time.localtime(before).tm_year
    # A 29th of February may be up to eight years back.
    for candidate in range(year, year - 9, -1):
        try:
            moment = datetime(candidate, month, day, hour).timestamp()
        except ValueError:
            continue
        if moment <= before:
            return moment
    raise ValueError("no such day")
