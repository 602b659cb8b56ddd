"""READ: the log and the queue, once, into one picture. The report stands on it, and the monitor goes on from it."""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

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
from bmtop.incident.window import grain
from bmtop.postfix import networks, queue
from bmtop.postfix.census import Census
from bmtop.postfix.follow import unreadable
from bmtop.postfix.instance import Postfix
from bmtop.postfix.lives import Lives
from bmtop.postfix.logreader import LogReader
from bmtop.response.journal import Journal
from bmtop.response.known import KnownRelays
from bmtop.response.untrusts import untrusted
from bmtop.server import CommandFailed

# A content filter holds a message for at most this long.
_FILTER_DELAY = 3600.0
_PARTS = ("reading", "log", "queue", "listing", "counts", "envelopes", "configuration", "known", "journal", "picture")


class Reading:
    """What is known of the server. `read_once` and `read_queue` block."""

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
        self._census = Census(postfix, self._origin, self._may_be_returned)
        self._log = LogReader(settings.log_file, clock)
        self._opened = self._asked_for_queue = False
        # The incident that knows the queue.
        self._told: Incident | None = None
        self._problems = dict.fromkeys(_PARTS, "")
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

    def login_detail(self, login: str) -> Detail:
        """Return the details of the account that `login` belongs to, as of the last picture."""
        return self._incident.login_detail(login)

    def client_detail(self, client: str) -> Detail:
        """Return the details of a client, as of the last picture."""
        return self._incident.client_detail(client)

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

    @property
    def _complete(self) -> bool:
        queue_is_told = self._told is self._incident or (self._asked_for_queue and not self._opened)
        return self._log.read_back and queue_is_told

    def _steps(self, now: float) -> Steps[Picture]:
        problems = (*self._log.problems.values(), *self._problems.values(), *self._territory.problems)
        return self._incident.draw(now, complete=self._complete, problems=tuple(filter(None, dict.fromkeys(problems))))

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
                self._problems[part] = unreadable(self._settings.log_file, error)
        self._asked_for_queue = True
        if self._incident.gauge.read(self._clock()) is None:
            self._count_once()
        self._picture = done(self._steps(self._clock()))
        return self._picture

    def _count_once(self) -> None:
        self._incident.gauge.counted(self._clock(), self._counts())

    def _list_once(self) -> None:
        added, gone = self._census.take()
        self._incident.queued(self._clock(), added, gone)
        self._told = self._incident
        self._problems["envelopes"] = self._census.problem
        self._listed(*size_and_oldest(self.messages))

    def _read_log_once(self) -> None:
        # Where mail comes from that was given back is only asked of what is in the queue.
        returned = any(map(self._may_be_returned, self.messages.values()))
        if not returned:
            lives = Lives(self._territory, grain(self.window))
            self._log.read(self._clock() - self.window, self._incident.feed, lives)
        else:
            self._log.read(self._clock() - self.window, self._feed)
            before = dict(self.messages)
            self._census.attribute()
            changed = [id for id, message in self.messages.items() if before[id] is not message]
            self._incident.queued(self._clock(), [self.messages[id] for id in changed], [before[id] for id in changed])

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

    # The log

    def _feed(self, event: Event) -> None:
        self._incident.feed(event)
        self._lineage.feed(event)

    # The queue

    def _counts(self) -> dict[str, int] | None:
        try:
            return self._census.counts()
        except OSError:
            # Without the right to look into the folders, the listing counts.
            return queue.counts_by_listing(self.messages.values()) if self._opened else None
        except CommandFailed:
            return None

    def _listed(self, size: int, oldest: int | None) -> None:
        self._incident.gauge.listed(size, oldest)
        self._opened = True

    # The configuration

    def _read_configuration(self, seen: Seen) -> Territory:
        return networks.territory(self._postfix, frozenset(self._settings.own_addresses), seen)

    def _configured(self, territory: Territory, seen: Seen) -> None:
        self._territory, self._asked = territory, seen
        self._incident.territory(territory)
        self._census.look_through_again()
        self._problems["configuration"] = ""

    def _read_state(self) -> tuple[tuple[Network, ...], Mapping[str, tuple[str, float]]]:
        gone = untrusted(self._journal)
        self._problems["journal"] = self._journal.problem
        return self._known_relays.read(), gone

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


def size_and_oldest(messages: Mapping[QueueId, Message]) -> tuple[int, int | None]:
    return sum(m.size for m in messages.values()), min((m.arrival for m in messages.values()), default=None)
