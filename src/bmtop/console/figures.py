"""Figures in words: counts, shares, ages, sizes and times, short enough for a column."""

import time

import humanize

NONE = "-"


def count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` in percent; never 0 % for a few, and never 100 % for less than all."""
    if whole <= 0:
        return NONE
    percent = round(100 * part / whole)
    if part and percent == 0:
        return "<1 %"
    if part < whole and percent == 100:
        return ">99 %"
    return f"{percent} %"


def rate(per_minute: float) -> str:
    return f"{per_minute:.1f}" if 0 < per_minute < 9.95 else f"{per_minute:,.0f}"


def age(seconds: float) -> str:
    """Return an age for a column: `now`, `20 s`, `5 min`, `3 h`, `2 d`; coarse, so that it seldom changes."""
    seconds = int(seconds)
    if seconds < 10:
        return "now"
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds // 10}0 s"


def seconds(span: float) -> str:
    """Return a short span to the second: `8 s`, `5 min`."""
    return f"{max(0, int(span))} s" if span < 60 else age(span)


def seen(epoch: float, now: float) -> str:
    """Return how long ago something was seen; 0 means never, as far as the log goes back."""
    return age(now - epoch) if epoch else NONE


def duration(seconds: float) -> str:
    """Return a time span for a sentence: `14 minutes`."""
    return humanize.naturaldelta(max(0, int(seconds)))


def size(number: int) -> str:
    return humanize.naturalsize(number).replace("Bytes", "B").replace("Byte", "B")


def clock(epoch: float, now: float) -> str:
    """Return the local time of day; with the date where that is another day than `now`."""
    moment, today = time.localtime(epoch), time.localtime(now)
    same_day = moment[:3] == today[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S", moment)


def window(seconds: float) -> str:
    """Return a window as it is typed on the command line: `15m`, `6h`."""
    whole = int(seconds)
    for unit, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= unit and whole % unit == 0:
            return f"{whole // unit}{letter}"
    return f"{whole}s"
