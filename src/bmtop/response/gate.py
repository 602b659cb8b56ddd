"""The gate that every action goes through: read-only is refused here, one action runs at a time, and the
journal knows of it before and after."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bmtop.checked import Refused
from bmtop.response.journal import Entry, Journal, private_folder
from bmtop.server import CommandFailed, Result

_WAIT = 10.0


class Step:
    """An action under way: what it ran, and the sentence that the journal will end with."""

    def __init__(self) -> None:
        self.sentence = ""
        self.ok = True
        self.details: dict[str, Any] = {}

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
        ids: Sequence[str] = (),
        undo: str | None = None,
    ) -> Iterator[Step]:
        """Lock, write the journal, do the block, write the journal again.

        Raises `Refused` for read-only, where another action is running, or the journal cannot be written.
        """
        self.refuse_read_only(name)
        with self._locked():
            begun = self._journal.begin(name, target, filter=dict(filter or {}), ids=list(ids), undo=undo)
            step = Step()
            try:
                yield step
            except BaseException as error:
                self._failed(begun, step, error)
                raise
            self._journal.end(begun, "done" if step.ok else "failed", step.sentence, undo=undo, **step.details)

    def _failed(self, begun: Entry, step: Step, error: BaseException) -> None:
        known = isinstance(error, Refused | CommandFailed)
        sentence = str(error) if known else f"It was cut off ({type(error).__name__})."
        # The error itself is what must be told, if the journal cannot be written either.
        with suppress(Refused):
            self._journal.end(begun, "failed", sentence, undo=begun.undo, **step.details)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_folder(self._state)
        descriptor = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + _WAIT
            while not _lock(descriptor):
                if time.monotonic() > until:
                    raise Refused("Another action is running on this server; see the journal, and try again after it.")
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def busy(self) -> bool:
        """Tell whether an action is running on this server, here or in another console."""
        try:
            descriptor = os.open(self._state / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
