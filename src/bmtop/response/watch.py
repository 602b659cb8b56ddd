"""What the watch after containment is fed with: smtpd's log, the open connections, and the open sessions."""

import time
from collections.abc import Callable, Hashable, Sequence

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.selection import Filter
from bmtop.incident.territory import Territory
from bmtop.incident.watch import Kind, Sign, Verdict, Watch
from bmtop.postfix import networks
from bmtop.postfix.connections import Connection, Handed, LoggedIn
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix
from bmtop.response.connections import Connections
from bmtop.server import CommandFailed

# In seconds. Where BlueMind is asked by bm-cli, each question takes seconds of a processor.
_CONNECTIONS_EVERY = 2.0
_SESSIONS_EVERY = 60.0

Sessions = Callable[[], Sequence[float | None] | None]


class Lookout:
    """Begin it, and call `tick` again and again; both block for a moment.

    `problem` is a sentence while it cannot see all, or empty. `sessions` returns when each open session began,
    None where the server cannot list them. `own` are addresses of the same installation beside this machine's.
    """

    def __init__(
        self,
        postfix: Postfix,
        connections: Connections,
        watch: Watch,
        wanted: Filter,
        *,
        accounts: Accounts,
        own: frozenset[str],
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.on = False
        self.problem = ""
        self._postfix = postfix
        self._connections = connections
        self._watch = watch
        self._wanted = wanted
        self._accounts = accounts
        self._own = own
        self._territory = Territory()
        self._sessions = sessions
        self._clock = clock
        self._seen: dict[tuple[int, float | None], Connection] = {}
        self._next_connections = self._next_sessions = 0.0

    def begin(self) -> None:
        """Watch from now on. Raises `CommandFailed` where Postfix does not say whose mail is whose."""
        self._territory = networks.territory(self._postfix, self._own)
        self._watch.begin(self._clock())
        self.on = True

    def settled(self, step: str, when: float | None) -> None:
        """Take that a step was done, or, without a time, left out by choice."""
        if when is None:
            self._watch.left_out(step)
        else:
            self._watch.done(step, when)
        self._next_connections = self._next_sessions = 0.0

    def tick(self) -> Verdict:
        """Look, and return what is to be said now."""
        self.problem = ""
        self._read_log()
        now = self._clock()
        if now >= self._next_connections:
            self._look_at_connections(now)
        if now >= self._next_sessions:
            self._look_at_sessions(now)
        return self._watch.verdict(now)

    def _read_log(self) -> None:
        try:
            news = self._connections.log.news()
        except OSError as error:
            self.problem = f"The log cannot be read ({(error.strerror or 'no').lower()}), so nobody can be watched."
            return
        for event in news:
            if isinstance(event, Handed) and self._is_sign(event):
                self._saw("sent", event.time, event.client, event.login, event.connection)
            elif isinstance(event, LoggedIn) and self._is_login(event.connection):
                self._saw("logged in", event.time, event.connection.client, None, event.connection)
        for key, connection in list(self._seen.items()):
            if connection.ended is not None:
                self._watch.ended(key)
                del self._seen[key]

    def _saw(self, kind: Kind, when: float, client: str, login: str | None, connection: Connection) -> None:
        key = (connection.pid, connection.since)
        self._seen[key] = connection
        self._watch.saw(self._sign(kind, when, client, connection.since, key, login))

    def _sign(
        self, kind: Kind, when: float, client: str, since: float | None, key: Hashable, login: str | None = None
    ) -> Sign:
        return Sign(kind, when, client, key, since, own=self._territory.is_own(client), login=login)

    def _is_sign(self, handed: Handed) -> bool:
        if not self._wanted.matches_source(handed.login, handed.client, self._accounts):
            return False
        # From a client, mail to our own people is no relaying.
        return self._wanted.login is not None or handed.login is not None or self._goes_out(handed.id)

    def _goes_out(self, id: str) -> bool:
        """Tell whether a queued message is for somebody elsewhere; what is not in the queue any more counts as such."""
        try:
            found = envelopes(self._postfix, [QueueId(id)])
        except (Refused, CommandFailed):
            return True
        addressed = [address for envelope in found.values() for address in envelope.addressed]
        return not addressed or any(self._territory.outward(address, "smtp") for address in addressed)

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
            self.problem = str(error)
            return
        there = {(c.pid, c.since) for c in served}
        for key in [key for key in self._seen if key not in there]:
            # Its smtpd was ended, and wrote no line.
            self._watch.ended(key)
            del self._seen[key]
        self._watch.open_now(now, [self._sign("open", now, c.client, c.since, (c.pid, c.since)) for c in served])

    def _look_at_sessions(self, now: float) -> None:
        self._next_sessions = now + _SESSIONS_EVERY
        try:
            self._watch.sessions(self._sessions())
        except (Refused, CommandFailed) as error:
            self._watch.sessions(None)
            self.problem = str(error)
