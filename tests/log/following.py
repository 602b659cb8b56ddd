"""A follower at work in the background of a test, and what it has read so far."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bmtop.postfix.follow import LogFollower
from bmtop.postfix.logtime import LogClock


class Following:
    """Collects the lines of a log. `at_rest` is how many there were when everything was read that was there."""

    def __init__(self, log: Path, since: float | None) -> None:
        self.lines: list[bytes] = []
        self.at_rest = -1
        self.follower = LogFollower(log)
        self.follower.start(since, LogClock())
        self.held = asyncio.Event()
        self.held.set()
        self._something = asyncio.Event()
        self.task = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        async for block in self.follower.blocks():
            await self.held.wait()
            self.lines += block.splitlines()
            if not block:
                self.at_rest = len(self.lines)
            self._something.set()

    async def until(self, true: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for it; look each time that something was read, or that all was."""
        deadline = time.monotonic() + seconds
        while not true():
            assert not self.task.done(), "it follows no more"
            self._something.clear()
            await asyncio.wait_for(self._something.wait(), max(0.0, deadline - time.monotonic()))

    async def until_lines(self, *lines: str) -> None:
        """Wait until these lines were read; at rest, they are all that was."""
        wanted = [line.encode() for line in lines]
        await self.until(lambda: self.at_rest >= len(wanted))
        assert self.lines == wanted


@asynccontextmanager
async def following(log: Path, since: float | None = 0.0) -> AsyncGenerator[Following, None]:
    """Follow the log from the time `since` on (None: from its end); at the end all is closed."""
    found = Following(log, since)
    try:
        await found.until(lambda: found.at_rest >= 0)
        yield found
    finally:
        found.task.cancel()
        with suppress(asyncio.CancelledError):
            await found.task


def append(log: Path, *lines: str) -> None:
    """Write these lines at the log's end."""
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
