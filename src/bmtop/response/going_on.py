"""What goes on after its action has ended, such as keep holding: a file each, locked for as long as this bmtop lives.

A file whose lock is free was left by one that was killed: what it did is done by nobody any more.
"""

import fcntl
import os
from collections.abc import Collection
from pathlib import Path

from bmtop.checked import Refused
from bmtop.response.journal import state_folder


class GoesOn:
    """One that does go on, until `end`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def end(self) -> None:
        """Let go of it: it has ended as it should."""
        try:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


class GoingOn:
    """A file each in the state folder, under the action's number in the journal. Held by the lock of actions."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "going-on"

    def begin(self, number: str) -> GoesOn:
        """Write down that it goes on from now. Raises `Refused` where that cannot be."""
        state_folder(self._folder)
        path = self._folder / number
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise Refused(
                f"{path} cannot be written ({(error.strerror or 'no').lower()}), and nothing goes on without it;"
                " make room, or name another folder with --state."
            ) from None
        return GoesOn(path, descriptor)

    def left(self) -> frozenset[str]:
        """Return the numbers of those that were killed."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return frozenset()
        return frozenset(name for name in names if _is_free(self._folder / name))

    def forget_all_but(self, numbers: Collection[str]) -> None:
        """Forget those that were killed, but these."""
        for name in self.left() - set(numbers):
            (self._folder / name).unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
