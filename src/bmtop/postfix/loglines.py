"""Reading a log on, from look to look, for those who ask instead of waiting for it to grow."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from bmtop.postfix import history
from bmtop.postfix.logtime import LogClock


class LogLines:
    """The whole lines of a log and of what it was before it was rotated, each once."""

    def __init__(self, log: Path, since: float, clock: LogClock) -> None:
        self._log = log
        self._since = since
        self._clock = clock
        self._file: BinaryIO | None = None
        self._old: BinaryIO | None = None

    def more(self) -> Iterator[bytes]:
        """Yield what was written since the last call, in blocks. Raises `OSError` where the log cannot be read."""
        if self._file is None:
            begun = self._log.open("rb")
            # Without them, a connection that began before today's log has no beginning; it is there all the same.
            with suppress(OSError):
                yield from history.earlier(self._log, self._since, self._clock)
            begun.seek(history.offset_of(begun, self._since, self._clock))
            self._file = begun
        for file in (self._old, self._file):
            if file is not None:
                yield from _rest(file)
        if self._was_replaced(self._file):
            # Opened first: where that fails, what there is is read on.
            new = self._log.open("rb")
            if self._old is not None:
                self._old.close()
            # The one before is read on: a syslog daemon goes on writing to it until it is told.
            self._old, self._file = self._file, new
            yield from _rest(self._file)

    def _was_replaced(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(os.stat(self._log), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False


def _rest(file: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a file up to its last line's end; from its start, where it was cut (copytruncate)."""
    if os.fstat(file.fileno()).st_size < file.tell():
        file.seek(0)
    while block := file.read(history.BLOCK):
        cut = block.rfind(b"\n") + 1
        if not cut and len(block) == history.BLOCK:
            continue  # no line of Postfix's is as long as that
        file.seek(cut - len(block), os.SEEK_CUR)
        if not cut:
            return
        yield block[:cut]
