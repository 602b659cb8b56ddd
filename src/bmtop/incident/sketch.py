"""The heaviest of ever more keys in bounded memory: exact up to a set number of them, then a sketch.

The sketch is Space-Saving (Metwally, Agrawal, El Abbadi, 2005), with keys dropped in batches: a key that comes
when there is no room takes the place of the lightest, and from then on counts as at least as heavy as what was
dropped, for it may have been among that. So whatever is heavier than the rest is kept, in whatever order it comes.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

# The share that is dropped at a time, since each time all are looked at.
_BATCH = 0.5


class Heaviest(Generic[T]):
    """What is `known` of each key, of at most `most` of them. `weight` tells from that how heavy a key was within
    the last `span` seconds, `matters` that it is to be kept however light it is, if there are not too many such.
    """

    __slots__ = ("_before", "_matters", "_most", "_past", "_raised", "_raises", "_span", "_weight", "known")

    def __init__(
        self,
        most: int,
        span: float,
        weight: Callable[[T], int],
        matters: Callable[[T], bool] = lambda what: False,
        known: dict[str, T] | None = None,
    ) -> None:
        self.known = {} if known is None else known
        self._most = most
        self._span = span
        self._weight = weight
        self._matters = matters
        # By how much each batch raised the weight of what was dropped, and when; all of that together, and what
        # of it is out of the span by now.
        self._raises: deque[tuple[float, int]] = deque()
        self._raised = self._past = 0
        # What was raised before a key came.
        self._before: dict[str, int] = {}

    @property
    def missing(self) -> int:
        """How much weight a key may lack, since it may have been dropped before: 0 while all that came are known."""
        return self._raised - self._past

    def add(self, key: str, what: T, time: float) -> list[str]:
        """Take a key that is not known; return those that were dropped to make room."""
        dropped = self._drop(time) if len(self.known) >= self._most else []
        self.known[key] = what
        if self.missing:
            self._before[key] = self._raised
        return dropped

    def remove(self, key: str) -> T:
        """Forget a key that is known, and return what was."""
        self._before.pop(key, None)
        return self.known.pop(key)

    def settle(self, now: float) -> None:
        """Leave what was dropped so long ago that it would be out of the span by now."""
        while self._raises and now - self._raises[0][0] > self._span:
            self._past += self._raises.popleft()[1]
        if not self._raises:
            self._before.clear()

    def _drop(self, time: float) -> list[str]:
        self.settle(time)
        past, before, weight = self._past, self._before, self._weight
        weights = {key: weight(what) + max(0, before.get(key, 0) - past) for key, what in self.known.items()}
        count = max(1, int(self._most * _BATCH))
        lighter = {key: weight for key, weight in weights.items() if not self._matters(self.known[key])}
        weights = lighter if len(lighter) >= count else weights
        limit = _limit(weights, count)
        dropped = [key for key, weight in weights.items() if weight <= limit][:count]
        for key in dropped:
            del self.known[key]
        self._before = {key: raised for key, raised in before.items() if key in self.known}
        if limit > self.missing:
            self._raises.append((time, limit - self.missing))
            self._raised += limit - self.missing
        return dropped


def _limit(weights: dict[str, int], count: int) -> int:
    """Return the weight that the lightest `count` of them do not exceed."""
    below = 0
    for weight, keys in sorted(Counter(weights.values()).items()):
        below += keys
        if below >= count:
            return weight
    return 0
