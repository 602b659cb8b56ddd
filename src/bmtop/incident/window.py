"""Counts over a sliding time span, in fixed bins: old bins drop out, nothing is kept per event."""

from collections import deque
from collections.abc import Hashable, Iterator

_BINS = 60


class WindowCounts:
    """How often each key came within the last `span` seconds. Late entries go into the bin of their own time."""

    __slots__ = ("_bins", "_width", "span", "totals")

    def __init__(self, span: float) -> None:
        self.span = span
        self.totals: dict[Hashable, int] = {}
        self._width = max(span / _BINS, 1.0)
        self._bins: deque[tuple[int, dict[Hashable, int]]] = deque()

    def add(self, time: float, key: Hashable, count: int = 1) -> None:
        number = int(time // self._width)
        counts = self._bin(number)
        counts[key] = counts.get(key, 0) + count
        self.totals[key] = self.totals.get(key, 0) + count

    def _bin(self, number: int) -> dict[Hashable, int]:
        place = len(self._bins)
        while place and self._bins[place - 1][0] > number:
            place -= 1
        if place and self._bins[place - 1][0] == number:
            return self._bins[place - 1][1]
        counts: dict[Hashable, int] = {}
        self._bins.insert(place, (number, counts))
        return counts

    def expire(self, now: float) -> None:
        """Forget what is older than the span, to a bin's width."""
        oldest = int((now - self.span) // self._width)
        while self._bins and self._bins[0][0] < oldest:
            for key, count in self._bins.popleft()[1].items():
                left = self.totals[key] - count
                if left:
                    self.totals[key] = left
                else:
                    del self.totals[key]

    def __getitem__(self, key: Hashable) -> int:
        return self.totals.get(key, 0)

    def of(self, kind: str) -> list[tuple[str, int]]:
        """Return the values counted under keys `(kind, value)`, most frequent first."""
        found = [(k[1], n) for k, n in self.totals.items() if isinstance(k, tuple) and k[0] == kind]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def since(self, time: float, key: Hashable) -> int:
        """Return how often `key` came from `time` on, to a bin's width."""
        first = int(time // self._width)
        return sum(counts.get(key, 0) for number, counts in self._recent(first))

    def _recent(self, first: int) -> Iterator[tuple[int, dict[Hashable, int]]]:
        for entry in reversed(self._bins):
            if entry[0] < first:
                return
            yield entry
