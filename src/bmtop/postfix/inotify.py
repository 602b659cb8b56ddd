"""Being woken when something happens to one log, by inotify(7)."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyinotify

# It would write its complaints over the screen; they come as return values and exceptions as well.
logging.getLogger("pyinotify").handlers = [logging.NullHandler()]

_EVENTS = 1 << 15


class Watch:
    """inotify on the log's folder and file. `complete` says whether both can be had."""

    _FOLDER = pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
    _FILE = pyinotify.IN_MODIFY | pyinotify.IN_MOVE_SELF

    def __init__(self, path: Path, wake: Callable[[], None]) -> None:
        self.complete = False
        self._path = path
        self._wake = wake
        self._armed: asyncio.AbstractEventLoop | None = None
        self._manager: pyinotify.WatchManager | None = None
        try:
            self._manager = pyinotify.WatchManager()
            os.set_blocking(self._manager.get_fd(), False)
        except (OSError, pyinotify.PyinotifyError):
            # fs.inotify.max_user_instances
            return
        self.renew()

    def renew(self) -> None:
        """Watch the folder and the file that have these names now; the kernel knows what it watches already."""
        self.complete = self._add(self._path.parent, self._FOLDER) and self._add(self._path, self._FILE)

    def _add(self, path: Path, mask: int) -> bool:
        if self._manager is None:
            return False
        try:
            return all(number >= 0 for number in self._manager.add_watch(str(path), mask).values())
        except UnicodeError:
            # It takes no names that are not UTF-8.
            return False

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake at the next event. Until then the kernel folds like events into one."""
        if self._manager is not None and self._armed is None:
            self._armed = loop
            loop.add_reader(self._manager.get_fd(), self._ready)

    def _ready(self) -> None:
        self._disarm()
        self._wake()

    def _disarm(self) -> None:
        if self._armed is not None and self._manager is not None:
            self._armed.remove_reader(self._manager.get_fd())
            self._armed = None

    def drain(self) -> None:
        """Take the events that came, unread: what they tell is looked up anyway."""
        self._disarm()
        if self._manager is not None:
            with suppress(BlockingIOError):
                while os.read(self._manager.get_fd(), _EVENTS):
                    pass

    def close(self) -> None:
        self._disarm()
        if self._manager is not None:
            self._manager.close()
            self._manager = None
