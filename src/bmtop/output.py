"""Standard output and error of the command line, behind the border for text.

Whoever prints, bmtop, argparse or Python itself: what could act on a terminal comes out as visible escapes.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

from bmtop.visible import visible

_ERASE = "\r\x1b[K"


class Border(io.TextIOBase):
    """A text stream whose lines come out visible on `stream`; what that cannot encode, as escapes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        self.stream.write("\n".join(map(visible, text.split("\n"))))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True


@contextlib.contextmanager
def behind_border() -> Iterator[None]:
    """Have everything that is printed in the block come out visible."""
    with contextlib.redirect_stdout(Border(sys.stdout)), contextlib.redirect_stderr(Border(sys.stderr)):
        yield


def tell_progress(text: str) -> None:
    """Write `text` over the last line of a terminal at standard error; nothing where there is none."""
    if sys.stderr.isatty():
        stream = sys.stderr.stream if isinstance(sys.stderr, Border) else sys.stderr
        stream.write(_ERASE + visible(text))
        stream.flush()
