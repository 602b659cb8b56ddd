"""The toy's smtpd processes while it plays live: real ones, so that who looks for a connection's process finds it.

Each sits there with a socket that leads nowhere. What ss(8) of the toy tells of the sockets, and ends, are files:
one a connection, named by its process.
"""

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """An smtpd: its number, and that of its socket."""

    pid: int
    inode: int


def sockets(folder: Path) -> Path:
    """Return the folder with a file for each connection that is open now."""
    return folder / "sockets"


class Processes:
    """Makes this process the toy's master, and starts its smtpd as they are needed; they end with it."""

    def __init__(self, folder: Path) -> None:
        self._sockets = sockets(folder)
        self._sockets.mkdir()
        self._started: list[int] = []
        self._idle: list[Process] = []
        # Nothing is ever written: it ends when all who could write have ended.
        self._watched, self._mine = os.pipe()
        _name_this("master")
        (folder / "spool" / "pid").mkdir()
        (folder / "spool" / "pid" / "master.pid").write_text(f"{os.getpid():>10}\n", encoding="ascii")

    def connect(self, local: str, peer: str) -> Process:
        """Let a process serve this connection; the ends are as ss(8) writes them."""
        process = self._idle.pop() if self._idle else self._start()
        new = self._sockets / f".{process.pid}"
        new.write_text(f"{local} {peer} {process.inode}\n", encoding="ascii")
        new.rename(self._sockets / str(process.pid))
        return process

    def is_open(self, process: Process) -> bool:
        """Tell whether nobody has ended the connection that this process serves."""
        return (self._sockets / str(process.pid)).exists()

    def disconnect(self, process: Process) -> None:
        """Let the process wait for its next connection."""
        (self._sockets / str(process.pid)).unlink(missing_ok=True)
        self._idle.append(process)

    def close(self) -> None:
        """End all, and wait until they have."""
        os.close(self._mine)
        for pid in self._started:
            os.waitpid(pid, 0)

    def _start(self) -> Process:
        with socket.socket() as its:
            inode = os.fstat(its.fileno()).st_ino
            pid = os.fork()
            if pid == 0:
                self._wait()
        self._started.append(pid)
        return Process(pid, inode)

    def _wait(self) -> None:
        """Be an smtpd until the master ends."""
        try:
            os.close(self._mine)
            _name_this("smtpd")
            os.read(self._watched, 1)
        finally:
            os._exit(0)


def _name_this(name: str) -> None:
    """Give this process the name that ps(1) shows, as its program would have it."""
    Path("/proc/self/comm").write_text(name, encoding="ascii")
