"""The toy's smtpd(8) and cleanup(8): who may log in, who may send where, and the queue files of what is accepted."""

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from bmtop.demo import queuefile
from bmtop.demo.beats import Beat, Connect, Login, OpenWebmail, Quit, Send
from bmtop.demo.cast import DOMAIN, SERVER, SERVER_V6, Client
from bmtop.demo.daemons import letters
from bmtop.demo.daemons.machine import Machine
from bmtop.demo.daemons.processes import Process, Processes
from bmtop.demo.maillog import FIRST_PID
from bmtop.demo.maincf import MainCf
from bmtop.demo.programs.common import quoted

_FIRST_SMTPD = FIRST_PID + 40


@dataclass(slots=True)
class _Connection:
    client: Client
    pid: int
    port: int
    login: str | None = None
    method: str = ""
    process: Process | None = None
    # Commands, as the line at the end counts them: how many went well, and how many there were.
    commands: dict[str, tuple[int, int]] = field(default_factory=dict)

    def count(self, command: str, *, well: bool = True) -> None:
        done, tried = self.commands.get(command, (0, 0))
        self.commands[command] = (done + well, tried + 1)


class Smtpd:
    """Serves the clients. `accepted` is called with the queue id of each new message.

    From when there are `processes` on, real ones serve; before that, their numbers are made up.
    """

    def __init__(self, machine: Machine, accepted: Callable[[str], None]) -> None:
        self.machine = machine
        self.accepted = accepted
        self.processes: Processes | None = None
        self._connections: dict[str, _Connection] = {}
        self._ports = count(41_000)
        self._networks_seen: tuple[int, int] | None = None
        self._networks: list[tuple[bool, ipaddress.IPv4Network | ipaddress.IPv6Network]] = []

    def perform(self, beat: Beat) -> None:
        """Let a client do what the beat says. One whose connection has ended does nothing."""
        act = beat.act
        if isinstance(act, Connect):
            self._connect(beat.connection, beat.client)
            return
        if isinstance(act, OpenWebmail):
            self._open_webmail(beat.client, act)
            return
        connection = self._connections.get(beat.connection)
        if connection is None:
            return
        if connection.process is not None and self.processes and not self.processes.is_open(connection.process):
            self._lose(beat.connection, connection)
            return
        if isinstance(act, Login):
            self._login(connection, act)
        elif isinstance(act, Quit):
            self._quit(beat.connection, connection)
        elif connection.login is not None or not act.as_login:
            self._receive(connection, act)

    def _connect(self, name: str, client: Client) -> None:
        port = 1024 + next(self._ports) * 7 % 60_000
        if self.processes is None:
            used = {connection.pid for connection in self._connections.values()}
            pid = next(pid for pid in count(_FIRST_SMTPD) if pid not in used)
            connection = _Connection(client, pid, port)
        else:
            process = self.processes.connect(*_ends(client, port))
            connection = _Connection(client, process.pid, port, process=process)
        self._connections[name] = connection
        connection.count("ehlo")
        if client.tls:
            connection.count("ehlo")
            connection.count("starttls")
        self.machine.log("smtpd", f"connect from {client.shown}", connection.pid)

    def _login(self, connection: _Connection, act: Login) -> None:
        known = self.machine.accounts.verify(act.login, act.password) is not None
        connection.count("auth", well=known)
        if known:
            connection.login, connection.method = act.login, act.method
            return
        self.machine.log(
            "smtpd",
            f"warning: {connection.client.shown}: SASL {act.method} authentication failed: authentication failure,"
            f" sasl_username={act.login}",
            connection.pid,
        )

    def _open_webmail(self, client: Client, act: OpenWebmail) -> None:
        account = self.machine.accounts.verify(act.login, act.password)
        if account is None:
            return
        with self.machine.accounts.changing() as data:
            data["sessions"].append({
                "created": int(self.machine.now * 1000), "email": account["email"],
                "domainUid": data["domain"]["uid"], "userUid": account["uid"], "origin": "bm-hps",
                "remoteAddresses": [client.address],
            })  # fmt: skip

    def _quit(self, name: str, connection: _Connection) -> None:
        connection.count("quit")
        self._disconnect(name, connection)

    def _lose(self, name: str, connection: _Connection) -> None:
        """Notice that somebody has ended the connection."""
        self.machine.log("smtpd", f"lost connection after RSET from {connection.client.shown}", connection.pid)
        self._disconnect(name, connection)

    def _disconnect(self, name: str, connection: _Connection) -> None:
        order = ("ehlo", "starttls", "auth", "mail", "rcpt", "data", "rset", "quit")
        counted = [(command, *connection.commands[command]) for command in order if command in connection.commands]
        counted.append(("commands", sum(c[1] for c in counted), sum(c[2] for c in counted)))
        shown = " ".join(_counted(*c) for c in counted)
        self.machine.log("smtpd", f"disconnect from {connection.client.shown} {shown}", connection.pid)
        if connection.process is not None and self.processes is not None:
            self.processes.disconnect(connection.process)
        del self._connections[name]

    def _receive(self, connection: _Connection, send: Send) -> None:
        connection.count("mail")
        welcome = [recipient for recipient in send.recipients if self._may_send(connection, send, recipient)]
        if not welcome:
            connection.count("rset")
            return
        connection.count("data")
        machine, client = self.machine, connection.client
        protocol = "ESMTP" + "S" * client.tls + "A" * (connection.login is not None)

        def file(id: str) -> bytes:
            sasl = () if connection.login is None else (
                ("sasl_method", connection.method), ("sasl_username", connection.login)
            )  # fmt: skip
            return queuefile.build(
                machine.now, send.sender, welcome,
                letters.letter(send, id, client, protocol, connection.login, machine.now),
                before_sender=(("log_ident", id), ("rewrite_context", "remote"), *sasl),
                after_sender=_client_attributes(connection, protocol),
            )  # fmt: skip

        id = machine.spool.enter(machine.microseconds(), file)
        login = f", sasl_method={connection.method}, sasl_username={connection.login}" if connection.login else ""
        machine.log("smtpd", f"{id}: client={client.shown}{login}", connection.pid)
        machine.log("cleanup", f"{id}: message-id=<{letters.message_id(send, id, client)}>")
        self.accepted(id)

    def _may_send(self, connection: _Connection, send: Send, recipient: str) -> bool:
        """Answer RCPT TO as `permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination` does."""
        client = connection.client
        domain = recipient.rpartition("@")[2]
        refused = ""
        if domain == DOMAIN and self.machine.accounts.find(recipient) is None:
            refused = f"550 5.1.1 <{recipient}>: Recipient address rejected: User unknown in virtual mailbox table"
        elif domain != DOMAIN and connection.login is None and not self._trusted(client.address):
            refused = f"554 5.7.1 <{recipient}>: Relay access denied"
        connection.count("rcpt", well=not refused)
        if refused:
            self.machine.log(
                "smtpd",
                f"NOQUEUE: reject: RCPT from {client.shown}: {refused}; from=<{quoted(send.sender)}> to=<{recipient}>"
                f" proto=ESMTP helo=<{client.helo}>",
                connection.pid,
            )
        return not refused

    def _trusted(self, address: str) -> bool:
        """Tell whether mynetworks, as main.cf has it now, holds the address; the first entry that fits decides."""
        path = self.machine.folder / "etc" / "main.cf"
        status = os.stat(path)
        if self._networks_seen != (status.st_ino, status.st_mtime_ns):
            self._networks_seen = (status.st_ino, status.st_mtime_ns)
            self._networks = []
            for entry in MainCf(path.parent).expanded("mynetworks").replace(",", " ").split():
                excluded, plain = entry.startswith("!"), entry.removeprefix("!").replace("[", "").replace("]", "")
                try:
                    self._networks.append((not excluded, ipaddress.ip_network(plain)))
                except ValueError:
                    continue
        asked = ipaddress.ip_address(address)
        return next((trusted for trusted, network in self._networks if asked in network), False)


def _ends(client: Client, port: int) -> tuple[str, str]:
    """Return both ends of a connection, as ss(8) writes them."""
    if ":" in client.address:
        return f"[{SERVER_V6}]:25", f"[{client.address}]:{port}"
    return f"{SERVER}:25", f"{client.address}:{port}"


def _counted(command: str, well: int, tried: int) -> str:
    return f"{command}={well}" if well == tried else f"{command}={well}/{tried}"


def _client_attributes(connection: _Connection, protocol: str) -> tuple[tuple[str, str], ...]:
    """Return what a queue file says of the client, in the order of a real one."""
    client, port = connection.client, str(connection.port)
    v6 = ":" in client.address
    return (
        ("log_client_name", client.name),
        ("log_client_address", letters.shown_address(client)),
        ("log_client_port", port),
        ("log_message_origin", client.shown),
        ("log_helo_name", client.helo),
        ("log_protocol_name", protocol),
        ("client_name", client.name),
        ("reverse_client_name", client.name),
        ("client_address", client.address),
        ("client_port", port),
        ("server_address", SERVER_V6 if v6 else SERVER),
        ("server_port", "25" if connection.login is None else "587"),
        ("helo_name", client.helo),
        ("protocol_name", protocol),
        ("client_address_type", "10" if v6 else "2"),
    )
