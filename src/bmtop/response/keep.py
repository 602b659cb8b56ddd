"""Keep holding: what a login or a client newly queues is put on hold within a second, for as long as it is on.

The log names a new message within milliseconds, and the queue itself is looked through besides. Whose it is says
the queue file alone.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.events import Accepted, Delivery, Event
from bmtop.incident.lineage import Lineage
from bmtop.incident.message import Envelope, Message
from bmtop.incident.selection import Filter
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.loglines import LogLines
from bmtop.postfix.logtime import LogClock
from bmtop.postfix.queue import files
from bmtop.postfix.queuefile import Head, plain_address, read_head
from bmtop.response.gate import Gate, Step
from bmtop.response.going_on import GoesOn
from bmtop.response.hold import hold_or_release
from bmtop.response.messages import in_queue
from bmtop.response.plan import Done, Plan, no_progress
from bmtop.server import CommandFailed

_LOOKED_EVERY = 0.5
# A look through a long queue takes its time: at most this share of it goes into that.
_LOOKING_SHARE = 0.2
# Ids that the log named, and a content filter may give back under others.
_MOST_NAMED = 10_000
_QUEUED_AS = re.compile(r"\bqueued as ([0-9A-Za-z]{6,36})\b", re.ASCII)


class KeepHolding:
    """Begin it, call `tick` several times a second, and end it; all block for a moment, from any thread.

    `held` counts the messages that it put on hold, `missed` those that had left before. `problem` is a sentence
    while it cannot work, else empty. `notes` are sentences that its beginning leaves to be told.
    """

    def __init__(
        self,
        postfix: Postfix,
        gate: Gate,
        wanted: Filter,
        target: str,
        *,
        accounts: Accounts,
        log: Path,
        is_own: Callable[[str], bool],
    ) -> None:
        if not (wanted.login or wanted.clients) or _more_than_source(wanted):
            raise Refused("Keep holding takes a login or a client, and not more; leave the other filters out.")
        self.target = target
        self.held: list[QueueId] = []
        self.missed = 0
        self.problem = ""
        self._unread = self._unheld = ""
        self.notes: tuple[str, ...] = ()
        self.on = False
        self._postfix = postfix
        self._gate = gate
        self._wanted = wanted
        self._accounts = accounts
        self._clock = LogClock()
        self._lines = LogLines(log, time.time(), self._clock)
        self._lineage = Lineage(is_own)
        self._known: set[str] = set()
        self._named: dict[str, None] = {}
        self._tried: set[str] = set()
        self._next_look = 0.0
        self._goes_on: GoesOn | None = None
        self._busy = Lock()

    @property
    def sentence(self) -> str:
        """How it goes, in one sentence."""
        held = "1 message" if len(self.held) == 1 else f"{len(self.held):,} messages"
        missed = f" {self.missed:,} had left before they could be held." if self.missed else ""
        return f"{held} of {self.target} put on hold.{missed}"

    def begin(self) -> None:
        """Switch it on: what comes into the queue from now on is held. Raises `Refused` or `CommandFailed`."""
        with self._busy:
            with self._gate.action("keep holding", self.target, filter=self._wanted.as_dict()) as step:
                self.held, self.missed, self._unheld = [], 0, ""
                self._read_log()
                self.problem = self._unread
                self._named.clear()
                self._tried.clear()
                self._known = {name for name, path in self._files() if _is_whole(path)}
                self._goes_on = self._gate.goes_on(step)
                self.on = True
                step.sentence = f"What {self.target} newly queues is put on hold."
            self.notes = step.unwritten

    def end(self) -> Done:
        """Switch it off, after a last look; a note says so where that could not be written into the journal."""
        with self._busy:
            self._next_look = 0.0
            self._tick()
            self.on = False
            try:
                with self._gate.action("stop holding", self.target, ids=self.held) as step:
                    step.sentence = self.sentence
                    # Before the end is written: by then nobody is to take it for one that was killed.
                    self._let_go()
                notes = step.unwritten
            except Refused as error:
                notes = (f"It is off, but that could not be written into the journal: {error}",)
            finally:
                self._let_go()
            return Done("stop holding", self.target, True, self.sentence, notes=notes)

    def _let_go(self) -> None:
        goes_on, self._goes_on = self._goes_on, None
        if goes_on is not None:
            goes_on.end()

    def tick(self) -> int:
        """Hold what is new, while it is on, and return how many messages that was.

        The lock of actions is not taken: nothing but a message that came in since is touched, and a long purge
        must not let the next ones through.
        """
        with self._busy:
            return self._tick() if self.on else 0

    def _tick(self) -> int:
        count = self._look_in_time()
        # What the last look left stands until the next one.
        self.problem = self._unheld or self._unread
        return count

    def _look_in_time(self) -> int:
        named = self._read_log()
        if not named and time.monotonic() < self._next_look:
            return 0
        began = time.monotonic()
        try:
            count = self._look()
        except (Refused, CommandFailed) as error:
            self._unheld = str(error)
            return 0
        else:
            self._unheld = ""
            return count
        finally:
            ended = time.monotonic()
            self._next_look = ended + max(_LOOKED_EVERY, (ended - began) / _LOOKING_SHARE)

    def _read_log(self) -> bool:
        """Take the ids that the log names as theirs; tell whether there is one."""
        before = len(self._named)
        self._unread = ""
        try:
            for block in self._lines.more():
                for event in events(decoded(block), self._clock):
                    self._lineage.feed(event)
                    self._take(event)
        except OSError as error:
            # The looks through the queue find what is new all the same, half a second later.
            self._unread = (
                f"The log cannot be read ({(error.strerror or 'no').lower()}); the queue is looked through instead."
            )
        named = len(self._named) > before
        while len(self._named) > _MOST_NAMED:
            del self._named[next(iter(self._named))]
        return named

    def _take(self, event: Event) -> None:
        match event:
            case Accepted():
                theirs = event.origin in self._named if event.origin else self._is_from_them(event.login, event.client)
                id = event.id if theirs else None
            case Delivery(status="sent") if event.id in self._named:
                # A content filter may have given it back under this id.
                found = _QUEUED_AS.search(event.answer)
                id = found[1] if found else None
            case _:
                id = None
        if id is not None:
            self._named[id] = None
            self._known.discard(id)

    def _is_from_them(self, login: str | None, client: str | None) -> bool:
        return self._wanted.matches_source(login, client, self._accounts)

    def _look(self) -> int:
        # By name: one that moves to another queue meanwhile is listed in both.
        theirs: dict[str, Message] = {}
        there: set[str] = set()
        for name, path in self._files():
            there.add(name)
            if name not in self._known and (message := self._new(name, path)) is not None:
                theirs[name] = message
        self.missed += len(self._tried - there)
        self._known &= there
        self._tried = set(theirs)
        if not theirs:
            return 0
        plan = Plan("hold", self._wanted, tuple(theirs.values()))
        outcome = hold_or_release(self._postfix, plan, no_progress, nullcontext(Step()))
        done = outcome.done
        self.held += done
        self._known.update(done)
        self._tried.difference_update(done)
        if outcome.failure:
            raise CommandFailed(outcome.failure)
        return len(done)

    def _files(self) -> Iterator[tuple[str, str]]:
        try:
            yield from files(self._postfix.queue_directory)
        except OSError as error:
            raise Refused(
                f"The queue cannot be looked through ({(error.strerror or 'no').lower()}), so nothing new is held;"
                " run `sudo bmtop`."
            ) from None

    def _new(self, name: str, path: str) -> Message | None:
        """Return the message in a queue file that is new, if it is theirs; what is not whole yet is looked at again."""
        try:
            head = read_head(path) if _is_whole(path) else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{path} cannot be read ({(error.strerror or 'no').lower()}); run `sudo bmtop`.") from None
        if head is None:
            return None
        message = _message(name, os.path.relpath(path, self._postfix.queue_directory), head)
        held = in_queue(self._postfix.queue_directory, path, "hold")
        if message is not None and not held and self._is_meant(message):
            return message
        self._known.add(name)
        if message is not None and held and name in self._tried:
            # It was held, and what would have told so broke off.
            self.held.append(message.id)
        return None

    def _is_meant(self, message: Message) -> bool:
        envelope, named = message.envelope, message.id in self._named
        theirs = envelope is not None and self._is_from_them(envelope.login, envelope.client)
        if theirs and (named or not self._wanted.without_login):
            return True
        if not (theirs or named):
            return False
        # Back from a content filter, which passes the client on, but no login: the log and the queue file must
        # both say that it is the same mail.
        envelope = envelopes(self._postfix, [message.id]).get(message.id)
        if envelope is None:
            return False
        if envelope.origin is not None:
            return envelope.origin in self._named
        if theirs:
            return True
        origin = self._lineage.origin(message.opened(envelope))
        return origin is not None and self._is_from_them(origin.login, origin.client)


def _more_than_source(wanted: Filter) -> bool:
    names = ("login", "without_login", "clients", "not_clients")
    return wanted != Filter(**{name: getattr(wanted, name) for name in names})


def _is_whole(path: str) -> bool:
    """Tell whether a queue file is all there: cleanup(8) then makes it executable for its owner."""
    try:
        return bool(os.lstat(path).st_mode & 0o100)
    except FileNotFoundError:
        return False


def _message(name: str, path: str, head: Head) -> Message | None:
    """Return the message of a queue file, at `path` below the queues; None where the file's name is no queue id."""
    try:
        id = QueueId(name)
    except Refused:
        return None
    sender = head.sender.decode("utf-8", "surrogateescape")
    login, client = (None if v is None else v.decode("utf-8", "surrogateescape") for v in (head.login, head.client))
    envelope = Envelope(login, None if client is None else plain_address(client), sender=sender)
    return Message(id, path.partition("/")[0], head.arrival, head.size, sender, (), envelope=envelope)
