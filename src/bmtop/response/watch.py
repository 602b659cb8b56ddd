"""What the watch after containment is fed with: smtpd's log, the open connections, and the open sessions."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Literal

from bmtop import fault
from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Delivery
from bmtop.incident.selection import Filter
from bmtop.incident.territory import Territory
from bmtop.incident.watch import Kind, Sign, Verdict, Watch
from bmtop.postfix import networks
from bmtop.postfix.connections import Connection, Handed, LoggedIn
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.loglines import LogLines
from bmtop.postfix.logtime import LogClock
from bmtop.response.connections import Connections, Served
from bmtop.response.messages import locate
from bmtop.response.steady import Begins, Steady
from bmtop.server import CommandFailed

# In seconds. Where BlueMind is asked by bm-cli, each question takes seconds of a processor.
_CONNECTIONS_EVERY = 2.0
_SESSIONS_EVERY = 60.0
_MOST_DELIVERIES = 10_000
# What has to be seen at each moment; sessions are asked for now and then.
_SIGHT = ("log", "deliveries", "connections")

Sessions = Callable[[], Sequence[float | None] | None]
Settled = float | Literal["left out", "taken back"]


class Lookout:
    """Begin it, and call `tick` again and again; both block for a moment.

    `problem` is a sentence while it cannot see all, or empty. `sessions` returns when each open session began,
    None where the server cannot list them. `steps` and `remedy` are as `Watch` has them, `own` are addresses of
    the same installation beside this machine's. What is stamped is by `clock`; quiet is counted by what passes.
    """

    def __init__(
        self,
        postfix: Postfix,
        connections: Connections,
        wanted: Filter,
        steps: Sequence[str],
        remedy: str,
        *,
        accounts: Accounts,
        own: frozenset[str],
        log: Path,
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on = False
        self._postfix = postfix
        self._connections = connections
        self._time = Steady(clock, passing)
        self._connected = Begins(self._time)
        self._opened = Begins(self._time)
        self._watch = Watch(steps, remedy=remedy, stamp=self._time.stamp)
        self._wanted = wanted
        self._accounts = accounts
        self._own = own
        self._territory = Territory()
        self._deliveries = _Deliveries(log)
        self._growth = _Growth(log)
        self._sessions = sessions
        self._asking: Thread | None = None
        self._asked = 0.0
        self._answer: tuple[Sequence[float | None] | None, str] = None, ""
        # Each part is looked at in its own time: what one says stands until it is looked at again.
        self._problems = dict.fromkeys((*_SIGHT, "sessions"), "")
        self._seen: dict[tuple[int, float | None], Connection] = {}
        self._next_connections = self._next_sessions = 0.0

    @property
    def problem(self) -> str:
        return next(filter(None, self._problems.values()), "")

    def begin(self) -> None:
        """Watch from now on. Raises `CommandFailed` where Postfix does not say whose mail is whose."""
        self._territory = networks.territory(self._postfix, self._own)
        self._watch.begin(self._time.now())
        self.on = True

    def settled(self, step: str, how: Settled) -> None:
        """Take that a step was done, and when (epoch seconds), left out by choice, or taken back."""
        if how == "left out":
            self._watch.left_out(step)
        elif how == "taken back":
            self._watch.taken_back(step)
        else:
            self._watch.done(step, self._time.of(how))
        self._next_connections = self._next_sessions = 0.0

    def look_at_clock(self) -> None:
        """See whether the clock was set; the more often, the better is known when. Needs no `begin`."""
        self._time.now()

    def tick(self) -> Verdict:
        """Look, and return what is to be said now."""
        self.look_at_clock()
        self._read_log()
        now = self._time.now()
        if self._growth.seen():
            self._watch.log_grew(now)
        if now >= self._next_connections:
            self._look_at_connections(now)
        self._watch.looked(now, next(filter(None, map(self._problems.get, _SIGHT)), ""))
        self._look_at_sessions(now)
        return self._watch.verdict(now)

    def _read_log(self) -> None:
        looked = self._time.now()
        try:
            there = self._connections.log.look()
            news = self._connections.log.news()
        except OSError as error:
            reason = (error.strerror or "no").lower()
            self._problems["log"] = f"The log cannot be read ({reason}), so nobody can be watched."
            return
        self._problems["log"] = self._problems["deliveries"] = ""
        began = {_key(c): c.since for c in (*there, *(event.connection for event in news), *self._seen.values())}
        self._connected.saw({key: since for key, since in began.items() if since is not None}, looked)
        for handed in self._signs_among([event for event in news if isinstance(event, Handed)]):
            self._saw("sent", self._time.of(handed.time), handed.client, handed.connection)
        for event in news:
            if isinstance(event, LoggedIn) and self._is_login(event.connection):
                self._saw("logged in", self._time.of(event.time), event.connection.client, event.connection)
        for key, connection in list(self._seen.items()):
            if connection.ended is not None:
                self._watch.ended(key)
                del self._seen[key]

    def _saw(self, kind: Kind, when: float, client: str, connection: Connection) -> None:
        self._seen[_key(connection)] = connection
        self._watch.saw(self._sign(kind, when, client, connection))

    def _sign(self, kind: Kind, when: float, client: str, connection: Connection | Served) -> Sign:
        key, since = _key(connection), connection.since
        connected = None if since is None else self._connected.of(key, since)
        return Sign(kind, when, client, key, connected, own=self._territory.is_own(client))

    def _signs_among(self, news: Sequence[Handed]) -> list[Handed]:
        """Return what shows that they go on; from a client, mail to our own people is no relaying."""
        theirs = [h for h in news if self._wanted.matches_source(h.login, h.client, self._accounts)]
        if self._wanted.login is not None:
            return theirs
        inward = self._inward([h.id for h in theirs])
        return [h for h in theirs if h.id not in inward]

    def _inward(self, ids: Sequence[str]) -> set[str]:
        """Return those ids whose mail is seen to be for our own people alone: in the queue, or by its deliveries."""
        queue_ids = []
        for id in ids:
            with suppress(Refused):
                queue_ids.append(QueueId(id))
        try:
            # postcat takes a second over each id that is not in the queue any more.
            there = list(locate(self._postfix.queue_directory, queue_ids))
            found: dict[str, bool] = {
                id: any(self._territory.outward(address, "smtp") for address in envelope.addressed)
                for id, envelope in envelopes(self._postfix, there).items()
            }
        except (Refused, CommandFailed) as error:
            self._problems["deliveries"] = str(error)
            return set()
        if len(found) < len(ids):
            found = {**self._deliveries.read(self._territory), **found}
        return {id for id in ids if not found.get(id, True)}

    def _is_login(self, connection: Connection) -> bool:
        login = self._connections.log.only_login(connection.client)
        return (
            self._wanted.login is not None
            and login is not None
            and self._wanted.matches_source(login, connection.client, self._accounts)
        )

    def _look_at_connections(self, now: float) -> None:
        self._next_connections = now + _CONNECTIONS_EVERY
        try:
            served = self._connections.serving(self._wanted)
        except (Refused, CommandFailed) as error:
            self._problems["connections"] = str(error)
            return
        self._problems["connections"] = ""
        there = {_key(c) for c in served}
        for key in [key for key in self._seen if key not in there]:
            # Its smtpd was ended, and wrote no line.
            self._watch.ended(key)
            del self._seen[key]
        self._watch.open_now(now, [self._sign("open", now, c.client, c) for c in served])

    def _look_at_sessions(self, now: float) -> None:
        """Ask for the sessions beside all else: BlueMind may take long to answer, and holding must go on."""
        if self._asking is not None and not self._asking.is_alive():
            began, self._problems["sessions"] = self._answer
            if began is not None:
                self._opened.saw({stamp: stamp for stamp in began if stamp is not None}, self._asked)
                began = [None if stamp is None else self._opened.of(stamp, stamp) for stamp in began]
            self._watch.sessions(began, self._problems["sessions"])
            self._asking = None
        if self._asking is None and now >= self._next_sessions:
            self._asked, self._next_sessions = now, now + _SESSIONS_EVERY
            self._asking = Thread(target=self._ask_for_sessions, daemon=True)
            self._asking.start()

    def _ask_for_sessions(self) -> None:
        try:
            self._answer = self._sessions(), ""
        except (Refused, CommandFailed) as error:
            self._answer = None, str(error)
        except Exception as error:
            # The thread must not end without an answer: the one before would stand for it.
            self._answer = None, fault.sentence(error)


def _key(connection: Connection | Served) -> tuple[int, float | None]:
    return connection.pid, connection.since


class _Growth:
    """Whether a log is written to. One that was rotated or cut is empty, which is no growth."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._before = self._look()

    def seen(self) -> bool:
        """Tell whether something was written since the last call; not so where the log cannot be found."""
        inode, size = self._look()
        there, before = self._before
        self._before = inode, size
        return size > (before if inode == there and size >= before else 0)

    def _look(self) -> tuple[int, int]:
        """Return the log's inode and size in bytes, (0, 0) where it cannot be found."""
        with suppress(OSError):
            found = os.stat(self._log)
            return found.st_ino, found.st_size
        return 0, 0


class _Deliveries:
    """To whom the messages went that left the queue."""

    def __init__(self, log: Path) -> None:
        self._clock = LogClock()
        self._lines = LogLines(log, time.time(), self._clock)
        self._outward: dict[str, bool] = {}

    def read(self, territory: Territory) -> dict[str, bool]:
        """Return for each id that was delivered lately whether some of it went elsewhere."""
        with suppress(OSError):
            for block in self._lines.more():
                for event in events(decoded(block), self._clock):
                    if isinstance(event, Delivery):
                        out = territory.outward(event.recipient, event.daemon, event.original) is not None
                        self._outward[event.id] = self._outward.pop(event.id, False) or out
        while len(self._outward) > _MOST_DELIVERIES:
            del self._outward[next(iter(self._outward))]
        return self._outward
