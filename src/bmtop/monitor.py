"""READ: the log and the queue, again and again, into the incident. The console and the report stand on it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from bmtop.checked import QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.accounts import Accounts
from bmtop.incident.detail import Detail
from bmtop.incident.events import Event
from bmtop.incident.incident import Incident
from bmtop.incident.lineage import Lineage, bounces
from bmtop.incident.message import Message, Origin
from bmtop.incident.picture import Picture
from bmtop.incident.selection import Filter, Network
from bmtop.incident.steps import Steps, done
from bmtop.incident.territory import Seen, Territory
from bmtop.postfix import networks, queue
from bmtop.postfix.census import Census, Change
from bmtop.postfix.instance import Postfix
from bmtop.postfix.logreader import LogReader
from bmtop.response.journal import Journal
from bmtop.response.known import KnownRelays
from bmtop.response.untrust import untrusted
from bmtop.server import CommandFailed

T = TypeVar("T")

_LISTED_EVERY = 2.0
# What takes long is done less often: at most this share of the time goes into it.
_SHARE = 0.2
_COUNTED_EVERY = 1.0
_CONFIGURED_EVERY = 5.0
_PICTURE_EVERY = 0.25
# What is long is done in turns of so many seconds, with everything else in between.
_TURN = 0.003
# After something went wrong that nobody thought of.
_RETRIED_AFTER = 5.0
# So many messages are told of without letting others have their turn.
_AT_ONCE = 250
# A content filter holds a message for at most this long.
_FILTER_DELAY = 3600.0
_PARTS = ("reading", "log", "queue", "listing", "counts", "envelopes", "configuration", "known", "picture")


class Monitor:
    """Keeps the incident up to date. Everything but `run`, `refresh` and `read_once` is cheap."""

    def __init__(self, settings: Settings, postfix: Postfix, clock: Callable[[], float] = time.time) -> None:
        self.accounts = Accounts(settings.default_domain, settings.domain_aliases)
        self._settings = settings
        self._postfix = postfix
        self._clock = clock
        self._territory = Territory()
        self._asked = Seen()
        self._known_relays = KnownRelays(settings.state)
        self._journal = Journal(settings.state)
        self._incident = self._begin(settings.window)
        self._lineage = Lineage(self._is_own, self._is_queued)
        self._census = Census(postfix, self._origin)
        self._listing = asyncio.Lock()
        self._drawing = asyncio.Lock()
        self._listings: set[asyncio.Task[None]] = set()
        self._log = LogReader(settings.log_file, clock)
        self._opened = self._asked_for_queue = False
        # The incident that knows the queue.
        self._told: Incident | None = None
        self._problems = dict.fromkeys(_PARTS, "")
        self._follower: asyncio.Task[None] | None = None
        self._picture: Picture | None = None

    def _begin(self, window: float, before: Incident | None = None) -> Incident:
        return Incident(
            window=window,
            threshold=self._settings.threshold,
            accounts=self.accounts,
            territory=self._territory,
            limits=self._settings.reasons,
            gauge=before.gauge if before else None,
        )

    @property
    def messages(self) -> Mapping[QueueId, Message]:
        """The queue as it was last listed, envelopes included."""
        return self._census.messages

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

    def _steps(self, now: float) -> Steps[Picture]:
        problems = (*self._log.problems.values(), *self._problems.values(), *self._territory.problems)
        return self._incident.draw(now, complete=self._complete, problems=tuple(filter(None, problems)))

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

    def login_detail(self, login: str) -> Detail:
        """Return the details of the account that `login` belongs to, as of the last picture."""
        return self._incident.login_detail(login)

    def client_detail(self, client: str) -> Detail:
        """Return the details of a client, as of the last picture."""
        return self._incident.client_detail(client)

    @property
    def _complete(self) -> bool:
        queue_is_told = self._told is self._incident or (self._asked_for_queue and not self._opened)
        return self._log.read_back and queue_is_told

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
                ("picture", self._draw),
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

    def bounces(self, wanted: Filter, chosen: Collection[Message]) -> tuple[Message, ...]:
        """Return Postfix's own notifications about mail that `wanted` means, among it the `chosen` messages."""
        return bounces(self.messages.values(), wanted, chosen, self.accounts, self._lineage)

    def _is_own(self, address: str) -> bool:
        return self._territory.is_own(address)

    def _is_queued(self, id: str) -> bool:
        return id in self.messages

    def _origin(self, message: Message) -> Origin | None:
        found = self._incident.origin(message) or self._lineage.origin(message)
        client = message.envelope.client if message.envelope else None
        # Another server in front may name an id of its own that happens to be one of ours.
        return found if found and client and (client == found.client or self._is_own(client)) else None

    # The log

    def _feed(self, event: Event) -> None:
        self._incident.feed(event)
        self._lineage.feed(event)

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

    def _counts(self) -> dict[str, int] | None:
        try:
            return self._census.counts()
        except OSError:
            # Without the right to look into the folders, the listing counts.
            return queue.counts_by_listing(self.messages.values()) if self._opened else None
        except CommandFailed:
            return None

    async def _list(self) -> float:
        began = time.monotonic()
        await self._see(self._census.look)
        took = time.monotonic() - began
        return max(_LISTED_EVERY, took / _SHARE - took)

    async def refresh(self) -> None:
        """List the queue again now."""
        await self._see(self._census.take)
        if self._follower is not None:
            await self._draw()

    async def _see(self, look: Callable[[], Change]) -> None:
        # Whoever waits may be cancelled; what a listing brought is told whole, or the counts are wrong for ever.
        listing = asyncio.create_task(self._refresh(look))
        self._listings.add(listing)
        listing.add_done_callback(self._listings.discard)
        await asyncio.shield(listing)

    async def _refresh(self, look: Callable[[], Change]) -> None:
        async with self._listing:
            try:
                added, gone = await asyncio.to_thread(look)
            except CommandFailed as error:
                self._problems["listing"] = str(error)
                if self._opened:
                    await self._tell((), ())
            else:
                self._problems["listing"] = ""
                await self._tell(added, gone)
                self._listed(*await asyncio.to_thread(_size_and_oldest, self.messages))
            self._asked_for_queue = True

    async def _tell(self, added: Sequence[Message], gone: Sequence[Message]) -> None:
        """Tell the incident what is new in the queue, in steps; one that knows nothing yet, everything."""
        incident = self._incident
        if self._told is not incident:
            added, gone = tuple(self.messages.values()), ()
        for first in range(0, len(gone), _AT_ONCE):
            incident.queued(self._clock(), (), gone[first : first + _AT_ONCE])
            await asyncio.sleep(0)
        for first in range(0, len(added), _AT_ONCE):
            incident.queued(self._clock(), added[first : first + _AT_ONCE], ())
            await asyncio.sleep(0)
        # An empty queue is known, too.
        incident.queued(self._clock(), (), ())
        self._told = incident

    def _listed(self, size: int, oldest: int | None) -> None:
        self._incident.gauge.listed(size, oldest)
        self._opened = True
        self._problems["envelopes"] = self._census.problem

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

    def _read_configuration(self, seen: Seen) -> Territory:
        return networks.territory(self._postfix, frozenset(self._settings.own_addresses), seen)

    def _configured(self, territory: Territory, seen: Seen) -> None:
        self._territory, self._asked = territory, seen
        self._incident.territory(territory)
        self._problems["configuration"] = ""

    def _read_state(self) -> tuple[tuple[Network, ...], Mapping[str, tuple[str, float]]]:
        return self._known_relays.read(), untrusted(self._journal)

    def _know(self, known: tuple[Network, ...], gone: Mapping[str, tuple[str, float]]) -> None:
        self._incident.known_relays(known)
        self._incident.untrusted_relays(gone)
        self._problems["known"] = ""

    def _configure_once(self) -> None:
        seen = self._incident.seen() if self._territory.must_ask else self._asked
        self._configured(self._read_configuration(seen), seen)

    def _know_once(self) -> None:
        try:
            self._know(*self._read_state())
        except Refused as error:
            self._problems["known"] = str(error)

    def _ask_once(self) -> None:
        """Ask the tables that cannot be listed for what the log and the queue brought up."""
        if self._territory.must_ask:
            self._configure_once()

    # Once

    def read_once(self) -> Picture:
        """Read the window's log and the queue once, and return the picture. Blocks."""
        for part, step in (
            ("configuration", self._configure_once),
            ("known", self._know_once),
            ("counts", self._count_once),
            ("listing", self._list_once),
            ("log", self._read_log_once),
            ("configuration", self._ask_once),
        ):
            try:
                step()
            except CommandFailed as error:
                self._problems[part] = str(error)
            except OSError as error:
                reason = (error.strerror or "unreadable").lower()
                self._problems[part] = (
                    f"The log {self._settings.log_file} cannot be read ({reason});"
                    " name another with --log, or run bmtop as root."
                )
        self._asked_for_queue = True
        if self._opened:
            self._census.attribute()
            self._incident.queued(self._clock(), self.messages.values(), ())
            self._told = self._incident
        if self._incident.gauge.read(self._clock()) is None:
            self._count_once()
        self._picture = None
        return self.picture()

    def _read_log_once(self) -> None:
        # Where mail comes from that was given back is only asked of what is in the queue.
        feed = self._feed if any(map(self._may_be_returned, self.messages.values())) else self._incident.feed
        self._log.read(self._clock() - self.window, feed)

    def _count_once(self) -> None:
        self._incident.gauge.counted(self._clock(), self._counts())

    def _list_once(self) -> None:
        self._census.take()
        self._listed(*_size_and_oldest(self.messages))

    def read_queue(self) -> Mapping[QueueId, Message]:
        """List the queue and its envelopes once; the log is read only for what a content filter gave back, and bounces.

        Blocks. Raises `CommandFailed` where the queue cannot be listed.
        """
        self._list_once()
        returned = [m for m in self.messages.values() if self._may_be_returned(m)]
        if returned:
            with suppress(OSError, CommandFailed):
                self._configure_once()
                self._log.read(min(m.arrival for m in returned) - _FILTER_DELAY, self._feed)
            self._census.attribute()
        return self.messages

    def _may_be_returned(self, message: Message) -> bool:
        """Tell whether a content filter may have given it back, or Postfix itself made it: it came from here."""
        envelope = message.envelope
        if envelope is None or message.login is not None:
            return False
        made_here = envelope.client is None and not envelope.sender
        return made_here or envelope.origin is not None or self._is_own(envelope.client or "")


def _turn(steps: Steps[T], until: float) -> T | None:
    """Do steps until then (`time.perf_counter`); return what comes of them, None where there are more."""
    try:
        while time.perf_counter() < until:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    return None


def _size_and_oldest(messages: Mapping[QueueId, Message]) -> tuple[int, int | None]:
    return sum(m.size for m in messages.values()), min((m.arrival for m in messages.values()), default=None)


def _unexpected(error: Exception) -> str:
    return (
        f"bmtop met an error of its own ({type(error).__name__}: {str(error)[:200]}); it goes on."
        " Please report it, with these words."
    )
