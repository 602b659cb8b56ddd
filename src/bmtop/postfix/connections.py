"""Who is connected: smtpd's connect, client= and disconnect lines, paired by the process that wrote them.

A process serves one connection at a time (smtpd(8)), so its number is what ties the lines together. Behind a
proxy `connect from` may name the proxy: the client is the one that the later lines name.
"""

import re
import threading
from pathlib import Path
from typing import NamedTuple

from bmtop.incident.events import Accepted
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.loglines import LogLines
from bmtop.postfix.logtime import LogClock

# As in logline.py: each line is looked for at the line's end before it.
_LINE = re.compile(
    r"\n(?:(\d[^ \n]{18})[.\d]*([^ \n]*)|([A-Z].{14})) [^ \n]+(?<![:\]]) [^\s\[\]]+/smtpd\[(\d{1,9})\]: "
    r"(?:(connect|disconnect) from [^\s\[\]]*\[([^\s\[\]]*)\](?::\d+|)( [a-z]+=.*|)$|[0-9A-Za-z]{6,36}: client=.*)",
    re.ASCII | re.MULTILINE,
)
_AUTHENTICATED = re.compile(r" auth=[1-9]", re.ASCII)
# More than one login, or none, came from a client.
_SEVERAL = ""


class Connection:
    """One connection, as the log tells it. Times are in epoch seconds, `since` None where it began before the log.

    `peer` is who connected, `client` whom it is for, `logins` with which it handed in mail, `last` when it did so.
    """

    __slots__ = ("client", "ended", "last", "logins", "messages", "peer", "pid", "since")

    def __init__(self, pid: int, since: float | None, client: str) -> None:
        self.pid = pid
        self.since = since
        self.peer = None if since is None else client
        self.client = client
        self.logins: set[str | None] = set()
        self.messages = 0
        self.last: float | None = None
        self.ended: float | None = None


class Handed(NamedTuple):
    """A message that was handed in. `id` only names it: what is acted upon comes from the queue."""

    time: float
    id: str
    client: str
    login: str | None
    origin: str | None
    connection: Connection


class LoggedIn(NamedTuple):
    """A connection that ended without a message, but had logged in; the log does not say as whom."""

    time: float
    connection: Connection


class SmtpdLog:
    """smtpd's lines of one log from `since` on, read further at each look. Several threads may look."""

    def __init__(self, log: Path, since: float) -> None:
        self.open: dict[int, Connection] = {}
        self._logins: dict[str, str] = {}
        self._authenticated: set[str] = set()
        self._new: list[Handed | LoggedIn] = []
        self._clock = LogClock()
        self._lines = LogLines(log, since, self._clock)
        self._lock = threading.Lock()

    def look(self) -> tuple[Connection, ...]:
        """Read on, and return the connections that are open by what the log says. Raises `OSError`; blocks."""
        with self._lock:
            self._read_on()
            return tuple(self.open.values())

    def news(self) -> list[Handed | LoggedIn]:
        """Read on, and return what came since the last call. Raises `OSError`; blocks."""
        with self._lock:
            self._read_on()
            news, self._new = self._new, []
            return news

    def only_login(self, client: str) -> str | None:
        """Return the one login that mail from this client came with, None where there were others, or none."""
        return self._logins.get(client) or None

    def is_without_login(self, client: str) -> bool:
        """Tell whether no mail from this client came with a login."""
        return client not in self._authenticated

    def _read_on(self) -> None:
        for block in self._lines.more():
            for found in _LINE.finditer("\n" + decoded(block)):
                day, zone, stamp, pid, what, client, counts = found.groups()
                if what is None:
                    for event in events(found[0], self._clock):
                        if isinstance(event, Accepted):
                            self._handed(int(pid), event)
                elif what == "connect":
                    self.open[int(pid)] = Connection(int(pid), self._clock.epoch(stamp or day + zone), client)
                else:
                    self._disconnected(int(pid), self._clock.epoch(stamp or day + zone), client, counts)

    def _handed(self, pid: int, event: Accepted) -> None:
        connection = self.open.get(pid)
        if connection is None:
            connection = self.open[pid] = Connection(pid, None, event.client)
        connection.client = event.client
        connection.logins.add(event.login)
        connection.messages += 1
        connection.last = event.time
        if event.login is not None:
            self._authenticated.add(event.client)
        login = event.login or _SEVERAL
        if self._logins.setdefault(event.client, login) != login:
            self._logins[event.client] = _SEVERAL
        self._new.append(Handed(event.time, event.id, event.client, event.login, event.origin, connection))

    def _disconnected(self, pid: int, time: float | None, client: str, counts: str) -> None:
        connection = self.open.pop(pid, None)
        if connection is None:
            return
        connection.client = client
        connection.ended = time
        if time is not None and not connection.messages and _AUTHENTICATED.search(counts):
            self._new.append(LoggedIn(time, connection))
