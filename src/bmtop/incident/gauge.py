"""The queue's size against its threshold, and a rise out of proportion before it, with hysteresis."""

from collections import deque

from bmtop.incident.picture import QUEUES, QueueGauge, State

_HISTORY = 1800.0
_POINTS = 180
_RECENT = 60.0
# Once raised, an alarm ends well below what raised it, so that it does not flutter.
_CALM = 0.8
# A rise is out of proportion when the last minute brought this many times the usual, and enough to matter.
_FACTOR = 5.0
_AT_LEAST = 0.2


def _slope(began: float, first: int, ended: float, last: int) -> float | None:
    """Return the change a minute; None over less than five seconds."""
    return (last - first) * 60 / (ended - began) if ended - began >= 5 else None


class Gauge:
    """Takes the counts each second; keeps thirty minutes of them, ten seconds a point."""

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self._points: deque[tuple[float, int]] = deque(maxlen=_POINTS)
        self._counts: dict[str, int] | None = None
        self._bytes: int | None = None
        self._oldest: int | None = None
        self._state: State = "ok"
        self._why = ""

    def counted(self, now: float, counts: dict[str, int] | None) -> None:
        """Take the number of messages in each queue; None where they cannot be counted."""
        self._counts = counts
        if counts is None:
            return
        total = sum(counts.values())
        # Where the clock was set back, what is of later than now would hide what comes for as long.
        while self._points and self._points[-1][0] > now:
            self._points.pop()
        if not self._points or now - self._points[-1][0] >= _HISTORY / _POINTS:
            self._points.append((now, total))
        self._state, self._why = self._judge(now, total)

    def listed(self, size: int, oldest: int | None) -> None:
        """Take the bytes and the oldest arrival of a listing."""
        self._bytes, self._oldest = size, oldest

    def _recent(self, now: float) -> list[tuple[float, int]]:
        return [point for point in self._points if now - point[0] <= _RECENT]

    def _growth(self, now: float, total: int) -> float | None:
        """Return the messages a minute by which the queue grew in the last minute."""
        recent = self._recent(now)
        return _slope(*recent[0], now, total) if recent else None

    def _rise(self, now: float, total: int) -> int:
        """Return by how many messages it was seen to grow in the last minute: a few seconds tell no minute's growth."""
        recent = self._recent(now)
        return total - recent[0][1] if recent else 0

    def _usual(self, now: float) -> float:
        """Return the messages a minute by which it changed before that."""
        before = [point for point in self._points if now - point[0] > _RECENT]
        return abs(_slope(*before[0], *before[-1]) or 0.0) if before else 0.0

    def _judge(self, now: float, total: int) -> tuple[State, str]:
        if total >= self.threshold * (_CALM if self._state == "critical" else 1.0):
            return "critical", f"{total:,} queued, threshold {self.threshold:,}"
        if total >= self.threshold * _AT_LEAST:
            rise = self._rise(now, total)
            least = max(self.threshold * _AT_LEAST, _FACTOR * self._usual(now))
            if rise >= least * (_CALM if self._state == "warning" else 1.0):
                return "warning", f"grew by {rise:,} in a minute"
        return "ok", ""

    def read(self, now: float) -> QueueGauge | None:
        """Return the gauge, or None where the queue cannot be counted."""
        if self._counts is None:
            return None
        total = sum(self._counts.values())
        return QueueGauge(
            **{name: self._counts.get(name, 0) for name in QUEUES},
            bytes=self._bytes,
            oldest=self._oldest,
            growth_per_minute=self._growth(now, total),
            threshold=self.threshold,
            state=self._state,
            why=self._why,
            history=tuple(self._points),
        )
