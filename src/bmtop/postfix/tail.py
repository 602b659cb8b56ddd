"""The newest lines of the log, to show: kept as they were read, and taken apart only when somebody looks."""

from collections import deque

_MOST = 2000
# A line may have a megabyte; nobody reads more of it than this many characters.
_SHOWN = 4096


class LogTail:
    """Keeps the newest lines. `count` is how many there were so far."""

    def __init__(self) -> None:
        self.count = 0
        self._blocks: deque[tuple[int, str]] = deque()
        self._kept = 0

    def add(self, lines: str) -> None:
        """Take whole lines."""
        number = lines.count("\n")
        if len(lines) > number * _SHOWN:
            lines = "".join(f"{line[:_SHOWN]}\n" for line in lines.removesuffix("\n").split("\n"))
        self._blocks.append((number, lines))
        self.count += number
        self._kept += number
        while self._kept - self._blocks[0][0] >= _MOST:
            self._kept -= self._blocks.popleft()[0]

    def after(self, count: int) -> list[str]:
        """Return the newest lines beyond the first `count`, two thousand at most."""
        missing = min(self.count - count, _MOST)
        found: list[str] = []
        for number, lines in reversed(self._blocks):
            if missing <= 0:
                break
            new = lines.removesuffix("\n").split("\n")[-min(missing, number) :]
            found[:0] = new
            missing -= len(new)
        return found
