"""Undo copies: each purged message's queue file, as a hard link in a folder of root's beside the queues.

A folder a purge, with `about.json` telling what it was. Where a link cannot be made (another file
system), the file is copied.
"""

import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Envelope, Message
from bmtop.response.journal import private_folder, whoami
from bmtop.response.plan import Plan, UndoCopy

_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}", re.ASCII)
_ABOUT = "about.json"


class NoRoom(Refused):
    """There is no room for the copies. Purging without them must be asked for."""


class Copies:
    """All undo copies of one Postfix. `keep` is in seconds, `most_bytes` bounds their sum."""

    def __init__(self, queue_directory: Path, keep: float, most_bytes: int) -> None:
        self.folder = queue_directory / "bmtop-undo"
        self._keep = keep
        self._most_bytes = most_bytes

    def path(self, undo: str) -> Path:
        """Return the folder of this copy; raises `Refused` where there is none of that name."""
        if not _NAME.fullmatch(undo) or not (self.folder / undo / _ABOUT).is_file():
            raise Refused(f"There is no undo copy {undo[:40]!a}; see `bmtop undo --list`.")
        return self.folder / undo

    def new_name(self) -> str:
        return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)

    def begin(self, undo: str, plan: Plan) -> Path:
        """Make the folder for a plan's copies. Raises `NoRoom` on a full disk, `Refused` where it may not."""
        try:
            private_folder(self.folder)
            folder = self.folder / undo
            folder.mkdir(mode=0o700)
            about = {
                "made": time.time(),
                "who": whoami(),
                "filter": plan.filter.as_dict(),
                "messages": [_as_list(m) for m in plan.messages],
            }
            self._write(folder / _ABOUT, json.dumps(about).encode("ascii"))
        except OSError as error:
            raise _no_copy(error) from None
        return folder

    def _write(self, path: Path, data: bytes) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def about(self, undo: str) -> dict[str, Any]:
        """Return what `begin` wrote; raises `Refused` where it cannot be read."""
        try:
            found: dict[str, Any] = json.loads((self.path(undo) / _ABOUT).read_bytes())
        except (OSError, ValueError):
            raise Refused(f"The undo copy {undo} cannot be read; its files are in {self.folder / undo}.") from None
        return found

    def messages(self, undo: str) -> tuple[Message, ...]:
        """Return the messages that the purge was to delete."""
        return tuple(_as_message(values) for values in self.about(undo)["messages"])

    def files(self, undo: str) -> Iterator[tuple[QueueId, Path]]:
        """Yield the queue id and file of each message in the copy."""
        for entry in os.scandir(self.path(undo)):
            if entry.name != _ABOUT:
                yield QueueId(entry.name), Path(entry.path)

    def listed(self) -> tuple[UndoCopy, ...]:
        """Return the copies that there are, newest first."""
        try:
            names = sorted((name for name in os.listdir(self.folder) if _NAME.fullmatch(name)), reverse=True)
        except OSError:
            return ()
        found = []
        for name in names:
            try:
                about = self.about(name)
            except Refused:
                continue
            sizes = [path.stat().st_size for _, path in self.files(name)]
            made = float(about["made"])
            found.append(UndoCopy(name, made, made + self._keep, len(sizes), sum(sizes), about["filter"], about["who"]))
        return tuple(found)

    def drop(self, undo: str) -> None:
        """Delete a copy for good."""
        shutil.rmtree(self.path(undo))

    def tidy(self) -> tuple[str, ...]:
        """Drop what is too old, and the oldest while all are too large; return what was dropped, in words."""
        said = []
        kept = list(self.listed())
        while kept and (kept[-1].until < time.time() or sum(copy.bytes for copy in kept) > self._most_bytes):
            oldest = kept.pop()
            self.drop(oldest.undo)
            said.append(f"The undo copy {oldest.undo} ({oldest.messages:,} messages) was dropped: too old, or no room.")
        return tuple(said)


def keep(path: str, folder: str, id: QueueId) -> str:
    """Link the queue file at `path` into `folder`, or copy it; return the copy's path.

    Raises `FileNotFoundError` where the file is gone, `NoRoom` on a full disk, `Refused` without the right to.
    """
    copy = f"{folder}/{id}"
    try:
        os.link(path, copy, follow_symlinks=False)
    except FileExistsError:
        raise Refused(f"There is a file {copy} already; look at it, and move it away.") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise _no_copy(error) from None
        _copy(path, copy)
    return copy


def _copy(path: str, copy: str) -> None:
    try:
        shutil.copy2(path, copy, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _no_copy(error) from None


def _no_copy(error: OSError) -> Refused:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom("There is no room for the undo copy; make room, or purge without one (--without-undo).")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refused("bmtop may not write beside the queue, so there could be no undo copy; run it as root.")
    return Refused(f"The undo copy cannot be made ({(error.strerror or 'no').lower()}); nothing was deleted.")


def same_file(one: Path, other: str) -> bool:
    """Tell whether both names are one file."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _as_list(m: Message) -> list[Any]:
    return [
        m.id,
        m.queue,
        m.arrival,
        m.size,
        m.sender,
        m.envelope and m.envelope.login,
        m.envelope and m.envelope.client,
    ]


def _as_message(values: list[Any]) -> Message:
    id, queue, arrival, size, sender, login, client = values
    return Message(
        QueueId(id),
        str(queue),
        int(arrival),
        int(size),
        str(sender),
        (),
        envelope=Envelope(login=login, client=client, sender=str(sender)),
    )
