"""The queue's folders: which messages each holds, read again only where a folder has changed."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bmtop.incident.picture import QUEUES
from bmtop.postfix.queue import MESSAGE_QUEUES

# A file system's time stamps are this coarse, or finer: what was changed so lately may change again unseen.
_COARSE = 50_000_000


class _Folder(NamedTuple):
    """`changed` and `read` are in nanoseconds since the epoch."""

    changed: int
    read: int
    files: list[str]
    hashed: list[str]


class Folders:
    """What `look` saw last. `version` is another one whenever something has come, gone, or moved."""

    def __init__(self) -> None:
        self.version = 0
        self._known: dict[str, _Folder] = {}
        self._root = ""
        self._lock = threading.Lock()

    def look(self, queue_directory: Path) -> None:
        """Look into the folders.

        Raises `PermissionError` without the right to look (root), `FileNotFoundError` where it is no queue.
        """
        with self._lock:
            self._root = str(queue_directory)
            for name in QUEUES:
                self._look(f"{self._root}/{name}")

    def _look(self, path: str) -> None:
        changed = os.stat(path).st_mtime_ns
        known = self._known.get(path)
        if known is None or known.changed != changed or known.read - changed < _COARSE:
            read = time.time_ns()
            names = os.listdir(path)
            # A hashed subfolder has a name of one character (postconf(5), hash_queue_depth).
            found = _Folder(changed, read, [n for n in names if len(n) > 1], [n for n in names if len(n) == 1])
            if known is None or known.changed != changed or known.files != found.files:
                self.version += 1
            self._known[path] = known = found
        for name in known.hashed:
            self._look(f"{path}/{name}")

    def counts(self) -> dict[str, int]:
        """Return the number of messages in each queue."""
        with self._lock:
            return {name: sum(len(folder.files) for _, folder in self._below(name)) for name in QUEUES}

    def places(self) -> dict[str, tuple[str, str]]:
        """Return the queue and the path of the folder of every file that postsuper(1) can act on, by its name."""
        with self._lock:
            below = [(name, path, folder) for name in MESSAGE_QUEUES for path, folder in self._below(name)]
        return {file: (name, path) for name, path, folder in below for file in folder.files}

    def _below(self, name: str) -> Iterator[tuple[str, _Folder]]:
        waiting = [f"{self._root}/{name}"]
        while waiting:
            path = waiting.pop()
            folder = self._known[path]
            yield path, folder
            waiting += [f"{path}/{hashed}" for hashed in folder.hashed]
