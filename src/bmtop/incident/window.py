"""Counts over a sliding time span, in fixed bins: old bins drop out, nothing is kept per event."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from heapq import nsmallest
from math import gcd

from bmtop.incident.sketch import Heaviest

_BINS = 60
# Seconds. Over long spans too, a bin is short enough to tell an hour's burst from a day's mail.
_WIDEST = 300.0
_MINUTE = 60
# So many different values of a kind are told apart; of more, the most frequent, and the others only counted.
_MOST = 2_000
_OTHERS = "others: "


class AtLeast(int):
    """How many there are of what is too much to be counted: so many, and there may be more. It says so as text."""

    def __format__(self, form: str) -> str:
        return f"at least {int(self):{form}}"

    def __sub__(self, other: int) -> "AtLeast":
        return AtLeast(int(self) - other)


def grain(span: float) -> int:
    """Return the seconds within which it makes no difference when something came, where counts go over `span`: they
    are in one bin, and in one minute.
    """
    width = _width(span)
    return gcd(int(width), _MINUTE) if width == int(width) else 1


def _width(span: float) -> float:
    return min(max(span / _BINS, 1.0), _WIDEST)


class _Bin:
    __slots__ = ("kinds", "number", "plain")

    def __init__(self, number: int) -> None:
        self.number = number
        self.plain: dict[str, int] = {}
        self.kinds: dict[str, dict[str, int]] = {}


_NO_BIN = _Bin(-1)


class WindowCounts:
    """How often things came within the last `span` seconds. Late entries go into the bin of their own time.

    A plain key counts events (`add`); a kind has values, each counted for itself (`see`). Where there are too many,
    only the most frequent ones are, and the `others` together.
    """

    __slots__ = ("_bins", "_kinds", "_most", "_open", "_plain", "_sketches", "_width", "changes", "dropped", "span")

    def __init__(self, span: float, most: int = _MOST) -> None:
        self.span = span
        self.dropped: dict[str, int] = {}
        # Goes up with every change: what was made of the counts is still right while it has not.
        self.changes = 0
        self._most = most
        self._plain: dict[str, int] = {}
        self._kinds: dict[str, dict[str, int]] = {}
        self._width = _width(span)
        # A list: there are few, and tens of thousands of counts.
        self._bins: list[_Bin] = []
        self._open = _NO_BIN
        self._sketches: dict[str, Heaviest[int]] | None = None

    def add(self, time: float, key: str, count: int = 1) -> None:
        """Count `key`."""
        number = int(time // self._width)
        counts = (self._open if self._open.number == number else self._bin(number)).plain
        counts[key] = counts.get(key, 0) + count
        self._plain[key] = self._plain.get(key, 0) + count
        self.changes += 1

    def see(self, time: float, kind: str, value: str, count: int = 1) -> None:
        """Count `value` among those of its kind."""
        values = self._kinds.get(kind)
        if values is None:
            values = self._kinds[kind] = {}
        known = values.get(value, 0)
        if not known and (len(values) >= self._most or self._sketches is not None):
            self._make_room(time, kind, value)
        values[value] = known + count
        number = int(time // self._width)
        kinds = (self._open if self._open.number == number else self._bin(number)).kinds
        counts = kinds.get(kind)
        if counts is None:
            counts = kinds[kind] = {}
        counts[value] = counts.get(value, 0) + count
        self.changes += 1

    def see_all(self, time: float, kind: str, values: Mapping[str, int]) -> None:
        """Count so many of each of these values of a kind."""
        known = self._kinds.setdefault(kind, {})
        sketched = self._sketches is not None and kind in self._sketches
        if sketched or len(known) + len(values.keys() - known.keys()) > self._most:
            for value, count in values.items():
                self.see(time, kind, value, count)
            return
        counts = self._bin(int(time // self._width)).kinds.setdefault(kind, {})
        for value, count in values.items():
            known[value] = known.get(value, 0) + count
            counts[value] = counts.get(value, 0) + count
        self.changes += 1

    def _make_room(self, time: float, kind: str, value: str) -> None:
        """Leave values that are less frequent, so that there is room for one more."""
        if self._sketches is None:
            self._sketches = {}
        sketch = self._sketches.get(kind)
        if sketch is None:
            if len(self._kinds[kind]) < self._most:
                return
            sketch = self._sketches[kind] = Heaviest(self._most, self.span, int, known=self._kinds[kind])
        left = set(sketch.add(value, 0, time))
        others = _OTHERS + kind
        for one in self._bins if left else ():
            counts = one.kinds.get(kind, {})
            for gone in left & counts.keys():
                count = counts.pop(gone)
                one.plain[others] = one.plain.get(others, 0) + count
                self._plain[others] = self._plain.get(others, 0) + count

    def _bin(self, number: int) -> _Bin:
        """Return the bin of this number, which is the open one from now on."""
        bins = self._bins
        place = len(bins)
        while place and bins[place - 1].number > number:
            place -= 1
        if place and bins[place - 1].number == number:
            self._open = bins[place - 1]
        else:
            self._open = _Bin(number)
            bins.insert(place, self._open)
        return self._open

    def expire(self, now: float) -> None:
        """Forget what is older than the span, to a bin's width; `dropped` keeps the sums of the plain keys."""
        oldest = int((now - self.span) // self._width)
        while self._bins and self._bins[0].number < oldest:
            old = self._bins.pop(0)
            self.changes += 1
            if old is self._open:
                self._open = _NO_BIN
            for key, count in old.plain.items():
                self.dropped[key] = self.dropped.get(key, 0) + count
                _take(self._plain, key, count)
            for kind, values in old.kinds.items():
                for value, count in values.items():
                    _take(self._kinds[kind], value, count)
        for sketch in self._sketches.values() if self._sketches else ():
            sketch.settle(now)

    @property
    def empty(self) -> bool:
        return not self._bins

    def __getitem__(self, key: str) -> int:
        return self._plain.get(key, 0)

    def of(self, kind: str, most: int | None = None) -> list[tuple[str, int]]:
        """Return the values of a kind with their counts, most frequent first; at most `most` of them."""
        values = self._kinds.get(kind, {}).items()
        return sorted(values, key=_order) if most is None else nsmallest(most, values, key=_order)

    def count(self, kind: str, value: str) -> int:
        """Return how often this value of a kind came."""
        return self._kinds.get(kind, {}).get(value, 0)

    def distinct(self, kind: str) -> int:
        """Return how many different values of a kind there are: `AtLeast` so many where not all are told apart."""
        known = len(self._kinds.get(kind, ()))
        return AtLeast(max(known, self._most)) if self.missing(kind) else known

    def others(self, kind: str) -> int:
        """Return how often values of a kind came that are not told apart."""
        return self[_OTHERS + kind]

    def missing(self, kind: str) -> int:
        """Return by how much the count of a value may be too low, since not all are told apart; 0 while they are."""
        sketch = self._sketches.get(kind) if self._sketches else None
        return sketch.missing if sketch else 0

    def since(self, time: float, key: str) -> int:
        """Return how often `key` came from `time` on, to a bin's width."""
        first = int(time // self._width)
        return sum(one.plain.get(key, 0) for one in self._from(first))

    def per_minute(self, key: str, now: float, span: float) -> float:
        """Return how often `key` came a minute in the last `span` seconds up to `now`, and in the bin they begin in:
        a rate of all the time that is counted, so that it does not rise and fall with the bins.
        """
        begin = (now - span) // self._width * self._width
        return self.since(now - span, key) * _MINUTE / (now - begin)

    def _from(self, first: int) -> Iterator[_Bin]:
        for one in reversed(self._bins):
            if one.number < first:
                return
            yield one

    def before(self, time: float, key: str) -> int:
        """Return how often `key` came before `time`, what has dropped out of the span included."""
        first = int(time // self._width)
        kept = sum(one.plain.get(key, 0) for one in self._bins if one.number < first)
        return kept + self.dropped.get(key, 0)

    @property
    def begins(self) -> float:
        """The time of the first bin; 0 where nothing is counted."""
        return self._bins[0].number * self._width if self._bins else 0.0

    def _sliding(self, key: str, width: int) -> Iterator[tuple[int, int]]:
        """Yield the first bin's number and the count of every `width` bins in a row that end in a bin."""
        bins = list(self._bins)
        total = first = 0
        for one in bins:
            total += one.plain.get(key, 0)
            while bins[first].number <= one.number - width:
                total -= bins[first].plain.get(key, 0)
                first += 1
            yield bins[first].number, total

    def busiest(self, key: str, span: float) -> int:
        """Return how often `key` came in the busiest `span` seconds; of a longer bin, it is the share."""
        if span >= self.span:
            return self[key]
        width = max(1, round(span / self._width))
        most = max((total for _, total in self._sliding(key, width)), default=0)
        return int(most * min(1.0, span / (width * self._width)))

    def onset(self, key: str, span: float, share: float) -> float:
        """Return when the first `span` seconds began in which `key` came this share of the busiest ones as often."""
        width = max(1, round(span / self._width))
        counted = list(self._sliding(key, width))
        most = max((total for _, total in counted), default=0)
        return next((first * self._width for first, total in counted if total >= share * most), 0.0)

    def most_distinct(self, kind: str, span: float, same: Callable[[str], str]) -> int:
        """Return how many different values of a kind came in those `span` seconds, to a bin's width, that had most;
        values for which `same` returns the same count once.
        """
        width = max(1, round(span / self._width))
        there = [(one.number, {same(value) for value in one.kinds.get(kind, ())}) for one in self._bins]
        inside = Counter[str]()
        most = first = 0
        for number, values in there:
            inside.update(values)
            while there[first][0] <= number - width:
                for gone in there[first][1]:
                    _take(inside, gone, 1)
                first += 1
            most = max(most, len(inside))
        return most

    def between(self, begin: float, end: float, kind: str) -> dict[str, int]:
        """Return the values of a kind that came from `begin` to before `end`, to a bin's width, with their counts."""
        first, last = int(begin // self._width), end / self._width
        found: dict[str, int] = {}
        for one in self._from(first):
            if one.number < last:
                for value, count in one.kinds.get(kind, {}).items():
                    found[value] = found.get(value, 0) + count
        return found


def _order(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _take(counts: dict[str, int], key: str, count: int) -> None:
    left = counts[key] - count
    if left:
        counts[key] = left
    else:
        del counts[key]
