"""Which log lines are about a login or a client: those that name it, and those of its messages."""

import re
from collections.abc import Iterable

# No bracket stands before the daemon's process number, so nothing that a sender chose can either.
_ACCEPTED = re.compile(r"[^\[\]]*smtpd\[\d+\]: (\w+): client=")
_MESSAGE = re.compile(r"[^\[\]]*\[\d+\]: (\w+): ")


class Follow:
    """Tells of one line after the other whether it belongs to one of `words`."""

    def __init__(self, words: Iterable[str]) -> None:
        # As a whole: 192.0.2.1 is not in 192.0.2.10, nor admin in admin@example.com.
        parts = "|".join(re.escape(word) for word in words if word)
        self._names = re.compile(rf"(?<![\w.@+:-])(?:{parts})(?![\w@+-]|[.:]\w)", re.IGNORECASE) if parts else None
        self._ids: set[str] = set()

    def wants(self, line: str) -> bool:
        """Tell whether `line` is one; lines come in the order of the log."""
        if self._names is not None and self._names.search(line):
            accepted = _ACCEPTED.match(line)
            if accepted:
                self._ids.add(accepted[1])
            return True
        message = _MESSAGE.match(line)
        return message is not None and message[1] in self._ids
