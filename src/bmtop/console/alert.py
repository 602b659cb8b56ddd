"""When to be heard: once, as the queue turns critical, and not again before it was well in between."""

from bmtop.incident.picture import State


class Alert:
    def __init__(self) -> None:
        self._armed = True

    def heard(self, state: State) -> bool:
        """Tell whether `state` is news to be heard."""
        if state == "ok":
            self._armed = True
        elif state == "critical" and self._armed:
            self._armed = False
            return True
        return False
