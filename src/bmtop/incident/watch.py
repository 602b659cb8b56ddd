"""The watch after containment: did it work? What still comes in names the step that is missing.

A connection that was logged in before the new password stays logged in: what is sent over it says that it is
still open. What is sent over a later one was let in with the old password, by a cache, as long as that was not
emptied; after that, somebody knows the new one. The log's seconds are whole, so something of the very second of
a step counts as before it.

Quiet counts only as far as it was seen: while log and connections cannot be looked at, nobody knows; and a log
that does not grow looks the same whether nobody sends or nobody writes it.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["watching", "alarm", "contained"]
Kind = Literal["sent", "logged in", "open"]

QUIET = 600.0
_MOST_SIGNS = 10_000


@dataclass(frozen=True, slots=True)
class Sign:
    """Somebody is at work: a message was handed in, a login went well, or a connection stands open.

    `time` is in epoch seconds; `connection` names the connection and `connected` says when that began, None
    for before the log. `own` tells that the client is the server itself: its webmail sends so.
    """

    kind: Kind
    time: float
    client: str
    connection: Hashable
    connected: float | None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the watch says at one moment. `missing` are steps of the runbook, the most urgent first.

    `sentences` are one for each alarm, else one; `evidence` is what they stand on.
    """

    state: State
    sentences: tuple[str, ...]
    missing: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return " ".join(self.sentences)


class Watch:
    """Feed it what is seen and which steps were done, and ask for the verdict at any time.

    `steps` are those that must be done (or left out by choice) before anything counts as contained. `remedy`
    is what empties the SASL cache, such as `restart bm-ysnp`, `quiet` is in seconds. Times are in epoch seconds,
    by a clock that nobody sets meanwhile; `stamp` tells what the server's clock said then, to be shown.
    """

    def __init__(
        self,
        steps: Sequence[str],
        *,
        remedy: str,
        quiet: float = QUIET,
        stamp: Callable[[float], float] = lambda moment: moment,
    ) -> None:
        self.quiet = quiet
        self._stamp = stamp
        self._steps = tuple(steps)
        self._remedy = remedy
        self._begun = 0.0
        self._done: dict[str, float] = {}
        self._left_out: set[str] = set()
        self._signs: dict[Hashable, Sign] = {}
        self._ended: set[Hashable] = set()
        self._open: dict[Hashable, Sign] | None = None
        self._opened = 0.0
        self._looked = 0.0
        self._sees_again = 0.0
        self._blind = ""
        self._grew = 0.0
        self._sessions: Sequence[float | None] | None = None
        self._asked = False
        self._unasked = ""
        self._last: Sign | None = None

    # What it is told

    def begin(self, now: float) -> None:
        """Count from `now`, in epoch seconds."""
        self._begun = self._grew = now

    def done(self, step: str, when: float) -> None:
        """Take that a step of the runbook was done, in the end, at `when`."""
        self._done[step] = when
        self._left_out.discard(step)

    def left_out(self, step: str) -> None:
        """Take that a step was left out by choice."""
        self._left_out.add(step)

    def taken_back(self, step: str) -> None:
        """Take that a step that was done is so no more."""
        self._done.pop(step, None)

    def saw(self, sign: Sign) -> None:
        """Take a message that was handed in, or a login."""
        self._ended.discard(sign.connection)
        self._signs.pop(sign.connection, None)
        self._signs[sign.connection] = sign
        if len(self._signs) > _MOST_SIGNS:
            oldest = next(iter(self._signs))
            del self._signs[oldest]
            self._ended.discard(oldest)
        if self._last is None or sign.time >= self._last.time:
            self._last = sign

    def ended(self, connection: Hashable) -> None:
        """Take that a connection has ended."""
        if connection in self._signs:
            self._ended.add(connection)

    def open_now(self, now: float, signs: Iterable[Sign]) -> None:
        """Take which connections stand open at `now`."""
        self._open = {sign.connection: sign for sign in signs}
        self._opened = now

    def looked(self, now: float, problem: str = "") -> None:
        """Take that log and connections were looked at, or with `problem` (a sentence) that this could not be."""
        if not problem:
            self._sees_again = now if self._blind else self._sees_again
            self._looked = now
        self._blind = problem

    def log_grew(self, now: float) -> None:
        """Take that something was written to the log by `now`, whatever it was."""
        self._grew = now

    def sessions(self, began: Sequence[float | None] | None, problem: str = "") -> None:
        """Take when each open session began, in epoch seconds; None where this server cannot list them.

        `problem` is a sentence where they ought to be listed, and were not.
        """
        self._sessions = began
        self._asked = True
        self._unasked = problem

    # What it says

    def verdict(self, now: float) -> Verdict:
        """Return what is to be said at `now`."""
        alarms = self._alarms()
        if alarms:
            order = {step: place for place, step in enumerate(self._steps)}
            missing = sorted(alarms, key=lambda step: order.get(step, len(order)))
            return Verdict("alarm", tuple(alarms[step] for step in missing), tuple(missing), self._evidence())
        undone = self._undone()
        since = max(self._begun, self._last.time if self._last else 0.0, self._sees_again, *self._stops())
        quiet = max(0.0, (self._looked if self._blind else now) - since)
        but = self._unseen() or ("" if quiet < self.quiet else self._unproved(since, now))
        if but:
            sentence = f"Quiet for {span(quiet)}, but {but.removesuffix('.')}."
            return Verdict("watching", (sentence,), undone, self._evidence())
        if quiet < self.quiet:
            sentence = f"Quiet for {span(quiet)}; {span(self.quiet - quiet)} more will show that it is contained."
            return Verdict("watching", (sentence,), undone, self._evidence())
        return Verdict("contained", (f"Contained: quiet for {span(quiet)}.",), (), self._evidence())

    def _unseen(self) -> str:
        """Return what cannot be seen now, empty where all can. Who left the logout out asks for no sessions."""
        problem = self._blind or ("" if "sessions" in self._left_out else self._unasked)
        return f"not all can be seen: {problem}" if problem else ""

    def _unproved(self, since: float, now: float) -> str:
        """Return why the quiet since then shows nothing, empty where it does."""
        if undone := self._undone():
            return f"not everything was done: {', '.join(undone)}"
        if self._open is None:
            return "the connections were not seen"
        if "sessions" in self._steps and "sessions" not in self._left_out and not self._asked:
            return "the sessions were not seen"
        # A line tells that all before it was written, too; an old one tells nothing of what came since.
        if self._grew < max(since + self.quiet, now - self.quiet):
            return (
                f"the log has not grown since {self._clock(self._grew)};"
                " see whether syslog still writes (logger -p mail.info test)"
            )
        return ""

    def _undone(self) -> tuple[str, ...]:
        settled = {*self._done, *self._left_out, *(("password",) if "suspend" in self._done else ())}
        return tuple(step for step in self._steps if step not in settled)

    def _stops(self) -> list[float]:
        """Return when each step was done after which something else could have come in."""
        return [when for step, when in self._done.items() if step not in ("hold", "purge")]

    @property
    def _barrier(self) -> tuple[str, float] | None:
        """What shuts the account or client out, and when it was done: all that counts comes after it."""
        done = [(step, self._done[step]) for step in ("password", "suspend", "untrust") if step in self._done]
        return max(done, key=lambda found: found[1], default=None)

    def _alarms(self) -> dict[str, str]:
        """Return a sentence for each step that is missing, by the newest sign of it: mail counts more than all else."""
        found: dict[str, list[Sign]] = {}
        for sign in (*self._signs.values(), *(self._open or {}).values()):
            step = self._missing(sign)
            if step is not None:
                found.setdefault(step, []).append(sign)
        alarms = {}
        for step, signs in found.items():
            newest = max(signs, key=lambda sign: (sign.kind == "sent", sign.time))
            alarms[step] = self._sentence(step, newest, _clients(newest, signs))
        if "sessions" not in alarms and (count := len(self._old_sessions())):
            opened = "1 session from before is" if count == 1 else f"{count} sessions from before are"
            alarms["sessions"] = f"{opened} still open: log the account out again."
        return alarms

    def _missing(self, sign: Sign) -> str | None:
        """Return the step that would have kept this from happening, None where that was done since."""
        step = self._missing_then(sign)
        if step is None or self._done.get(step, 0.0) > sign.time:
            return None
        return None if step == "connections" and sign.connection in self._ended else step

    def _missing_then(self, sign: Sign) -> str | None:
        barrier = self._barrier
        if barrier is None:
            if sign.time < self._begun or sign.kind == "open":
                return None
            return "untrust" if "untrust" in self._steps else "password"
        if sign.time <= barrier[1]:
            return None
        if sign.own and barrier[0] != "untrust":
            return self._missing_here(sign)
        emptied = self._done.get("cache", 0.0)
        if sign.connected is None or sign.connected <= max(barrier[1], emptied if emptied > barrier[1] else 0.0):
            return "connections"
        if "cache" in self._steps and emptied <= barrier[1]:
            return "cache"
        if sign.kind == "open":
            return None  # its owner may be back, with the new password
        return "untrust" if barrier[0] == "untrust" else "suspend"

    def _missing_here(self, sign: Sign) -> str | None:
        """Return the same for what comes from the server itself: mail from a web session."""
        if sign.kind == "open":
            return None
        return "suspend" if self._sessions and not self._old_sessions() else "sessions"

    def _sentence(self, step: str, sign: Sign, clients: str) -> str:
        barrier = self._barrier
        when = f"{span(sign.time - barrier[1])} after {_AFTER[barrier[0]]}" if barrier else "after the hold"
        sends = "Still sending" if sign.kind == "sent" else "Still logged in"
        match step:
            case "password":
                return f"{sends}, from {clients}: its password is still the old one; set a new one."
            case "sessions":
                return f"{sends} {when}, from this server itself: a web session is still open; log it out."
            case "connections":
                return f"{sends} {when}: its SMTP connection from {clients} is still open; end it."
            case "cache":
                return (
                    f"It logged in again with its old password {when}, from {clients}: the SASL cache still has it;"
                    f" {self._remedy}."
                )
            case "suspend" if barrier and barrier[0] == "suspend":
                return f"It logged in {when}, from {clients}: see how Postfix checks logins, it lets this one in."
            case "suspend":
                return (
                    f"It logged in {when}, from {clients}, past an empty cache: somebody has the new password; if"
                    " that is not its owner, suspend the account."
                )
            case _ if barrier:
                return f"Still relaying {when}, over a new connection from {clients}: something lets it in still."
        return f"Still relaying, from {clients}: it is still trusted; take it out of mynetworks."

    def _old_sessions(self) -> list[float]:
        """Return when the open sessions began that are older than what shut the account out."""
        barrier = self._barrier
        if barrier is None or self._sessions is None:
            return []
        return [began for began in self._sessions if began is not None and began <= barrier[1]]

    def _evidence(self) -> tuple[str, ...]:
        found = [f"{_TITLES.get(step, step)}: {self._clock(when)}" for step, when in self._done.items()]
        found += [f"{_TITLES.get(step, step)}: left out" for step in self._steps if step in self._left_out]
        if self._last is None:
            found.append(f"Last message: none since {self._clock(self._begun)}")
        else:
            found.append(f"Last message: {self._clock(self._last.time)}, from {self._last.client}")
        if self._open is not None:
            clients = sorted({sign.client for sign in self._open.values()})
            # One that has sent nothing yet may be anybody's.
            known = " known for this login" if "password" in self._steps else ""
            listed = ", ".join(clients) or "none"
            found.append(f"Open SMTP connections at {self._clock(self._opened)}{known}: {listed}")
        if "sessions" in self._steps:
            listed = "not listed by this server" if self._sessions is None else str(len(self._sessions) or "none")
            found.append(f"Open sessions: {listed}")
        return tuple(found)

    def _clock(self, moment: float) -> str:
        return clock(self._stamp(moment))


_AFTER = {"password": "the new password", "suspend": "it was suspended", "untrust": "it was untrusted"}
_TITLES = {
    "hold": "Held",
    "password": "New password",
    "suspend": "Suspended",
    "sessions": "Logged out",
    "cache": "SASL cache emptied",
    "connections": "SMTP connections ended",
    "untrust": "Untrusted",
    "purge": "Purged",
}


def _clients(newest: Sign, signs: Sequence[Sign]) -> str:
    """Return the client of the newest sign, and how many others there are."""
    others = len({sign.client for sign in signs} - {newest.client})
    return f"{newest.client} (and {others} more)" if others else newest.client


def span(seconds: float) -> str:
    """Return a span of time in words: `40 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def clock(moment: float) -> str:
    """Return the time of day, local."""
    return time.strftime("%H:%M:%S", time.localtime(moment))
