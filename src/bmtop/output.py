"""Standard output and error of the command line, behind the border for text.

Whoever prints, bmtop, argparse or Python itself: what could act on a terminal comes out as visible escapes.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from bmtop.server import CommandFailed
from bmtop.visible import visible

_ERASE = "\r\x1b[K"


class Border(io.TextIOBase):
    """A text stream whose lines come out visible on `stream`; what that cannot encode, as escapes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        with self._to_its_end():
            self.stream.write("\n".join(map(visible, text.split("\n"))))
        return len(text)

    def flush(self) -> None:
        with self._to_its_end():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @contextlib.contextmanager
    def _to_its_end(self) -> Iterator[None]:
        """Go on without a word where nobody reads any more (a closed pipe, a lost terminal): the work is not done.

        Raises `CommandFailed` for everything else, such as a full disk.
        """
        try:
            yield
        except OSError as error:
            # What was not written would be tried once more at the end of the program.
            nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nothing, self.stream.fileno())
            os.close(nothing)
            if error.errno not in (errno.EPIPE, errno.EIO):
                why = (error.strerror or "no").lower()
                raise CommandFailed(f"The output could not be written ({why}); see where it goes.") from None


@contextlib.contextmanager
def behind_border() -> Iterator[None]:
    """Have everything that is printed in the block come out visible, and written when the block ends."""
    with contextlib.redirect_stdout(Border(sys.stdout)) as out, contextlib.redirect_stderr(Border(sys.stderr)):
        try:
            yield
        finally:
            out.flush()


def tell_progress(text: str) -> None:
    """Write `text` over the last line of a terminal at standard error; nothing where there is none."""
    if sys.stderr.isatty():
        stream = sys.stderr.stream if isinstance(sys.stderr, Border) else sys.stderr
        stream.write(_ERASE + visible(text))
        stream.flush()
