"""Spans and moments of time, as they are typed on the command line."""

import re
import time
from datetime import datetime, timedelta

from bmtop.checked import Refused

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORMS = ("%b %d %H:%M:%S", "%b %d %H:%M", "%m-%d %H:%M:%S", "%m-%d %H:%M", "%H:%M:%S", "%H:%M")


def seconds(text: str) -> float:
    """Return the seconds of a span such as 90s, 15m, 1h or 7d; raises `Refused` for another form, or zero."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd]?)", text.strip())
    span = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if span <= 0:
        raise Refused(f"{text[:40]!a} is no span of time; write it like 90s, 15m, 1h or 7d.")
    return span


def moment(text: str, now: float | None = None) -> float:
    """Return the epoch seconds of a moment: ISO 8601, `Nov 24 13:19:42`, `13:19`, or a span that ended now.

    What names no year, or no day, is the latest such moment that is not in the future; what names no zone is
    in local time. Raises `Refused` for another form.
    """
    now = time.time() if now is None else now
    text = text.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?[smhd]", text):
        return now - seconds(text)
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        pass
    words = " ".join(text.split())
    for form in _FORMS:
        try:
            # A leap year, so that the 29th of February is a day.
            parsed = datetime.strptime(f"2000 {words}", f"%Y {form}")
        except ValueError:
            continue
        found = _latest(parsed, datetime.fromtimestamp(now), has_day="%d" in form)
        if found is not None:
            return found
    raise Refused(
        f"{text[:40]!a} is no moment; write it like 2026-11-24T13:19, 'Nov 24 13:19', 13:19, or 2h for two hours ago."
    )


def _latest(parsed: datetime, now: datetime, has_day: bool) -> float | None:
    if not has_day:
        today = now.replace(hour=parsed.hour, minute=parsed.minute, second=parsed.second, microsecond=0)
        # By the calendar: a day on which the time changes has 23 or 25 hours, and one hour of it comes twice.
        days = (today - timedelta(days=1), today)
        candidates = [day.replace(fold=fold).timestamp() for day in days for fold in (0, 1)]
        return max(candidate for candidate in candidates if candidate <= now.timestamp())
    for year in range(now.year, now.year - 9, -1):
        try:
            candidate = parsed.replace(year=year)
        except ValueError:
            continue
        if candidate <= now:
            return candidate.timestamp()
    return None
