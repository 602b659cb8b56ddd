"""The journal: one JSON object a line, written and synced before an action begins and again after it.

A line of phase `begun` without one of phase `done` or `failed` under the same number is an action
that was cut off.
"""

import json
import os
import pwd
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from bmtop.checked import Refused

Phase = Literal["begun", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `time` is in epoch seconds; `number` ties begin and end together."""

    number: str
    time: float
    who: str
    action: str
    target: str
    state: Phase
    sentence: str
    filter: Mapping[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    status: int | None = None
    undo: str | None = None


def actions(entries: Sequence[Entry]) -> list[Entry]:
    """Return an entry an action, its newest, with the filter it began with, in the order in which they began."""
    newest: dict[str, Entry] = {}
    for entry in entries:
        before = newest.get(entry.number)
        newest[entry.number] = replace(entry, filter=before.filter) if before and before.filter else entry
    return list(newest.values())


def whoami() -> str:
    """Return the user who logged in, also behind sudo: the kernel's word first (proc(5), loginuid)."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
        if uid != 0xFFFFFFFF:
            return pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError):
        pass
    name = os.environ.get("SUDO_USER", "")
    try:
        return pwd.getpwnam(name).pw_name if name else pwd.getpwuid(os.getuid()).pw_name
    except (KeyError, ValueError):
        return str(os.getuid())


def private_folder(folder: Path) -> None:
    """Make `folder` for this user alone, mode 0700.

    Raises `OSError` where that cannot be, `Refused` where another could have set it up.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(folder)
    if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 != os.geteuid():
        raise Refused(f"{folder} is root's; run `sudo bmtop`.")
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused(f"{folder} is a link, or another user's; look at it, and move it away.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.chmod(folder, 0o700)


def sync_folder(folder: str | Path) -> None:
    """Return once the names in `folder` would survive a power cut. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def state_folder(folder: Path) -> None:
    """Make the folder of journal and lock; raises `Refused` where that cannot be."""
    try:
        private_folder(folder)
    except OSError as error:
        raise Refused(
            f"The state folder {folder} cannot be made ({(error.strerror or 'no').lower()});"
            " run `sudo bmtop`, or name another with --state."
        ) from None


class Journal:
    """The journal in the state folder. Reading makes no file; writing makes it, mode 0600, append-only.

    It may be read from any thread. `problem` is a sentence where it could not be read the last time, else empty.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._path = state / "journal.jsonl"
        self._entries: list[Entry] = []
        self._read_to = 0
        self._identity: tuple[int, int] | None = None
        self._reading = Lock()
        self.problem = ""

    def begin(self, number: str, action: str, target: str, **details: Any) -> Entry:
        """Write that an action begins; returns its entry. Raises `Refused` where that cannot be written."""
        entry = Entry(number, time.time(), whoami(), action, target, "begun", "", **details)
        try:
            self._append(entry)
        except OSError as error:
            raise Refused(
                f"The journal {self._path} cannot be written ({(error.strerror or 'no').lower()}), and no action"
                " goes without it; make room, or name another folder with --state."
            ) from None
        return entry

    def end(self, begun: Entry, state: Phase, sentence: str, **details: Any) -> None:
        """Write how the action ended, and who ended it. Raises `Refused` where that cannot be written."""
        entry = Entry(begun.number, time.time(), whoami(), begun.action, begun.target, state, sentence, **details)
        try:
            self._append(entry)
        except OSError as error:
            raise Refused(
                f"This was done, but could not be written into the journal {self._path}"
                f" ({(error.strerror or 'no').lower()}): make room; the next start will say that it was cut off, as"
                " its end is not known."
            ) from None

    def _append(self, entry: Entry) -> None:
        """Write an entry, and return once it would survive a power cut. Raises `OSError`, or `Refused`."""
        state_folder(self._state)
        line = json.dumps({name: getattr(entry, name) for name in Entry.__slots__}) + "\n"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            is_new = os.fstat(descriptor).st_size == 0
            _write_whole(descriptor, line.encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._state)

    def entries(self, last: int) -> tuple[Entry, ...]:
        """Return the newest entries, oldest first; others' too, as they come in."""
        with self._reading:
            self._catch_up()
            return tuple(self._entries[-last:] if last else ())

    def unfinished(self, left: Collection[str] = ()) -> tuple[Entry, ...]:
        """Return the actions that began and never ended; one on an account has ended once the same was done again.

        Those numbered in `left` were done, and what was to go on from then was cut off.
        """
        with self._reading:
            self._catch_up()
            entries = tuple(self._entries)
        ends = [e for e in entries if e.state == "failed" or (e.state == "done" and e.number not in left)]
        ended = {entry.number for entry in ends}
        again = {(e.action, e.target): e.time for e in ends if e.state == "done" and not e.ids}
        begun = [e for e in entries if e.state == "begun" and e.number not in ended]
        return tuple(e for e in begun if e.ids or again.get((e.action, e.target), 0) < e.time)

    def _catch_up(self) -> None:
        self.problem = ""
        try:
            read = self._read_on()
        except FileNotFoundError:
            return
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            what_to_do = "run `sudo bmtop`" if isinstance(error, PermissionError) else "see what is there"
            self.problem = f"The journal {self._path} cannot be read ({reason}); {what_to_do}."
            return
        cut = read.rfind(b"\n") + 1
        self._read_to += cut
        for line in read[:cut].splitlines():
            entry = _entry(line)
            if entry is not None:
                self._entries.append(entry)

    def _read_on(self) -> bytes:
        """Return what stands behind what was read; all of it where another file is in its place. Raises `OSError`."""
        with open(self._path, "rb", opener=_unfollowed) as file:
            found = os.fstat(file.fileno())
            if self._identity != (found.st_dev, found.st_ino) or found.st_size < self._read_to:
                self._entries, self._read_to = [], 0
                self._identity = (found.st_dev, found.st_ino)
            if found.st_size == self._read_to:
                return b""
            file.seek(self._read_to)
            return file.read()


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data`, or none, on a line of its own: half a line would hide the next one."""
    before = os.fstat(descriptor).st_size
    if before and os.pread(descriptor, 1, before - 1) != b"\n":
        data = b"\n" + data
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _strings(value: Any) -> Sequence[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _entry(line: bytes) -> Entry | None:
    """Return the entry that a line holds; None for one that was cut off, or is no entry."""
    try:
        found = json.loads(line)
        state = found["state"]
        if state not in ("begun", "done", "failed"):
            return None
        moment = float(found["time"])
        # One that no calendar has could never be shown.
        datetime.fromtimestamp(moment, timezone.utc)
        return Entry(
            number=str(found["number"]),
            time=moment,
            who=str(found["who"]),
            action=str(found["action"]),
            target=str(found["target"]),
            state=state,
            sentence=str(found["sentence"]),
            filter=dict(found.get("filter") or {}),
            ids=tuple(_strings(found.get("ids"))),
            command=tuple(_strings(found.get("command"))),
            status=found.get("status"),
            undo=found.get("undo"),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
