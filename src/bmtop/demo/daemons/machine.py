"""What the toy's daemons share: the folder, the queue, the log, and the list of what is still to be done."""

import heapq
from collections.abc import Callable
from itertools import count
from pathlib import Path

from bmtop.demo.accounts import Accounts
from bmtop.demo.cast import HOST
from bmtop.demo.maillog import FIRST_PID, MailLog
from bmtop.demo.spool import Spool

_ORDER = ("postfix-script", "master", "pickup", "qmgr", "cleanup", "bounce", "lmtp", "smtp")


class Machine:
    """The toy in `folder`, at a moment of its own clock: `now`, in epoch seconds."""

    def __init__(self, folder: Path, now: float, *, steady_ids: bool) -> None:
        self.folder = folder
        self.now = now
        self.spool = Spool(folder / "spool", steady_ids=steady_ids)
        self.accounts = Accounts(folder / "accounts.json")
        self._log = MailLog(folder / "mail.log", HOST.partition(".")[0])
        self._lines: list[str] = []
        self._to_do: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = count()

    def log(self, daemon: str, text: str, pid: int | None = None) -> None:
        """Log a line at this moment; it is in the file after the next `flush`."""
        if pid is None:
            pid = FIRST_PID + _ORDER.index(daemon)
        self._lines.append(self._log.line(self.now, daemon, pid, text))

    def flush(self) -> None:
        """Write what was logged."""
        if self._lines:
            self._log.write("".join(self._lines))
            self._lines.clear()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        heapq.heappush(self._to_do, (self.now + seconds, next(self._counter), action))

    @property
    def next_action(self) -> float:
        """When something is to be done next, in epoch seconds; infinity where nothing is."""
        return self._to_do[0][0] if self._to_do else float("inf")

    def act(self) -> None:
        """Do what is to be done next, at its time."""
        self.now, _, action = heapq.heappop(self._to_do)
        action()

    def microseconds(self) -> int:
        """The part of this moment that stands in queue ids."""
        return int(self.now % 1 * 1_000_000)
