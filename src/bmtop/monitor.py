"""READ: the log and the queue, again and again, into the incident. The console stands on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from bmtop.checked import Refused
from bmtop.config import Settings
from bmtop.incident.events import Event
from bmtop.incident.lineage import Lineage
from bmtop.incident.message import Message
from bmtop.incident.picture import Picture
from bmtop.incident.steps import Steps, done
from bmtop.postfix import networks
from bmtop.postfix.census import Change
from bmtop.postfix.instance import Postfix
from bmtop.reading import Reading, size_and_oldest
from bmtop.server import CommandFailed

T = TypeVar("T")

_LISTED_EVERY = 2.0
# What takes long is done less often: at most this share of the time goes into it.
_SHARE = 0.2
_COUNTED_EVERY = 1.0
_CONFIGURED_EVERY = 5.0
_PICTURE_EVERY = 0.25
# What is shown by its age, and what falls out of the window, changes without any news.
_WITHOUT_NEWS = 1.0
# What is long is done in turns of so many seconds, with everything else in between.
_TURN = 0.003
# After something went wrong that nobody thought of.
_RETRIED_AFTER = 5.0
# So many messages are told of without letting others have their turn.
_AT_ONCE = 250


class Monitor(Reading):
    """Keeps the incident up to date. Everything but `run`, `refresh` and what it reads once is cheap."""

    def __init__(self, settings: Settings, postfix: Postfix, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, postfix, clock)
        self._listing = asyncio.Lock()
        self._drawing = asyncio.Lock()
        self._news = asyncio.Event()
        self._listings: set[asyncio.Task[None]] = set()
        self.as_of = 0.0
        """When the listing that `messages` are from began, in epoch seconds."""
        self._follower: asyncio.Task[None] | None = None

    @property
    def window(self) -> float:
        """The time span that the picture covers, in seconds; setting it reads the log back anew."""
        return self._incident.window

    @window.setter
    def window(self, seconds: float) -> None:
        self._begin_again(seconds)
        if self._follower is not None:
            self._follower.cancel()
            self._follower = asyncio.create_task(self._follow())

    def _begin_again(self, window: float) -> None:
        before = self._incident
        self._incident = self._begin(window, before)
        self._incident.take_marks(before)
        self._lineage = Lineage(self._is_own, self._is_queued)
        self._log.read_back = False
        self._picture = None

    def log_lines(self, after: int) -> tuple[int, list[str]]:
        """Return the count of lines so far, and the newest ones beyond the count `after`."""
        return self._log.tail.count, self._log.tail.after(after)

    def picture(self, now: float | None = None) -> Picture:
        """Return the picture at `now`; while it reads, the newest one that was drawn."""
        now = self._clock() if now is None else now
        drawn = self._picture
        if drawn is None or (self._follower is None and not 0 <= now - drawn.generated < _PICTURE_EVERY):
            drawn = self._picture = done(self._steps(now))
        return drawn

    def _feed(self, event: Event) -> None:
        super()._feed(event)
        self._news.set()

    async def _draw_news(self) -> float:
        """Draw the picture when there is something new to see."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), _WITHOUT_NEWS)
        self._news.clear()
        return await self._draw()

    async def _draw(self) -> float:
        """Draw the picture anew, a little at a time."""
        async with self._drawing:
            incident, steps, busy = self._incident, self._steps(self._clock()), 0.0
            picture = None
            while picture is None:
                began = time.perf_counter()
                picture = _turn(steps, began + _TURN)
                busy += time.perf_counter() - began
                await asyncio.sleep(0)
            if incident is self._incident:
                self._picture = picture
        return max(_PICTURE_EVERY, busy / _SHARE)

    async def run(self) -> None:
        """Read until cancelled."""
        # Whose mail is whose must be known before the first message is judged.
        await self._try("configuration", self._configure)
        self._follower = asyncio.create_task(self._follow())
        others = [
            asyncio.create_task(self._again_and_again(part, work))
            for part, work in (
                ("counts", self._count),
                ("queue", self._list),
                ("configuration", self._configure),
                ("picture", self._draw_news),
            )
        ]
        try:
            await asyncio.gather(*others)
        finally:
            self._postfix.stop_queries()
            tasks = (self._follower, *others)
            for task in tasks:
                task.cancel()
            # A listing that is under way ends as soon as its query does.
            await asyncio.gather(*tasks, *self._listings, return_exceptions=True)
            self._follower = None

    async def _again_and_again(self, part: str, work: Callable[[], Awaitable[float]]) -> None:
        while True:
            await asyncio.sleep(await self._try(part, work))

    async def _try(self, part: str, work: Callable[[], Awaitable[float]]) -> float:
        """Do one piece of work; what goes wrong is said until it goes well again. Return when to do it again."""
        try:
            pause = await work()
        except CommandFailed as error:
            self._problems[part] = str(error)
        except Exception as error:
            self._problems[part] = _unexpected(error)
        else:
            self._problems[part] = ""
            return pause
        return _RETRIED_AFTER

    async def _follow(self) -> None:
        """Follow the log until cancelled; where that fails, begin again with nothing counted."""
        while True:
            try:
                await self._log.follow(self._clock() - self.window, self._feed)
            except Exception as error:
                self._problems["reading"] = _unexpected(error)
            await asyncio.sleep(_RETRIED_AFTER)
            self._problems["reading"] = ""
            self._begin_again(self.window)

    # The queue

    async def _count(self) -> float:
        began = time.monotonic()
        counts = await asyncio.to_thread(self._counts)
        self._incident.gauge.counted(self._clock(), counts)
        return max(_COUNTED_EVERY, (time.monotonic() - began) / _SHARE)

    async def _list(self) -> float:
        began, first = time.monotonic(), not self._opened
        await self._see(self._census.look)
        took = time.monotonic() - began
        # What the folders do not tell is part of the start, and follows soon.
        return _LISTED_EVERY if first else max(_LISTED_EVERY, took / _SHARE - took)

    async def refresh(self) -> str:
        """List the queue again now; return why that failed, and all is as last listed, in a sentence, else empty."""
        await self._see(self._census.take)
        if self._follower is not None:
            await self._draw()
        return self._problems["listing"]

    async def _see(self, look: Callable[[], Change]) -> None:
        # Whoever waits may be cancelled; what a listing brought is told whole, or the counts are wrong for ever.
        listing = asyncio.create_task(self._refresh(look))
        self._listings.add(listing)
        listing.add_done_callback(self._listings.discard)
        await asyncio.shield(listing)

    async def _refresh(self, look: Callable[[], Change]) -> None:
        async with self._listing:
            began = self._clock()
            try:
                added, gone = await asyncio.to_thread(look)
            except CommandFailed as error:
                self._problems["listing"] = str(error)
                if self._opened and self._told is not self._incident:
                    await self._tell((), (), self.as_of)
            else:
                self.as_of = began
                self._problems["listing"] = ""
                await self._tell(added, gone, began)
                self._problems["envelopes"] = self._census.problem
                if added or gone or not self._opened:
                    self._listed(*await asyncio.to_thread(size_and_oldest, self.messages))
                    self._news.set()
            self._asked_for_queue = True

    async def _tell(self, added: Sequence[Message], gone: Sequence[Message], listed: float) -> None:
        """Tell the incident what was new in the queue then, in steps; one that knows nothing yet, everything."""
        incident = self._incident
        if self._told is not incident:
            added, gone = tuple(self.messages.values()), ()
        for first in range(0, len(gone), _AT_ONCE):
            incident.queued(listed, (), gone[first : first + _AT_ONCE])
            await asyncio.sleep(0)
        for first in range(0, len(added), _AT_ONCE):
            incident.queued(listed, added[first : first + _AT_ONCE], ())
            await asyncio.sleep(0)
        # An empty queue is known, too.
        incident.queued(listed, (), ())
        self._told = incident

    # The configuration

    async def _configure(self) -> float:
        """Read the configuration, unless it is still as it was and has no table to be asked about what came up."""
        known = self._territory
        seen = self._incident.seen() if known.must_ask else self._asked
        if seen != self._asked or not await asyncio.to_thread(networks.is_current, known):
            self._configured(await asyncio.to_thread(self._read_configuration, seen), seen)
        try:
            self._know(*await asyncio.to_thread(self._read_state))
        except Refused as error:
            self._problems["known"] = str(error)
        return _CONFIGURED_EVERY


def _turn(steps: Steps[T], until: float) -> T | None:
    """Do steps until then (`time.perf_counter`); return what comes of them, None where there are more."""
    try:
        while time.perf_counter() < until:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    return None


def _unexpected(error: Exception) -> str:
    return (
        f"bmtop met an error of its own ({type(error).__name__}: {str(error)[:200]}); it goes on."
        " Please report it, with these words."
    )
