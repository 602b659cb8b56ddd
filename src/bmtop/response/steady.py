"""Time as it passes, whatever the clock is set to meanwhile: by chrony, or because the machine was suspended."""

import math
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

# In seconds. The log's stamps are no finer.
_STEP = 1.0
# In seconds. So long after its stamp something may first be seen, though it was looked for before.
_LATE = 5.0


class _Set(NamedTuple):
    """The clock was set, after `since` and before `noticed`, and is `ahead` by so much from then on."""

    since: float
    noticed: float
    ahead: float


class Steady:
    """Moments in epoch seconds, by the clock as it was in the beginning, and from then on by the time that passed.

    `clock` is the one that is set, and that log and journal are stamped by; `passing` counts seconds from anywhere.
    Call `now` often: that the clock was set is noticed by it alone.
    """

    def __init__(self, clock: Callable[[], float] = time.time, passing: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passing = passing
        self._looked = clock()
        self._zero = self._looked - passing()
        self._set = [_Set(-math.inf, -math.inf, 0.0)]

    def now(self) -> float:
        """Return this moment."""
        now = self._zero + self._passing()
        ahead = self._clock() - now
        if abs(ahead - self._set[-1].ahead) > _STEP:
            self._set.append(_Set(self._looked, now, ahead))
        self._looked = now
        return now

    def of(self, stamp: float) -> float:
        """Return the moment when the clock last said `stamp`; what is not to be yet was now."""
        return next(iter(self._readings(stamp)), self._looked)

    def earliest(self, stamp: float, after: float) -> float:
        """Return the moment when the clock first said `stamp` since `after`, or at all where it did not since."""
        readings = self._readings(stamp)
        since = [moment for moment in readings if moment >= after - _LATE]
        return min(since or readings, default=self._looked)

    def stamp(self, moment: float) -> float:
        """Return what the clock said at this moment."""
        return moment + next(one.ahead for one in reversed(self._set) if one.since < moment)

    def _readings(self, stamp: float) -> list[float]:
        """Return the moments until now when the clock may have said `stamp`, by how it was set last first."""
        found, until = [], self.now()
        for since, noticed, ahead in reversed(self._set):
            if since - _STEP <= stamp - ahead <= until:
                found.append(stamp - ahead)
            until = noticed + _STEP
        return found


class Begins:
    """When that began which is seen again and again.

    Each stamp is turned into a moment once, when it is first seen: later, the clock may have said it a second time.
    """

    def __init__(self, time: Steady) -> None:
        self._time = time
        self._moments: dict[Hashable, float] = {}
        self._looked = -math.inf

    def saw(self, stamps: Mapping[Hashable, float], looked: float) -> None:
        """Take the stamps of all there are, by the moment `looked` or later; what is new was not there before."""
        self._moments = {key: self.of(key, stamp) for key, stamp in stamps.items()}
        self._looked = looked

    def of(self, key: Hashable, stamp: float) -> float:
        """Return when it began, by this stamp where it was not seen before."""
        if key not in self._moments:
            self._moments[key] = self._time.earliest(stamp, self._looked)
        return self._moments[key]
