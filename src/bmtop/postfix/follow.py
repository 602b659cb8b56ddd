"""Following the log as it grows, with inotify(7) in the event loop: rotated, truncated, late, or not there yet.

The folder is watched for a new file of the log's name, the file for writes; both are looked at every
few seconds besides, since events get lost (queue overflow, NFS).
"""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pyinotify

from bmtop.postfix.history import offset_of
from bmtop.postfix.logtime import LogClock

# It would write its complaints over the screen; they come as return values and exceptions as well.
logging.getLogger("pyinotify").handlers = [logging.NullHandler()]

_SLICE = 1 << 16
_LONGEST_LINE = 1 << 20
_POLL = 2.0
# Bursts of writes are taken together.
_PAUSE = 0.1
# As long as a syslog daemon may go on writing to a file that was renamed.
_OLD_KEPT = 120.0
_TAIL = 64


class _Open:
    """A log file that is open: where we are in it, and the line that is not whole yet."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self.descriptor = descriptor
        self.offset = offset
        self.rest = b""
        self.tail = b""
        status = os.fstat(descriptor)
        self.identity = (status.st_dev, status.st_ino)
        if offset:
            self._remember(os.pread(descriptor, min(_TAIL, offset), max(0, offset - _TAIL)))

    def _remember(self, read: bytes) -> None:
        self.tail = (self.tail + read)[-_TAIL:]

    def truncated(self) -> bool:
        """Tell whether the file was cut and begun anew (logrotate's copytruncate)."""
        if os.fstat(self.descriptor).st_size < self.offset:
            return True
        return os.pread(self.descriptor, len(self.tail), self.offset - len(self.tail)) != self.tail

    def again(self) -> None:
        """Go back to the file's start."""
        self.offset, self.rest, self.tail = 0, b"", b""

    def read(self) -> bytes | None:
        """Return the next whole lines, `b""` for a line still growing; None at the end."""
        read = os.pread(self.descriptor, _SLICE, self.offset)
        if not read:
            return None
        self.offset += len(read)
        self._remember(read)
        cut = read.rfind(b"\n") + 1
        if not cut:
            self.rest = (self.rest + read)[-_LONGEST_LINE:]
            return b""
        lines, self.rest = self.rest + read[:cut], read[cut:]
        return lines

    def close(self) -> bytes:
        """Close it; return what never got its line's end."""
        os.close(self.descriptor)
        return self.rest


class LogFollower:
    """Follows one log by its name. `problem` is a sentence while it cannot be read, else empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._now: _Open | None = None
        self._old: _Open | None = None
        self._old_until = 0.0
        self._wake = asyncio.Event()
        self._watch = _Watch(path, self._wake.set)

    def start(self, since: float | None, clock: LogClock) -> None:
        """Open the log where the time `since` begins, or at its end for None; a missing log is waited for."""
        self._open(first=True)
        if self._now is None:
            return
        if since is None:
            offset = os.fstat(self._now.descriptor).st_size
        else:
            with os.fdopen(os.dup(self._now.descriptor), "rb") as file:
                offset = offset_of(file, since, clock)
        self._now = _Open(self._now.descriptor, offset)

    @property
    def behind(self) -> int:
        """How many bytes of the log are still to be read."""
        if self._now is None:
            return 0
        return max(0, os.fstat(self._now.descriptor).st_size - self._now.offset)

    def _open(self, first: bool = False) -> None:
        """Open the file that has the log's name now, unless it is the one that is open."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            self.problem = f"There is no log {self.path} yet; bmtop waits for it. Name another with --log."
            return
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            self.problem = f"The log {self.path} cannot be read ({reason}); run bmtop as root, or as a member of adm."
            return
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            self.problem = f"{self.path} is no file, so it is not read as a log; name another with --log."
            return
        self.problem = ""
        if self._now is not None and self._now.identity == (status.st_dev, status.st_ino):
            os.close(descriptor)
            return
        if self._now is not None:
            if self._old is not None:
                self._old.close()
            self._old, self._old_until = self._now, asyncio.get_running_loop().time() + _OLD_KEPT
        self._now = _Open(descriptor, 0)
        self._watch.file()

    async def blocks(self) -> AsyncIterator[bytes]:
        """Yield whole lines as they come, in slices; an empty block says that all was read for now."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                self._watch.read()
                # The old file to its end first: its lines are the older ones.
                for file in (self._old, self._now):
                    if file is None:
                        continue
                    if file.truncated():
                        file.again()
                    while (lines := file.read()) is not None:
                        if lines:
                            yield lines
                        await asyncio.sleep(0)
                if self._old is not None and loop.time() > self._old_until:
                    rest, self._old = self._old.close(), None
                    if rest:
                        yield rest + b"\n"
                before = self._now
                self._open()
                if self._now is not before:
                    continue
                yield b""
                await asyncio.sleep(_PAUSE)
                self._watch.arm(loop)
                try:
                    await asyncio.wait_for(self._wake.wait(), _POLL)
                except asyncio.TimeoutError:
                    continue
        finally:
            self.close()

    def close(self) -> None:
        self._watch.close()
        for file in (self._old, self._now):
            if file is not None:
                file.close()
        self._old = self._now = None


class _Watch:
    """inotify on the log's folder and file. Where it cannot be had, the poll alone follows the log."""

    _FOLDER = pyinotify.IN_CREATE | pyinotify.IN_MOVED_TO
    _FILE = pyinotify.IN_MODIFY | pyinotify.IN_MOVE_SELF

    def __init__(self, path: Path, wake: Callable[[], None]) -> None:
        self._path = path
        self._wake = wake
        self._armed: asyncio.AbstractEventLoop | None = None
        try:
            self._manager = pyinotify.WatchManager()
            self._notifier = pyinotify.Notifier(self._manager, default_proc_fun=lambda event: None, timeout=0)
            self._manager.add_watch(str(path.parent), self._FOLDER)
        except (OSError, pyinotify.WatchManagerError):
            self._manager = None

    def file(self) -> None:
        """Watch the file that has the log's name now; the one before is still watched until it goes."""
        if self._manager is not None:
            self._manager.add_watch(str(self._path), self._FILE)

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

    def read(self) -> None:
        """Take the events that came; they say only that it is time to look."""
        self._disarm()
        if self._manager is not None and self._notifier.check_events(timeout=0):
            self._notifier.read_events()
            self._notifier.process_events()

    def close(self) -> None:
        self._disarm()
        if self._manager is not None:
            self._notifier.stop()
            self._manager = None
