"""Undo copies: each purged message's queue file, as a hard link in a folder of root's beside the queues.

A folder a purge, with `about.json` telling what it was. Where no link can be made (another file system), the
file is copied.
"""

import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bmtop.checked import QueueId, Refused
from bmtop.response.journal import private_folder, sync_folder, whoami
from bmtop.response.plan import Plan, UndoCopy

_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}", re.ASCII)
_ABOUT = "about.json"
# Queue ids have no dot. What is not whole yet has one first; `OLD.NEW` is the copy of OLD, restored as NEW.
_DRAFT, _PROBE = ".draft", ".probe"


class NoRoom(Refused):
    """There is no room for the copies. Purging without them must be asked for."""


class Kept(NamedTuple):
    """The copy of message `id`; `restored` is the id that it was brought back under, where it was."""

    id: QueueId
    path: str
    restored: QueueId | None


class Copies:
    """All undo copies of one Postfix. `keep` is in seconds, `most_bytes` bounds their sum."""

    def __init__(self, queue_directory: Path, keep: float, most_bytes: int) -> None:
        self.folder = queue_directory / "bmtop-undo"
        self._keep = keep
        self._most_bytes = most_bytes

    def path(self, undo: str) -> Path:
        """Return the folder of this copy; raises `Refused` where there is none of that name."""
        if not self.is_there(undo):
            raise Refused(f"There is no undo copy {undo[:40]!a}; see `bmtop undo --list`.")
        return self.folder / undo

    def new_name(self) -> str:
        return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)

    def begin(self, undo: str, plan: Plan, sample: str) -> "Shelf":
        """Return the shelf for a plan's copies, as of the queue file at `sample`; an earlier run's goes on.

        Raises `NoRoom` on a full disk, `Refused` where it may not be made.
        """
        folder = self.folder / undo
        try:
            private_folder(self.folder)
            folder.mkdir(mode=0o700, exist_ok=True)
            if not (folder / _ABOUT).exists():
                about = {"made": time.time(), "who": whoami(), "filter": plan.filter.as_dict()}
                _write(folder, {**about, "linked": _can_link(sample, folder)})
        except OSError as error:
            raise _no_copy(error) from None
        return self.shelf(undo)

    def shelf(self, undo: str) -> "Shelf":
        """Return the shelf of this copy; raises `Refused` where there is none that can be read."""
        return Shelf(str(self.path(undo)), bool(self._about(undo).get("linked")))

    def settle(self, undo: str, octets: int | None = None) -> None:
        """Write down what is in a copy, so that listing it takes no look at each file; drop it where nothing is.

        `octets` is their size, if it is known.
        """
        shelf = self.shelf(undo)
        count = shelf.count()
        if not count:
            self.drop(undo)
            return
        if octets is None:
            octets = sum(os.lstat(copy.path).st_size for copy in shelf.kept())
        # It can be done without, and the disk may be full.
        with suppress(OSError):
            _write(self.path(undo), {**self._about(undo), "messages": count, "bytes": octets})

    def _about(self, undo: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path(undo) / _ABOUT).read_bytes())
            return found
        except (OSError, ValueError):
            raise Refused(f"The undo copy {undo} cannot be read; its files are in {self.folder / undo}.") from None

    def listed(self) -> tuple[UndoCopy, ...]:
        """Return the copies that there are, newest first; raises `Refused` without the right to read them."""
        found = []
        for name in self._names():
            try:
                about = self._about(name)
                messages, octets = about.get("messages"), about.get("bytes")
                if messages is None or octets is None:
                    sizes = [os.lstat(kept.path).st_size for kept in self.shelf(name).kept()]
                    messages, octets = len(sizes), sum(sizes)
                made = float(about["made"])
                who, filter = str(about["who"]), dict(about["filter"])
            except (Refused, OSError, KeyError, TypeError, ValueError):
                continue
            found.append(UndoCopy(name, made, made + self._keep, int(messages), int(octets), filter, who))
        return tuple(sorted(found, key=lambda copy: -copy.made))

    def _names(self) -> list[str]:
        try:
            return [name for name in os.listdir(self.folder) if _NAME.fullmatch(name)]
        except PermissionError:
            raise Refused(f"The undo copies in {self.folder} cannot be read; run `sudo bmtop`.") from None
        except OSError:
            return []

    def drop(self, undo: str) -> None:
        """Delete a copy for good, where there is one. Raises `OSError`."""
        if _NAME.fullmatch(undo):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder / undo)

    def refuse_too_much(self, octets: int) -> None:
        """Raise `NoRoom` where so many bytes may not be kept at all."""
        if octets > self._most_bytes:
            raise NoRoom(
                f"The undo copy would take {octets:,} bytes, and undo_size allows {self._most_bytes:,}; raise that,"
                " or purge without a copy (--without-undo)."
            )

    def tidy(self, in_use: Collection[str]) -> tuple[str, ...]:
        """Drop what is too old, and the oldest while all are too large; return what, in words.

        What is `in_use` stays.
        """
        said = []
        there = list(self.listed())
        for copy in [copy for copy in reversed(there) if copy.undo not in in_use]:
            too_old = copy.until < time.time()
            if too_old or sum(c.bytes for c in there) > self._most_bytes:
                there.remove(copy)
                said.append(self._dropped(copy, "it was too old" if too_old else "its room was needed"))
        for name in self._names():
            if name not in in_use and not self.is_there(name):
                with suppress(OSError):
                    self.drop(name)
        return tuple(said)

    def _dropped(self, copy: UndoCopy, why: str) -> str:
        what = f"The undo copy {copy.undo} ({copy.messages:,} message{'s' if copy.messages != 1 else ''})"
        try:
            self.drop(copy.undo)
        except OSError as error:
            return f"{what} cannot be dropped ({(error.strerror or 'no').lower()}); delete its folder by hand."
        return f"{what} was dropped: {why}."

    def is_there(self, undo: str) -> bool:
        """Tell whether there is a copy of this name; one that was cut off at its very beginning is none."""
        return bool(_NAME.fullmatch(undo)) and (self.folder / undo / _ABOUT).is_file()


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one purge's copies are. `linked`: each is the queue file itself, under a second name."""

    folder: str
    linked: bool

    def place(self, id: QueueId) -> str:
        """Return the path that the copy of this message has."""
        return f"{self.folder}/{id}"

    def keep(self, path: str, copy: str) -> None:
        """Keep the queue file at `path` as `copy`, unless an earlier run has.

        Raises `FileNotFoundError` where the file is gone, `NoRoom` on a full disk, `Refused` without the right to.
        """
        try:
            if self.linked:
                os.link(path, copy, follow_symlinks=False)
            else:
                shutil.copy2(path, f"{self.folder}/{_DRAFT}", follow_symlinks=False)
                os.rename(f"{self.folder}/{_DRAFT}", copy)
        except FileExistsError:
            if not same_file(path, copy):
                raise Refused(f"{copy} is another file than {path}; look at both, and move one away.") from None
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _no_copy(error) from None

    def has(self, id: QueueId) -> bool:
        """Tell whether there is a copy of this message."""
        return os.path.lexists(self.place(id))

    def count(self) -> int:
        """Return how many messages' copies there are."""
        return sum(name != _ABOUT and not name.startswith(".") for name in os.listdir(self.folder))

    def kept(self) -> Iterator[Kept]:
        """Yield each message's copy."""
        for name in os.listdir(self.folder):
            id, _, restored = name.partition(".")
            with suppress(Refused):
                yield Kept(QueueId(id), f"{self.folder}/{name}", QueueId(restored) if restored else None)

    def sync(self) -> None:
        """Return once the copies would survive a power cut."""
        if not self.linked:
            os.sync()
        sync_folder(self.folder)


def same_file(one: str, other: str) -> bool:
    """Tell whether both names are one file."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _can_link(sample: str, folder: Path) -> bool:
    """Tell whether a queue file can have a second name here. Raises `OSError` where that is not the question."""
    probe = folder / _PROBE
    probe.unlink(missing_ok=True)
    try:
        os.link(sample, probe, follow_symlinks=False)
    except FileNotFoundError:
        # It has just left. Below the queue directory, what is on the same file system can be linked.
        return os.stat(folder).st_dev == os.stat(folder.parent.parent).st_dev
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        return False
    probe.unlink()
    return True


def _write(folder: Path, about: dict[str, Any]) -> None:
    draft = folder / _DRAFT
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(json.dumps(about).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, folder / _ABOUT)


def _no_copy(error: OSError) -> Refused:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom("There is no room for the undo copy; make room, or purge without one (--without-undo).")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refused("bmtop may not write beside the queue, so there could be no undo copy; run `sudo bmtop`.")
    return Refused(f"The undo copy cannot be made ({(error.strerror or 'no').lower()}); nothing was deleted.")
