"""ss(8): `-tanHe` lists the toy's sockets, `-KtnH FILTER` ends those that it names by both their ends."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bmtop.demo.daemons.processes import sockets
from bmtop.demo.programs.common import complain

_LISTENING = ("0.0.0.0:25", "[::]:25")
_MEANT = re.compile(r"src (\S+) and dst (\S+)")


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Do one command; return the exit status."""
    if list(arguments) == ["-tanHe"]:
        for local in _LISTENING:
            print(_line("LISTEN", local, f"{local.rpartition(':')[0]}:*", "1"))
        for _, local, peer, inode in _open(folder):
            print(_line("ESTAB", local, peer, inode))
        return 0
    if len(arguments) == 2 and arguments[0] == "-KtnH":
        meant = set(_MEANT.findall(arguments[1]))
        for path, local, peer, inode in _open(folder):
            if (local, peer) in meant:
                path.unlink(missing_ok=True)
                print(_line("ESTAB", local, peer, inode))
        return 0
    complain("ss", "the toy's ss knows -tanHe and -KtnH FILTER")
    return 255


def _open(folder: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Yield each connection: its file, both ends, and its socket's number."""
    for path in sorted(sockets(folder).glob("[0-9]*")):
        try:
            local, peer, inode = path.read_text(encoding="ascii").split()
        except FileNotFoundError:
            continue
        yield path, local, peer, inode


def _line(state: str, local: str, peer: str, inode: str) -> str:
    return f"{state:<6} 0      0      {local} {peer} ino:{inode} sk:1 <->"
