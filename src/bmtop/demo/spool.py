"""The toy's queue folder, laid out as Postfix's: one folder a queue, deferred and defer hashed by one digit.

A queue id is that of postfix/src/global/mail_queue.h in its short form: five hex digits of microseconds, then
the file's inode number in hex.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

MESSAGE_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
QUEUES = (*MESSAGE_QUEUES, "corrupt", "defer", "bounce", "flush", "trace")
_HASHED = frozenset({"deferred", "defer"})
_ID = re.compile(r"[0-9A-Za-z_]{1,255}", re.ASCII)
READY = 0o700


class Reason(NamedTuple):
    """Why one recipient of a message was deferred: a record of a file in the queue `defer` (bounce(5), defer(8))."""

    recipient: str
    offset: int
    dsn: str
    text: str
    mta: str | None = None
    answer: str | None = None


def is_id(text: str) -> bool:
    """Tell whether Postfix would take `text` for the name of a queue file."""
    return _ID.fullmatch(text) is not None


class Spool:
    """The queues below `folder`. With `steady_ids`, ids end in a counter instead of the inode number, so that a
    story played again has the same ids; `postsuper -s` would rename all of them.
    """

    def __init__(self, folder: Path, *, steady_ids: bool = False) -> None:
        self.folder = str(folder)
        self._next = 0x20C000 if steady_ids else None

    def make(self) -> None:
        """Make the folders of all queues."""
        for queue in QUEUES:
            os.makedirs(f"{self.folder}/{queue}", mode=0o700, exist_ok=True)

    def place(self, queue: str, id: str) -> str:
        """Return where the file of this message is, were it in `queue`."""
        return f"{self.folder}/{self.name(queue, id)}"

    def name(self, queue: str, id: str) -> str:
        """Return the same, relative to the queue folder, as Postfix's programs name it."""
        return f"{queue}/{id[0]}/{id}" if queue in _HASHED else f"{queue}/{id}"

    def enter(self, microseconds: int, build: Callable[[str], bytes]) -> str:
        """Make a new file in `incoming` of what `build` returns for its id; return that id."""
        unnamed = f"{self.folder}/incoming/{microseconds}.{os.getpid()}"
        descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            inode = os.fstat(descriptor).st_ino
            if self._next is not None:
                self._next += 1
                inode = self._next
            id = f"{microseconds:05X}{inode:X}"
            os.write(descriptor, build(id))
            os.fchmod(descriptor, READY)
        finally:
            os.close(descriptor)
        os.rename(unnamed, self.place("incoming", id))
        return id

    def move(self, id: str, old: str, new: str) -> bool:
        """Move a message to another queue; False where it was not in the old one."""
        source, target = self.place(old, id), self.place(new, id)
        for _ in range(2):
            try:
                os.rename(source, target)
                return True
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        return False

    def load(self, queue: str, id: str) -> bytes | None:
        """Return the file of a message; None where it is not in `queue`."""
        try:
            with open(self.place(queue, id), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def status(self, queue: str, id: str) -> os.stat_result | None:
        """Return the file's status where it is a finished queue file, else None."""
        try:
            found = os.lstat(self.place(queue, id))
        except FileNotFoundError:
            return None
        return found if found.st_mode & 0o170700 == 0o100000 | READY else None

    def names(self, queue: str) -> Iterator[tuple[str, str]]:
        """Yield name and path of each file in a queue, hashed or not."""
        yield from _names(f"{self.folder}/{queue}")

    def remove(self, queue: str, id: str) -> bool:
        """Remove a message and its defer log; False where it was not in `queue`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.place("defer", id))
        try:
            os.unlink(self.place(queue, id))
        except FileNotFoundError:
            return False
        return True

    def defer(self, id: str, reasons: list[Reason]) -> None:
        """Write why recipients of a message were deferred, in place of what was known before."""
        path = self.place("defer", id)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        written = "".join(_entry(reason) for reason in reasons)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(written)

    def reasons(self, id: str) -> list[tuple[str, str]]:
        """Return recipient and reason of each entry of a message's defer log."""
        try:
            with open(self.place("defer", id), encoding="utf-8", errors="surrogateescape") as file:
                entries = file.read().split("\n\n")
        except FileNotFoundError:
            return []
        found = []
        for entry in entries:
            values = dict(line.split("=", 1) for line in entry.split("\n") if line[:1].isalnum() and "=" in line)
            if values:
                found.append((values["recipient"], values["reason"]))
        return found


def _names(folder: str) -> Iterator[tuple[str, str]]:
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in entries:
        if len(name) == 1:
            yield from _names(f"{folder}/{name}")
        else:
            yield name, f"{folder}/{name}"


def _entry(reason: Reason) -> str:
    lines = [
        f"<{reason.recipient}>: {reason.text}",
        f"recipient={reason.recipient}",
        f"offset={reason.offset}",
        f"dsn_orig_rcpt=rfc822;{reason.recipient}",
        f"status={reason.dsn}",
        "action=delayed",
    ]
    if reason.answer is not None:
        lines += ["diag_type=smtp", f"diag_text={reason.answer}", "mta_type=dns", f"mta_mname={reason.mta}"]
    return "\n" + "\n".join([*lines, f"reason={reason.text}"]) + "\n\n"
