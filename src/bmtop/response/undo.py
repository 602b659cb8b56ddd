"""Undo: what a purge deleted comes back, on hold, byte for byte."""

import os
import shutil
from pathlib import Path

from bmtop.checked import QueueId, Refused
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import files
from bmtop.response.copies import Copies, same_file
from bmtop.response.gate import Gate
from bmtop.response.messages import locate, postsuper
from bmtop.response.plan import Progress, Restored

_REPORT_EVERY = 500


def undo(postfix: Postfix, gate: Gate, copies: Copies, name: str, progress: Progress) -> Restored:
    """Put every message of the undo copy `name` back into the hold queue.

    The same file under the same id where the copy is a link; else Postfix gives it the id that fits its
    new inode (postsuper(1), -s). What cannot be put back stays in the copy. Raises `Refused` or `CommandFailed`.
    """
    gate.refuse_read_only("undo")
    waiting = dict(copies.files(name))
    queue = postfix.queue_directory
    with gate.action("undo", name, ids=tuple(waiting), undo=name) as step:
        where = locate(queue, waiting)
        restored: list[QueueId] = []
        copied: dict[QueueId, int] = {}
        failed: dict[QueueId, str] = {}
        present: list[QueueId] = []
        for number, (id, copy) in enumerate(waiting.items()):
            if number % _REPORT_EVERY == 0:
                progress(number, len(waiting), "restoring")
            try:
                if id in where:
                    _let_go(copy, where[id])
                    present.append(id)
                elif (inode := _put_back(copy, queue / "hold" / id)) is not None:
                    copied[id] = inode
                restored.append(id)
            except (OSError, Refused) as error:
                failed[id] = str(error) if isinstance(error, Refused) else (error.strerror or "no").lower()
        renamed = _fit_names(postfix, copied) if copied else {}
        if present:
            step.ran(postsuper(postfix, "-h", present))
        if not failed:
            copies.drop(name)
        step.ok = not failed
        step.sentence = f"{len(restored):,} of {len(waiting):,} messages are back, on hold."
        ids = tuple(renamed.get(id, id) for id in restored)
        return Restored(name, ids, renamed, failed)


def _let_go(copy: Path, path: str) -> None:
    """Drop the second link of a message that was never deleted, so that Postfix takes it up again."""
    if not same_file(copy, path):
        raise Refused("its id is another message's now; the copy is kept")
    os.unlink(copy)


def _put_back(copy: Path, place: Path) -> int | None:
    """Move the copy into the hold queue; return the new inode where it had to be copied, else None."""
    if os.stat(copy).st_dev == os.stat(place.parent).st_dev and _is_own_inode(copy):
        # A link, not a rename: it never replaces a file that is there.
        os.link(copy, place, follow_symlinks=False)
        os.unlink(copy)
        return None
    # Postfix takes up a file only once it is whole and executable, so it is named last.
    owner = os.stat(place.parent)
    draft = place.with_name(f"{place.name}.bmtop")
    shutil.copyfile(copy, draft)
    os.chown(draft, owner.st_uid, owner.st_gid)
    os.chmod(draft, 0o700)
    os.link(draft, place, follow_symlinks=False)
    os.unlink(draft)
    os.unlink(copy)
    return os.stat(place).st_ino


def _is_own_inode(copy: Path) -> bool:
    """Tell whether the queue id fits the file's inode, as that of a link to the queue file does."""
    name, inode = copy.name, os.stat(copy).st_ino
    if "z" in name:
        return name.rpartition("z")[2] == _base51(inode)
    return name[5:] == f"{inode:X}"


def _base51(number: int) -> str:
    """Return a number as long queue ids write it (postfix/src/global/safe_ultostr.c)."""
    digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"
    text = ""
    while number:
        number, digit = divmod(number, len(digits))
        text = digits[digit] + text
    return text or "0"


def _fit_names(postfix: Postfix, copied: dict[QueueId, int]) -> dict[QueueId, QueueId]:
    """Let postsuper rename copies after their new inodes; return the new id of each."""
    postfix.run("postsuper", "-s", "hold", timeout=120).check("The messages are in the hold queue; run `postsuper -s`.")
    by_inode = {
        os.lstat(path).st_ino: QueueId(name) for name, path in files(postfix.queue_directory) if "/hold/" in path
    }
    return {old: by_inode[inode] for old, inode in copied.items() if inode in by_inode}
