"""The gate that every action goes through: read-only is refused here, one action runs at a time, and the
journal knows of it before and after."""

import fcntl
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message
from bmtop.response.going_on import GoesOn, GoingOn
from bmtop.response.journal import Entry, Journal, Phase, state_folder
from bmtop.response.pending import Pending
from bmtop.server import CommandFailed, Result

_WAIT = 10.0


class Step:
    """An action under way: what it ran, and the sentence that the journal will end with.

    `number` is its own in the journal; `again` tells that the same was begun before, and cut off. `unwritten` is a
    note for the result, once it has ended and the journal could not take that; else empty.
    """

    def __init__(self, number: str = "", *, again: bool = False) -> None:
        self.number = number
        self.again = again
        self.sentence = ""
        self.ok = True
        self.details: dict[str, Any] = {}
        self.unwritten: tuple[str, ...] = ()

    def ran(self, result: Result) -> Result:
        """Take the command that was run, for the journal."""
        self.details["command"] = list(result.command)
        self.details["status"] = result.status
        return result


class Gate:
    """Lets actions through, one at a time on this server."""

    def __init__(self, state: Path, journal: Journal, *, read_only: bool) -> None:
        self.read_only = read_only
        self._state = state
        self._journal = journal
        self._pending = Pending(state)
        self._going_on = GoingOn(state)
        self._thread: int | None = None

    def refuse_read_only(self, action: str) -> None:
        """Raise `Refused` where bmtop was started read-only."""
        if self.read_only:
            raise Refused(f"bmtop was started read-only, so it does not {action}; start it without --read-only.")

    @contextmanager
    def action(
        self,
        name: str,
        target: str,
        *,
        filter: Mapping[str, Any] | None = None,
        messages: Sequence[Message] = (),
        ids: Sequence[QueueId] = (),
        undo: str | None = None,
        wait: float | None = None,
    ) -> Iterator[Step]:
        """Lock, write the journal, do the block, write the journal again.

        `messages` are what it is about, to be known also after it was cut off; `ids`, where only those are known.
        `wait` is how many seconds to wait for another action to end, instead of a few.
        Raises `Refused` for read-only, where another action is running, or the journal cannot be written before;
        what it cannot take afterwards is a note of the step: the action is done.
        """
        self.refuse_read_only(name)
        with self.alone(wait):
            number = uuid.uuid4().hex[:12]
            cut_off = self._forget()
            if messages:
                self._pending.write(number, messages)
            told = {"filter": dict(filter or {}), "ids": [m.id for m in messages] or list(ids), "undo": undo}
            begun = self._journal.begin(number, name, target, **told)
            step = Step(number, again=any((e.action, e.target) == (name, target) for e in cut_off))
            try:
                yield step
            except BaseException as error:
                self._failed(begun, step, error)
                raise
            self._end(begun, "done" if step.ok else "failed", step.sentence, step)

    @contextmanager
    def resume(self, begun: Entry, how: str, state: Phase | None = None) -> Iterator[Step]:
        """Lock, do the block, and write the end of an action that was cut off: `how`, and the block's sentence.

        It stays unfinished where the block fails. Raises `Refused` as `action` does, and where it is not
        unfinished any more.
        """
        self.refuse_read_only(begun.action)
        with self.alone():
            if begun.number not in {entry.number for entry in self._unfinished()}:
                raise Refused("That action has been finished or taken back meanwhile; see the journal.")
            step = Step()
            yield step
            self._end(begun, state or ("done" if step.ok else "failed"), f"{how} {step.sentence}".strip(), step)

    def goes_on(self, step: Step) -> GoesOn:
        """Have what this action began told as cut off, should bmtop be killed before that is ended."""
        return self._going_on.begin(step.number)

    def _end(self, begun: Entry, state: Phase, sentence: str, step: Step) -> None:
        try:
            self._journal.end(begun, state, sentence, undo=begun.undo, **step.details)
        except Refused as error:
            step.unwritten = (str(error),)
        else:
            self._forget()

    def _failed(self, begun: Entry, step: Step, error: BaseException) -> None:
        known = isinstance(error, Refused | CommandFailed)
        sentence = str(error) if known else f"It was stopped ({type(error).__name__}). {step.sentence}".strip()
        # The error itself is what must be told, if the journal cannot be written either.
        self._end(begun, "failed", sentence, step)

    def _forget(self) -> tuple[Entry, ...]:
        """Forget what was kept of actions that have ended, and return those that have not."""
        unfinished = self._unfinished()
        numbers = {entry.number for entry in unfinished}
        self._pending.forget_all_but(numbers)
        self._going_on.forget_all_but(numbers)
        return unfinished

    def _unfinished(self) -> tuple[Entry, ...]:
        return self._journal.unfinished(self._going_on.left())

    def messages(self, begun: Entry) -> tuple[Message, ...]:
        """Return what an unfinished action is about. Raises `Refused` where that is not known."""
        return self._pending.read(begun.number)

    @contextmanager
    def alone(self, wait: float | None = None) -> Iterator[None]:
        """Hold the lock of actions: what is found out in the block is still so when an action in it begins.

        Raises `Refused` where another action is running.
        """
        if self._thread == threading.get_ident():
            yield
            return
        with self._locked(_WAIT if wait is None else wait):
            self._thread = threading.get_ident()
            try:
                yield
            finally:
                self._thread = None

    @contextmanager
    def _locked(self, wait: float) -> Iterator[None]:
        state_folder(self._state)
        path = self._state / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(
                f"{path} cannot be opened ({(error.strerror or 'no').lower()}); run `sudo bmtop`, or name another"
                " folder with --state."
            ) from None
        try:
            until = time.monotonic() + wait
            while not _lock(descriptor):
                if time.monotonic() >= until:
                    raise Refused("Another action is running on this server; see the journal, and try again after it.")
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def unfinished(self) -> tuple[Entry, ...]:
        """Return the actions that began and never ended, and are not running now, here or in another console.

        None while another one is running; only in a block of `alone` is none sure to be none. Raises `Refused`
        without the right to know.
        """
        if self._thread == threading.get_ident():
            return self._unfinished()
        try:
            descriptor = os.open(self._state / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except PermissionError:
            raise Refused(
                f"{self._state} cannot be looked into, so what was done is not known; run `sudo bmtop`."
            ) from None
        except OSError:
            return ()
        try:
            return self._unfinished() if _lock(descriptor) else ()
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
