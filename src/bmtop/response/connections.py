"""SMTP connections: one that is logged in stays so whatever happens to the account, until it ends.

Never by a signal to its smtpd: where that process had served nobody before, master(8) takes it for a bad start,
and port 25 may be down for everyone for a minute.
"""

import ctypes
import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bmtop.checked import Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.selection import Filter
from bmtop.postfix.connections import Connection, SmtpdLog
from bmtop.postfix.instance import Postfix
from bmtop.response.gate import Gate, Step
from bmtop.response.plan import Done
from bmtop.server import CommandFailed, Result, Server

# A line of `ss -tanHe` (ss(8)): state, two counters, both ends, and the socket's number among what follows.
_SOCKET = re.compile(r"^([A-Z0-9-]+) +\d+ +\d+ +(\S+:(?:\d+|\*)) +(\S+:(?:\d+|\*)) .*?\bino:(\d+)", re.MULTILINE)
_OPEN = frozenset({"ESTAB", "CLOSE-WAIT"})
# /proc and the log count time differently: the one in ticks since the start of the machine, the other in seconds.
_SLACK = 2.0
_GONE_WITHIN = 3.0
_PIDFD_GETFD = 438


class _Socket(NamedTuple):
    state: str
    local: str
    peer: str
    inode: int


@dataclass(frozen=True, slots=True)
class Served:
    """A connection that serves somebody now: its process, and the socket's ends as `ss -tn` shows them.

    `since` and `last` are epoch seconds: when it began, None where that is before the log, and when mail came.
    `sure` is False where no mail came yet, and only the client's address tells whose it is.
    """

    pid: int
    client: str
    local: str
    peer: str
    inode: int
    since: float | None
    last: float | None
    messages: int
    sure: bool

    @property
    def words(self) -> str:
        """Which one it is, in a few words."""
        behind = "" if _address(self.peer) == self.client else f", seen as {self.peer}"
        return f"{self.client} (process {self.pid}{behind})"


class Connections:
    """Which connections serve a login or a client, by the log since a moment, /proc and ss(8) together."""

    def __init__(self, postfix: Postfix, log: Path, since: float, accounts: Accounts) -> None:
        self.log = SmtpdLog(log, since)
        self._postfix = postfix
        self._accounts = accounts

    def serving(self, wanted: Filter) -> tuple[Served, ...]:
        """Return the connections of whom `wanted` means. Blocks.

        Raises `Refused` without the right to look, `CommandFailed` where the log or ss cannot tell.
        """
        return self._serving([c for c in self._look() if self._is_meant(c, wanted)])

    def _silent(self, wanted: Filter) -> tuple[Served, ...]:
        """Return the connections that may be a login's, for all that is known: they have sent nothing yet."""
        if wanted.login is None:
            return ()
        with suppress(Refused, CommandFailed):
            return self._serving([c for c in self._look() if not c.messages and self.log.only_login(c.client) is None])
        return ()

    def _serving(self, meant: Sequence[Connection]) -> tuple[Served, ...]:
        """Return those of these connections that serve somebody now."""
        if not meant:
            return ()
        master = self._master()
        sockets = _sockets(self._postfix.server)
        found = [served for c in meant if (served := self._served(c, master, sockets)) is not None]
        # A process may have ended one connection and begun another while all this was looked at.
        still = {id(c) for c in self._look()}
        return tuple(served for c, served in found if id(c) in still)

    def _look(self) -> tuple[Connection, ...]:
        try:
            return self.log.look()
        except OSError as error:
            raise CommandFailed(
                f"The log cannot be read ({(error.strerror or 'no').lower()}), and it alone tells which connection is"
                " whose; run `sudo bmtop`, or name another with --log."
            ) from None

    def _is_meant(self, connection: Connection, wanted: Filter) -> bool:
        if wanted.without_login:
            # One that was logged in stays so; while nothing was handed in, it may be, where others there log in.
            none, client = connection.logins <= {None}, connection.client
            without = none if connection.messages else self.log.is_without_login(client)
            return without and wanted.matches_source(None, client, self._accounts)
        if connection.messages:
            return any(wanted.matches_source(n, connection.client, self._accounts) for n in connection.logins)
        # Logged in or not, nothing was handed in yet: whose it is shows in who else uses that address.
        return wanted.matches_source(self.log.only_login(connection.client), connection.client, self._accounts)

    def _master(self) -> int:
        """Return the process id of master(8): what is no child of it is no smtpd of this Postfix."""
        path = self._postfix.queue_directory / "pid" / "master.pid"
        try:
            master = int(path.read_text(encoding="ascii"))
            if Path(f"/proc/{master}/comm").read_text("ascii", "replace") == "master\n":
                return master
        except PermissionError:
            raise Refused("bmtop may not look at Postfix's processes; run `sudo bmtop`.") from None
        except (OSError, ValueError):
            pass
        raise CommandFailed(
            f"No process here is the one that {path} names, so no connection can be found; see whether Postfix runs,"
            " and run bmtop where it does (in its container)."
        )

    def _served(
        self, connection: Connection, master: int, sockets: Sequence[_Socket]
    ) -> tuple[Connection, Served] | None:
        """Return what serves this connection now, None where that process has gone on to something else."""
        began = connection.since if connection.since is not None else connection.last
        if not _is_smtpd(connection.pid, master, began):
            return None
        inodes = _inodes(connection.pid)
        # Its other sockets lead to milters and databases: only that of a client ends at a port where we listen.
        ports = {_port(s.local) for s in sockets if s.state == "LISTEN"}
        mine = [s for s in sockets if s.inode in inodes and s.state in _OPEN and _port(s.local) in ports]
        if not mine:
            return None
        if len(mine) > 1:
            raise CommandFailed(
                f"Process {connection.pid} serves {connection.client} on one of {len(mine)} sockets, and which one"
                " cannot be told; nothing was ended. Look with `ss -tnp`."
            )
        if connection.peer not in (None, _address(mine[0].peer)) and not self._is_behind_proxy():
            return None
        return connection, Served(
            pid=connection.pid,
            client=connection.client,
            local=mine[0].local,
            peer=mine[0].peer,
            inode=mine[0].inode,
            since=connection.since,
            last=connection.last,
            messages=connection.messages,
            sure=bool(connection.messages),
        )

    def _is_behind_proxy(self) -> bool:
        """Tell whether the log may name clients that a proxy speaks for (postconf(5))."""
        asked = ("smtpd_upstream_proxy_protocol", "postscreen_upstream_proxy_protocol")
        services = self._postfix.query("postconf", "-P").out.decode("utf-8", "replace")
        return any(self._postfix.settings(*asked).values()) or any(name in services for name in asked)

    def left_of(self, served: Sequence[Served]) -> tuple[Served, ...]:
        """Return those that are still there: the same socket, in the same process."""
        there = {(s.inode, s.local, s.peer) for s in _sockets(self._postfix.server) if s.state in _OPEN}
        return tuple(c for c in served if (c.inode, c.local, c.peer) in there and c.inode in _inodes(c.pid))

    def end(self, gate: Gate, target: str, wanted: Filter) -> Done:
        """End the connections of whom `wanted` means, and those alone, and show that they are gone.

        Raises `Refused` or `CommandFailed`.
        """
        with gate.action("connections", target) as step:
            served = self.serving(wanted)
            left = self._end(step, served) if served else ()
            ended = [c for c in served if c not in left]
            step.ok = not left
            said = " ".join(filter(None, (_ended(ended), _still_open(left))))
            step.sentence = said or f"No SMTP connection serves {target} now."
        command, status = tuple(step.details.get("command", ())), step.details.get("status")
        notes = (*_unknown(self._silent(wanted)), *step.unwritten)
        return Done("connections", target, step.ok, step.sentence, command, status, notes)

    def _end(self, step: Step, served: Sequence[Served]) -> tuple[Served, ...]:
        """End these, and return those that are still there."""
        step.ran(_kill(self._postfix.server, served))
        left = self.left_of(served)
        # A kernel may have been built without INET_DIAG_DESTROY.
        for connection in left:
            # A Python that was built on an old system lacks the call.
            with suppress(OSError, AttributeError):
                shut_down(connection)
        return self._wait(left) if left else ()

    def _wait(self, served: Sequence[Served]) -> tuple[Served, ...]:
        until = time.monotonic() + _GONE_WITHIN
        while (left := self.left_of(served)) and time.monotonic() < until:
            time.sleep(0.1)
        return left


def _is_smtpd(pid: int, master: int, by: float | None) -> bool:
    """Tell whether this is an smtpd of ours that was there at the time `by`: process ids are used again."""
    try:
        # The name stands in brackets and may hold any character (proc(5)).
        name, _, rest = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").partition("(")[2].rpartition(") ")
        values = rest.split()
        started = float(Path("/proc/stat").read_text("ascii").partition("\nbtime ")[2].split()[0])
        started += int(values[19]) / os.sysconf("SC_CLK_TCK")
        return name == "smtpd" and int(values[1]) == master and (by is None or started <= by + _SLACK)
    except (OSError, ValueError, IndexError):
        return False


def _inodes(pid: int) -> dict[int, int]:
    """Return the sockets that a process has, each with its file descriptor; none where it is gone."""
    found = {}
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError, ValueError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    found[int(target[8:-1])] = int(name)
    return found


def _sockets(server: Server) -> tuple[_Socket, ...]:
    result = server.run("ss", "-tanHe").check("See whether iproute2 is installed; bmtop finds connections by it.")
    lines = result.out.decode("ascii", "replace")
    return tuple(_Socket(found[1], found[2], found[3], int(found[4])) for found in _SOCKET.finditer(lines))


def _port(end: str) -> str:
    return end.rpartition(":")[2]


def _address(end: str) -> str:
    return end.rpartition(":")[0].strip("[]").removeprefix("::ffff:")


def _kill(server: Server, served: Sequence[Served]) -> Result:
    """Have the kernel end exactly these connections (ss(8), -K). What it says is not believed: the caller looks."""
    which = " or ".join(f"( src {c.local} and dst {c.peer} )" for c in served)
    return server.run("ss", "-KtnH", which)


def shut_down(served: Served) -> None:
    """End a connection by its own socket, taken out of the process that has it (pidfd_getfd(2), Linux 5.6).

    Raises `OSError` where that cannot be, and where the process has another socket by now.
    """
    process = os.pidfd_open(served.pid)
    try:
        number = _inodes(served.pid).get(served.inode)
        if number is None:
            raise ProcessLookupError("it has ended")
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.syscall(_PIDFD_GETFD, process, number, 0)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        with socket.socket(fileno=descriptor) as taken:
            if os.fstat(descriptor).st_ino != served.inode:
                raise ProcessLookupError("it has ended")
            taken.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(process)


def _ended(served: Sequence[Served]) -> str:
    if not served:
        return ""
    were = "1 SMTP connection was" if len(served) == 1 else f"{len(served):,} SMTP connections were"
    return f"{were} ended and gone: {_listed(served)}."


def _still_open(served: Sequence[Served]) -> str:
    if not served:
        return ""
    are = "1 is" if len(served) == 1 else f"{len(served):,} are"
    return f"{are} still open: {_listed(served)}; block the address in the firewall, then restart Postfix."


def _unknown(silent: Sequence[Served]) -> tuple[str, ...]:
    """Return what is to be said of connections that nobody can tell the login of."""
    if not silent:
        return ()
    stand = "1 more stands" if len(silent) == 1 else f"{len(silent):,} more stand"
    return (f"{stand} open and sent nothing yet, so that it is not known whose: {_listed(silent)}.",)


def _listed(served: Sequence[Served]) -> str:
    shown = ", ".join(c.words for c in served[:5])
    return f"{shown} and {len(served) - 5:,} more" if len(served) > 5 else shown
