"""READ: the log and the queue, again and again, into the incident. The console and the report stand on it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from bmtop.checked import QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.accounts import Accounts
from bmtop.incident.incident import Incident
from bmtop.incident.lineage import Lineage, bounces
from bmtop.incident.message import Message, Origin
from bmtop.incident.picture import Picture
from bmtop.incident.selection import Filter, Network
from bmtop.incident.territory import Seen, Territory
from bmtop.postfix import history, networks, queue
from bmtop.postfix.census import Census
from bmtop.postfix.follow import LogFollower
from bmtop.postfix.instance import Postfix
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock
from bmtop.response.known import KnownRelays
from bmtop.server import CommandFailed

_TAIL = 2000
_LISTED_EVERY = 2.0
# A listing that takes long is made less often: at most this share of the time goes into it.
_LISTING_SHARE = 0.2
_CONFIGURED_EVERY = 5.0
_PICTURE_EVERY = 0.25
# A content filter holds a message for at most this long.
_FILTER_DELAY = 3600.0


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
        self._incident = self._begin(settings.window)
        self._lineage = Lineage(self._is_own)
        self._census = Census(postfix, self._origin)
        self._listing = asyncio.Lock()
        self._lines: deque[str] = deque(maxlen=_TAIL)
        self._line_count = 0
        self._read_back = self._counted = self._opened = False
        self._problems: dict[str, str] = {}
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
        known = self._incident.known
        self._incident = self._begin(seconds, self._incident)
        self._incident.known_relays(known)
        self._lineage = Lineage(self._is_own)
        self._incident.queued(self._clock(), self.messages.values(), ())
        self._picture = None
        if self._follower is not None:
            self._follower.cancel()
            self._follower = asyncio.create_task(self._follow())

    def log_lines(self, after: int) -> tuple[int, list[str]]:
        """Return the count of lines so far, and the newest ones beyond the count `after`."""
        new = min(self._line_count - after, len(self._lines))
        return self._line_count, list(self._lines)[len(self._lines) - new :] if new > 0 else []

    def picture(self, now: float | None = None) -> Picture:
        """Return the picture at `now`; within a moment, the same one again."""
        now = self._clock() if now is None else now
        if self._picture is None or not 0 <= now - self._picture.generated < _PICTURE_EVERY:
            complete = self._read_back and (self._opened or "queue" in self._problems)
            problems = (*self._problems.values(), *self._territory.problems)
            self._picture = self._incident.picture(now, complete=complete, problems=tuple(filter(None, problems)))
        return self._picture

    async def run(self) -> None:
        """Read until cancelled."""
        # Whose mail is whose must be known before the first message is judged.
        await self._configure_if_changed()
        self._follower = asyncio.create_task(self._follow())
        others = [asyncio.create_task(work) for work in (self._count(), self._list(), self._configure())]
        try:
            await asyncio.gather(*others)
        finally:
            self._postfix.stop_queries()
            for task in (self._follower, *others):
                task.cancel()
            await asyncio.gather(self._follower, *others, return_exceptions=True)

    def bounces(self, wanted: Filter, chosen: Collection[Message]) -> tuple[Message, ...]:
        """Return Postfix's own notifications about mail that `wanted` means, among it the `chosen` messages."""
        return bounces(self.messages.values(), wanted, chosen, self.accounts, self._lineage)

    def _is_own(self, address: str) -> bool:
        return self._territory.is_own(address)

    def _origin(self, message: Message) -> Origin | None:
        found = self._incident.origin(message) or self._lineage.origin(message)
        client = message.envelope.client if message.envelope else None
        # Another server in front may name an id of its own that happens to be one of ours.
        return found if found and client and (client == found.client or self._is_own(client)) else None

    # The log

    def _feed(self, block: bytes, clock: LogClock) -> None:
        text = decoded(block)
        for event in events(text, clock):
            self._incident.feed(event)
            self._lineage.feed(event)
        lines = text.removesuffix("\n").split("\n")
        self._line_count += len(lines)
        self._lines.extend(lines[-_TAIL:])

    async def _follow(self) -> None:
        self._read_back = False
        log = self._settings.log_file
        clock = LogClock()
        since = self._clock() - self.window
        earlier = history.earlier(log, since, clock)
        while block := await asyncio.to_thread(self._next, earlier, log):
            self._feed(block, clock)
        follower = LogFollower(log)
        await asyncio.to_thread(follower.start, since, clock)
        async for block in follower.blocks():
            if block:
                self._feed(block, clock)
            else:
                self._read_back = True
            self._problems["log"] = follower.problem

    def _next(self, blocks: "history.Blocks", log: Path) -> bytes:
        try:
            return next(blocks, b"")
        except OSError as error:
            self._problems["rotated"] = (
                f"A rotated file of {log} cannot be read ({(error.strerror or 'unreadable').lower()}),"
                " so the window may begin later than it says."
            )
            return b""

    # The queue

    async def _count(self) -> None:
        while True:
            await asyncio.to_thread(self._count_once)
            await asyncio.sleep(1.0)

    def _count_once(self) -> None:
        try:
            self._counted = True
            counts: dict[str, int] | None = queue.counts(self._postfix.queue_directory)
        except OSError:
            # Without the right to look into the folders, the listing counts.
            counts = queue.counts_by_listing(self.messages.values()) if self._opened else None
        except CommandFailed:
            counts = None
        self._incident.gauge.counted(self._clock(), counts)

    async def _list(self) -> None:
        while True:
            began = time.monotonic()
            await self.refresh()
            took = time.monotonic() - began
            await asyncio.sleep(max(_LISTED_EVERY, took / _LISTING_SHARE - took))

    async def refresh(self) -> None:
        """List the queue again now."""
        async with self._listing:
            try:
                added, gone = await asyncio.to_thread(self._census.take)
            except CommandFailed as error:
                self._problems["queue"] = str(error)
                return
            self._listed(added, gone)

    def _listed(self, added: list[Message], gone: list[Message]) -> None:
        self._incident.queued(self._clock(), added, gone)
        messages = self.messages.values()
        self._incident.gauge.listed(sum(m.size for m in messages), min((m.arrival for m in messages), default=None))
        self._opened = True
        self._problems["queue"] = ""
        self._problems["envelopes"] = self._census.problem
        self._picture = None

    # The configuration

    async def _configure(self) -> None:
        while True:
            await asyncio.sleep(_CONFIGURED_EVERY)
            await self._configure_if_changed()

    async def _configure_if_changed(self) -> None:
        """Read the configuration, unless it is still as it was and has no table to be asked about what came up."""
        known = self._territory
        seen = self._incident.seen() if known.must_ask else self._asked
        try:
            if seen != self._asked or not await asyncio.to_thread(networks.is_current, known):
                self._configured(await asyncio.to_thread(self._read_configuration, seen), seen)
            self._know(await asyncio.to_thread(self._known_relays.read))
        except CommandFailed as error:
            self._problems["configuration"] = str(error)
        except Refused as error:
            self._problems["known"] = str(error)

    def _read_configuration(self, seen: Seen) -> Territory:
        return networks.territory(self._postfix, frozenset(self._settings.own_addresses), seen)

    def _configured(self, territory: Territory, seen: Seen) -> None:
        self._territory, self._asked = territory, seen
        self._incident.territory(territory)
        self._problems["configuration"] = ""

    def _know(self, relays: tuple[Network, ...]) -> None:
        self._incident.known_relays(relays)
        self._problems["known"] = ""

    def _configure_once(self) -> None:
        seen = self._incident.seen() if self._territory.must_ask else self._asked
        self._configured(self._read_configuration(seen), seen)

    def _know_once(self) -> None:
        try:
            self._know(self._known_relays.read())
        except Refused as error:
            self._problems["known"] = str(error)

    def _ask_once(self) -> None:
        """Ask the tables that cannot be listed for what the log and the queue brought up."""
        if self._territory.must_ask:
            self._configure_once()

    # Once

    def read_once(self) -> Picture:
        """Read the window's log and the queue once, and return the picture. Blocks."""
        for step in (
            self._configure_once,
            self._know_once,
            self._read_log_once,
            self._count_once,
            self._list_once,
            self._ask_once,
        ):
            try:
                step()
            except CommandFailed as error:
                self._problems[step.__name__] = str(error)
            except OSError as error:
                reason = (error.strerror or "unreadable").lower()
                self._problems[step.__name__] = (
                    f"The log {self._settings.log_file} cannot be read ({reason});"
                    " name another with --log, or run bmtop as root."
                )
        if not self._opened:
            self._count_once()
        return self.picture()

    def _read_log_once(self) -> None:
        self._read_log(self._clock() - self.window)
        self._read_back = True

    def _read_log(self, since: float) -> None:
        clock = LogClock()
        log = self._settings.log_file
        for block in history.earlier(log, since, clock):
            self._feed(block, clock)
        with log.open("rb") as file:
            file.seek(history.offset_of(file, since, clock))
            for block in history.whole_lines(file):
                self._feed(block, clock)

    def _list_once(self) -> None:
        self._listed(*self._census.take())

    def read_queue(self) -> Mapping[QueueId, Message]:
        """List the queue and its envelopes once; the log is read only for what a content filter gave back, and bounces.

        Blocks. Raises `CommandFailed` where the queue cannot be listed.
        """
        self._list_once()
        returned = [m for m in self.messages.values() if m.envelope and m.login is None and _may_be_returned(m)]
        if returned:
            with suppress(OSError, CommandFailed):
                self._configure_once()
                self._read_log(min(m.arrival for m in returned) - _FILTER_DELAY)
            self._census.attribute()
        return self.messages


def _may_be_returned(message: Message) -> bool:
    """Tell whether a content filter may have given this message back, or Postfix itself made it: it came from here."""
    envelope = message.envelope
    if envelope is None:
        return False
    made_here = envelope.client is None and not envelope.sender
    return made_here or envelope.origin is not None or Territory().is_own(envelope.client or "")
