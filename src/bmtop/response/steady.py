"""Time as it passes, whatever the clock is set to meanwhile: by chrony, or because the machine was suspended."""

import math
import time
from collections.abc import Callable

# In seconds. The log's stamps are no finer.
_STEP = 1.0


class Steady:
    """Moments in epoch seconds, by the clock as it was in the beginning, and from then on by the time that passed.

    `clock` is the one that is set, and that log and journal are stamped by; `passing` counts seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.time, passing: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passing = passing
        self._zero = clock() - passing()
        # Since when the clock has been ahead, and by how much.
        self._set = [(-math.inf, 0.0)]

    def now(self) -> float:
        """Return this moment."""
        now = self._zero + self._passing()
        ahead = self._clock() - now
        if abs(ahead - self._set[-1][1]) > _STEP:
            self._set.append((now, ahead))
        return now

    def of(self, stamp: float) -> float:
        """Return the moment when the clock said `stamp`; what is not to be yet was now."""
        now = self.now()
        for since, ahead in reversed(self._set):
            if since - _STEP <= stamp - ahead <= now:
                return stamp - ahead
        return now

    def stamp(self, moment: float) -> float:
        """Return what the clock said at this moment."""
        return moment + next(ahead for since, ahead in reversed(self._set) if since <= moment)
