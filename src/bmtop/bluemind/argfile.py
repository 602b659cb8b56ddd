"""An argument for bm-cli that no process list shows: picocli reads it from a file that has no name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bmtop.checked import Refused


def quoted(argument: str) -> str:
    r"""Return `argument` as a line of a picocli argument file, which is one argument whatever is in it.

    picocli reads the file with a java.io.StreamTokenizer: in double quotes only the quote, the backslash
    and the end of the line mean something. Raises `Refused` for what is no printable ASCII: the others are
    read in the character set of the server's locale, and another password than this would be set.
    """
    if not (argument.isascii() and argument.isprintable()):
        raise Refused("bm-cli can only be given a password of plain ASCII characters; take another one.")
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"\n'


@contextmanager
def argument_file(folder: Path, argument: str) -> Iterator[str]:
    """Yield what stands for `argument` in a command: `@` and the path of a file in `folder`.

    The file has mode 0600 and never had a name in the folder (O_TMPFILE), so that nothing of it is left
    however this program ends. Raises OSError where there can be no such file.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(quoted(argument).encode("ascii"))
        file.flush()
        yield f"@/proc/{os.getpid()}/fd/{file.fileno()}"
