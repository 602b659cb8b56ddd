"""Undo: what a purge deleted comes back, on hold, byte for byte."""

import os
import re
import shutil
import time
from contextlib import AbstractContextManager, suppress

from bmtop.checked import QueueId, Refused
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queuefile import read_head
from bmtop.response.copies import Copies, Kept, Shelf, same_file
from bmtop.response.gate import Step
from bmtop.response.messages import locate, postsuper
from bmtop.response.plan import Progress, Restored

_REPORT_EVERY = 500
_PATIENCE = 60.0


def undo(
    postfix: Postfix, copies: Copies, name: str, progress: Progress, action: AbstractContextManager[Step]
) -> Restored:
    """Put every message of the undo copy `name` back into the hold queue, within `action`.

    The same file under the same id where the copy is a link; else under the id that fits its new inode, as
    postsuper(1) would name it. What cannot be put back stays in the copy. Raises `Refused` or `CommandFailed`.
    """
    with action as step:
        _wait_for_postsuper(postfix, progress)
        run = _Undo(postfix, copies.shelf(name))
        run.restore(progress, step)
        if run.failed:
            copies.settle(name)
        else:
            copies.drop(name)
        restored = tuple(run.restored.values())
        step.ok = not run.failed
        step.sentence = f"{len(restored):,} of {len(restored) + len(run.failed):,} messages are back, on hold."
    renamed = {old: new for old, new in run.restored.items() if old != new}
    return Restored(name, restored, renamed, run.failed, step.unwritten)


def _wait_for_postsuper(postfix: Postfix, progress: Progress) -> None:
    """Wait until no postsuper(1) runs: that of a purge that was cut off goes on deleting without it."""
    until = time.monotonic() + _PATIENCE
    while postfix.runs("postsuper"):
        progress(0, 0, "waiting for postsuper")
        if time.monotonic() > until:
            raise Refused("postsuper is still running on this server, so nothing was brought back; try again after it.")
        time.sleep(0.05)


class _Undo:
    """One undo under way: the id that each message is back under, and why others are not."""

    def __init__(self, postfix: Postfix, shelf: Shelf) -> None:
        self.restored: dict[QueueId, QueueId] = {}
        self.failed: dict[QueueId, str] = {}
        self._postfix = postfix
        self._shelf = shelf
        self._hold = f"{postfix.queue_directory}/hold"
        self._where: dict[QueueId, str] = {}
        self._done: list[str] = []
        self._never_deleted: list[QueueId] = []

    def restore(self, progress: Progress, step: Step) -> None:
        """Bring back what can be; only then let go of the copies."""
        waiting = list(self._shelf.kept())
        ids = {id for kept in waiting for id in (kept.id, kept.restored) if id is not None}
        self._where = locate(self._postfix.queue_directory, ids)
        for number, kept in enumerate(waiting):
            if number % _REPORT_EVERY == 0:
                progress(number, len(waiting), "restoring")
            try:
                self.restored[kept.id] = self._bring_back(kept)
            except (OSError, Refused) as error:
                self.failed[kept.id] = str(error) if isinstance(error, Refused) else (error.strerror or "no").lower()
        if not self._shelf.linked:
            os.sync()
        for copy in self._done:
            os.unlink(copy)
        if self._never_deleted:
            step.ran(postsuper(self._postfix, "-h", self._never_deleted))
        if self._is_hashed():
            step.ran(self._postfix.run("postsuper", "-s", "hold", timeout=120)).check(
                "The messages are in the hold queue; run `postsuper -s`."
            )

    def _bring_back(self, kept: Kept) -> QueueId:
        """Bring one message back, if it is not in the queue already; return its id."""
        id, copy, before = kept
        if before is not None and before in self._where:
            self._done.append(copy)
            return before
        there = self._where.get(id)
        if there is not None and (
            same_file(copy, there) if self._shelf.linked else read_head(copy) == read_head(there)
        ):
            self._never_deleted.append(id)
            self._done.append(copy)
            return id
        if not self._shelf.linked:
            return self._copy_back(id, copy)
        if there is not None:
            raise Refused("its id is another message's now, so its copy was kept")
        # A link, not a rename: it never replaces a file that is there.
        os.link(copy, f"{self._hold}/{id}", follow_symlinks=False)
        self._done.append(copy)
        return id

    def _copy_back(self, id: QueueId, copy: str) -> QueueId:
        """Make a new queue file of a copy; return the id that fits its inode."""
        owner = os.stat(self._hold)
        draft = f"{self._hold}/bmtop.draft"
        with suppress(FileNotFoundError):
            os.unlink(draft)
        shutil.copyfile(copy, draft)
        os.chown(draft, owner.st_uid, owner.st_gid)
        # Postfix takes up a file only once it is executable.
        os.chmod(draft, 0o700)
        new = fitting(id, os.stat(draft).st_ino)
        # Under this name, the copy says that it was restored, should this be cut off.
        marked = f"{self._shelf.folder}/{id}.{new}"
        os.rename(copy, marked)
        os.link(draft, f"{self._hold}/{new}", follow_symlinks=False)
        os.unlink(draft)
        self._done.append(marked)
        return new

    def _is_hashed(self) -> bool:
        """Tell whether the hold queue has subfolders (postconf(5), hash_queue_names): postsuper knows in which one."""
        names = self._postfix.settings("hash_queue_names").get("hash_queue_names", "")
        return "hold" in re.split(r"[,\s]+", names)


def fitting(id: QueueId, inode: int) -> QueueId:
    """Return a queue id for a file with this inode number, else as `id` has it (postfix/src/global/mail_queue.h)."""
    microseconds, z, _ = id.rpartition("z")
    return QueueId(f"{microseconds}z{_base51(inode)}" if z else f"{id[:5]}{inode:X}")


def _base51(number: int) -> str:
    """Return a number as long queue ids write it (postfix/src/global/safe_ultostr.c)."""
    digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"
    text = ""
    while number:
        number, digit = divmod(number, len(digits))
        text = digits[digit] + text
    return text or "0"
