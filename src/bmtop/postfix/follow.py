"""Following the log as it grows, with inotify(7) in the event loop: rotated, cut, late, or not there yet.

Events only say that it is time to look; what there is to read is known from the files themselves. So nothing is
lost where events are: the queue overflowed, inotify is used up, or the log lies on a network file system.
"""

import asyncio
import grp
import os
import stat
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

from bmtop.postfix.history import Identity, WholeLines, identity, offset_of, rotated
from bmtop.postfix.logtime import LogClock

_SLICE = 1 << 15
# After the first reading back, everything else has its turn for so many seconds between two slices: what a key
# leads to are many short steps, and none of them is to wait for a slice.
_BREATH = 0.003
# Unless so many bytes are waiting: a log that grows faster than that leaves no time for breath.
_BEHIND = 1 << 20
# How often it is looked without an event, in seconds; and where there can be no events.
_POLL = 2.0
_POLL_ALONE = 0.5
# Bursts of writes are taken together.
_PAUSE = 0.1
# A syslog daemon may go on writing to a renamed file. It is left once it was quiet for so long.
_OLD_KEPT = 120.0
# By so much of what was read last, a log that was cut and written anew is known.
_TAIL = 1024


class _Open:
    """A log file that is open: where we are in it, and the line that is not whole yet."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.file = open(path, "rb", buffering=0)  # noqa: SIM115
        self.identity = identity(os.fstat(self.file.fileno()))
        # File systems date with a coarser clock.
        self.opened = time.time() - 1.0
        self.last_read = time.monotonic()
        self.go_to(offset)

    def go_to(self, offset: int) -> None:
        """Go on at this offset, where a line begins."""
        self.offset = offset
        self.lines = WholeLines()
        self.tail = self._before(offset)

    @property
    def written(self) -> float:
        """When it was last written to, in epoch seconds."""
        return os.fstat(self.file.fileno()).st_mtime

    def _before(self, offset: int) -> bytes:
        size = min(_TAIL, offset)
        return os.pread(self.file.fileno(), size, offset - size)

    def cut(self) -> bool:
        """Tell whether what we have read is no longer there (logrotate's copytruncate)."""
        return self._before(self.offset) != self.tail

    def read(self) -> bytes | None:
        """Return the next whole lines, `b""` for a line still growing; None at the end."""
        read = os.pread(self.file.fileno(), _SLICE, self.offset)
        if not read:
            return None
        self.offset += len(read)
        self.tail = (self.tail + read)[-_TAIL:]
        self.last_read = time.monotonic()
        return self.lines.add(read)


def unreadable(log: Path, error: OSError) -> str:
    """Return the sentence for a log that cannot be read, with the command that would allow it."""
    reason = (error.strerror or "unreadable").lower()
    if not isinstance(error, PermissionError):
        return f"The log {log} cannot be read ({reason}); name another with --log."
    member = ""
    with suppress(OSError, KeyError):
        status = log.stat()
        if status.st_gid and status.st_mode & stat.S_IRGRP:
            group = grp.getgrgid(status.st_gid).gr_name
            member = f", or become a member of {group}: `sudo usermod -aG {group} $USER`, and log in again"
    return f"The log {log} cannot be read ({reason}); run `sudo bmtop`{member}."


class LogFollower:
    """Follows one log by its name. `problem` is a sentence while it cannot be read, else empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._now: _Open | None = None
        self._old: list[_Open] = []
        self._wake = asyncio.Event()
        # It loads inotify's library, for which neither the first screen nor a report is to wait.
        from bmtop.postfix.inotify import Watch

        self._watch = Watch(path, self._wake.set)

    def start(self, since: float | None, clock: LogClock) -> None:
        """Open the log where the time `since` begins, or at its end for None; a missing log is waited for.

        Blocks: it may have to search in a large file.
        """
        self._look()
        if self._now is None:
            return
        if since is None:
            self._now.go_to(os.fstat(self._now.file.fileno()).st_size)
            return
        # What was renamed a moment ago may still be written to.
        self._old = self._rotated_since(time.time() - _OLD_KEPT)
        for file in self._files():
            with open(file.file.fileno(), "rb", closefd=False) as seekable:
                file.go_to(offset_of(seekable, since, clock))

    @property
    def identities(self) -> frozenset[Identity]:
        """The files that are being read."""
        return frozenset(file.identity for file in self._files())

    @property
    def position(self) -> tuple[Identity, int] | None:
        """Which file is the log, and at which offset the line begins that is to be read next."""
        return None if self._now is None else (self._now.identity, self._now.offset - self._now.lines.waiting)

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield whole lines as they come, in slices; an empty block says that all was read for now."""
        live = False
        try:
            while True:
                self._wake.clear()
                self._watch.drain()
                while (lines := self._next()) is not None:
                    if lines:
                        yield lines
                    await asyncio.sleep(_BREATH if live and not self._is_behind else 0)
                if not self._look():
                    self._leave_old()
                    yield b""
                    live = True
                    await self._wait()
        finally:
            self.close()

    @property
    def _is_behind(self) -> bool:
        now = self._now
        return now is not None and os.fstat(now.file.fileno()).st_size - now.offset > _BEHIND

    async def _wait(self) -> None:
        await asyncio.sleep(_PAUSE)
        self._watch.arm(asyncio.get_running_loop())
        try:
            await asyncio.wait_for(self._wake.wait(), _POLL if self._watch.complete else _POLL_ALONE)
        except asyncio.TimeoutError:
            self._watch.renew()

    def _files(self) -> list[_Open]:
        """Return what is open, the oldest first: its lines are the older ones."""
        return [*self._old, *([self._now] if self._now else [])]

    def _next(self) -> bytes | None:
        """Return the next whole lines of any file, `b""` where none is whole yet; None where all was read."""
        for file in self._files():
            try:
                if file.cut():
                    copies = self._copies_of(file)
                    file.go_to(0)
                    self._old += copies
                    file = copies[0] if copies else file
                lines = file.read()
            except OSError:
                # It may be there again at the next look: a network file system.
                continue
            if lines is not None:
                return lines
        return None

    def _look(self) -> bool:
        """Open the file that has the log's name now; return whether it is another one than before."""
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                self.problem = f"{self.path} is no file, so it is not read as a log; name another with --log."
                return False
            known = next((file for file in self._files() if file.identity == identity(status)), None)
            opened = known or _Open(self.path)
        except FileNotFoundError:
            self.problem = (
                f"There is no log {self.path} yet; bmtop waits for it. If Postfix logs to the journal only,"
                " install rsyslog; if its log is elsewhere, name it with --log."
            )
            return False
        except OSError as error:
            self.problem = unreadable(self.path, error)
            return False
        self.problem = ""
        if opened is self._now:
            return False
        before, self._now = self._now, opened
        if before is not None:
            # Where it was rotated twice in a moment, the one in between never had its name when we looked.
            between = self._rotated_since(before.opened, before.identity)
            self._old = [file for file in (*self._old, before, *between) if file is not opened]
        self._watch.renew()
        return True

    def _rotated_since(self, moment: float, last: Identity | None = None) -> list[_Open]:
        """Open the rotated files that were written to since `moment`, oldest first, back to the one that is `last`."""
        found: list[_Open] = []
        known = {last, *self.identities}
        for path in rotated(self.path):
            if path.suffix == ".gz":
                break
            try:
                # What has this name may be another file a moment later: only what is open can be judged.
                file = _Open(path)
            except OSError:
                break
            is_new = file.identity not in known
            if is_new and file.written >= moment:
                known.add(file.identity)
                found.insert(0, file)
                continue
            file.file.close()
            if is_new or file.identity == last:
                break
        return found

    def _copies_of(self, file: _Open) -> list[_Open]:
        """Open the copy that was made of a log before it was cut, where we are in it, and those made since then."""
        found: list[_Open] = []
        for path in rotated(self.path):
            try:
                copy = _Open(path, file.offset)
            except OSError:
                break
            if copy.identity in self.identities:
                break
            found.insert(0, copy)
            if copy.tail == file.tail:
                copy.lines = file.lines
                return found
            copy.go_to(0)
        return []

    def _leave_old(self) -> None:
        """Close the renamed files to which nobody has written for a while."""
        limit = time.monotonic() - _OLD_KEPT
        for file in [file for file in self._old if file.last_read < limit]:
            self._old.remove(file)
            file.file.close()

    def close(self) -> None:
        """Close all that is open; following it ends."""
        self._watch.close()
        for file in self._files():
            file.file.close()
        self._old, self._now = [], None
