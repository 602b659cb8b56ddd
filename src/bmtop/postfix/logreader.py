"""Reading one log: back over the window first, then on as it grows; or once, for a report."""

import asyncio
import gc
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path

from bmtop.incident.events import Event
from bmtop.postfix import history
from bmtop.postfix.follow import LogFollower
from bmtop.postfix.lives import Lives
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock
from bmtop.postfix.parallel import parted
from bmtop.postfix.tail import LogTail

# So far from this machine's clock, the log's time stamps put its lines into another window.
_CLOCK_OFF = 600.0

Feed = Callable[[Event], None]


class LogReader:
    """Hands on every event of the log. `tail` has the newest lines, `problems` a sentence for each trouble.

    `read_back` is True once all of the window was read that was there.
    """

    def __init__(self, log: Path, now: Callable[[], float] = time.time) -> None:
        self.log = log
        self.tail = LogTail()
        self.read_back = False
        self.problems = dict.fromkeys(("log", "rotated", "clock", "line"), "")
        self._now = now
        # Where the lines end that are in the tail.
        self._shown_to: tuple[history.Identity, int] | None = None

    async def follow(self, since: float, feed: Feed) -> None:
        """Read the log from the time `since` on, and go on as it grows, until cancelled."""
        self.read_back = False
        self.problems["rotated"] = ""
        clock = LogClock(self._now)
        follower = LogFollower(self.log)
        # Cancelled before its first block, the generator would close nothing.
        with closing(follower):
            await self._follow(follower, since, clock, feed)

    async def _follow(self, follower: LogFollower, since: float, clock: LogClock, feed: Feed) -> None:
        async with aclosing(follower.blocks()) as blocks:
            # Opened first: where it is renamed while the earlier files are read, it is still the same.
            await asyncio.to_thread(follower.start, since, clock)
            earlier = history.earlier(self.log, since, clock, follower.identities, self._rotated)
            while block := await asyncio.to_thread(next, earlier, b""):
                lines = decoded(block)
                self._count(events(lines, clock), feed)
                if self._shown_to is None:
                    self.tail.add(lines)
            async for block in blocks:
                if block:
                    self._count(events(decoded(block), clock), feed)
                    self._show(block, follower)
                    if self.read_back:
                        self._check_clock(block, clock)
                else:
                    self.read_back = True
                self.problems["log"] = follower.problem

    def read(self, since: float, feed: Feed, lives: Lives | None = None) -> None:
        """Read the log from the time `since` on, to its end; with `lives`, most messages are told together.

        Raises `OSError` where it cannot be read. Blocks.
        """
        clock = LogClock(self._now)
        with self.log.open("rb") as file, _without_collecting():
            # Opened first, as above.
            known = {history.identity(os.fstat(file.fileno()))}
            for path, earlier in history.stretches(self.log, since, clock, known, self._rotated):
                try:
                    if path.suffix == ".gz":
                        for block in history.whole_lines(earlier):
                            self._count(events(decoded(block), clock), feed)
                    else:
                        self._count(parted(earlier, clock, lives), feed)
                except (OSError, EOFError, zlib.error) as error:
                    self._rotated(path, history.reason(error))
            file.seek(history.offset_of(file, since, clock))
            self._count(parted(file, clock, lives), feed)
        self.read_back = True

    def _count(self, found: Iterator[Event], feed: Feed) -> None:
        for event in found:
            try:
                feed(event)
            except Exception as error:
                # One line that nobody thought of must not end the reading of all others.
                self.problems["line"] = (
                    f"A line of the log was not counted: an error of bmtop's own ({type(error).__name__}:"
                    f" {str(error)[:200]}). Please report it, with these words."
                )

    def _show(self, block: bytes, follower: LogFollower) -> None:
        """Add a block to the tail, but for what is in it already: the window has changed, and is read once more."""
        position, shown_to = follower.position, self._shown_to
        if position is not None and shown_to is not None and position[0] == shown_to[0]:
            new = position[1] - shown_to[1]
            if new <= 0:
                return
            block = block[-new:]
        self.tail.add(decoded(block))
        self._shown_to = position

    def _check_clock(self, block: bytes, clock: LogClock) -> None:
        """Compare the time stamp of a line that was just written with the clock."""
        line = block[block.rfind(b"\n", 0, -1) + 1 :]
        written = clock.of_line(line)
        if written is None or abs(self._now() - written) <= _CLOCK_OFF:
            self.problems["clock"] = ""
            return
        self.problems["clock"] = (
            f"The newest line of {self.log} says {line[:19].decode('ascii', 'replace')}, which is not the time here,"
            " so the window misses it; see whether clock and time zone (TZ) are right."
        )

    def _rotated(self, path: Path, why: str) -> None:
        self.problems["rotated"] = f"{path} cannot be read ({why}), so mail of its time is missing in the window."


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no circles of dead objects meanwhile: events are in none, and there are a great many of them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
