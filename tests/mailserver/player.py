"""Plays SMTP clients of any name and address against the test Postfix, by XCLIENT.

Every message carries `X-Played: LABEL` as its first header line. bmtop never reads it; tests judge by it.
"""

import base64
import contextlib
import re
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address
from types import TracebackType

from .postfix import Postfix

BOUNCE = "bounce"  # the label of what Postfix itself made: it carries none
TRIES_PER_CONNECTION = 5


class Refused(Exception):
    """The server did not take this message; the text is its first reply that said no."""


@dataclass(frozen=True, slots=True)
class Client:
    """An SMTP client as Postfix sees it; without a name its address has none (`unknown`)."""

    address: str
    name: str = "[UNAVAILABLE]"
    helo: str = "client.invalid"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the label that it is judged by, its envelope, and what stands in it.

    `body` may have any lines. `headers` are further lines, as they are to stand there (without line ends).
    """

    label: str
    sender: str
    recipients: tuple[str, ...]
    subject: str = "Hello"
    body: str = "Good day.\n"
    headers: tuple[str, ...] = ()

    def content(self) -> bytes:
        """The message as it goes over the wire (RFC 5321, 4.5.2), the final dot included."""
        lines = [
            f"X-Played: {self.label}",
            *self.headers,
            f"From: <{self.sender}>",
            f"To: <{self.recipients[0]}>",
            f"Subject: {self.subject}",
            f"Date: {formatdate()}",
            "",
            *self.body.removesuffix("\n").split("\n"),
        ]
        stuffed = (f".{line}" if line.startswith(".") else line for line in lines)
        return "\r\n".join((*stuffed, ".", "")).encode()


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the server took: the queue id that it named, and who sent it; login None without one."""

    queue_id: str
    label: str
    login: str | None
    client: str
    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A login that the server refused: the client's address and the name it tried."""

    client: str
    login: str


class Session:
    """One SMTP connection that a client holds, logged in when a login is given."""

    def __init__(self, port: int, client: Client) -> None:
        self.client = client
        self.login: str | None = None
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._replies = self._socket.makefile("rb")
        try:
            self._introduce()
        except BaseException:
            self.hang_up()
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def local_port(self) -> int:
        """The port of our own end, by which `ss -tn` shows this connection."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Say goodbye, and hang up; it may have been cut off before."""
        with contextlib.suppress(OSError):
            self.command("QUIT")
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self._replies.close()
        self._socket.close()

    def command(self, line: str) -> tuple[int, str]:
        """Send one line, and return the code and the text of the reply; ConnectionError when it was cut off."""
        self._socket.sendall(line.encode() + b"\r\n")
        return self._reply()

    def log_in(self, login: str, password: str, mechanism: str = "LOGIN") -> bool:
        """Whether the server let us in with that (AUTH LOGIN, or PLAIN of RFC 4616)."""
        if mechanism == "PLAIN":
            code, _ = self.command(f"AUTH PLAIN {encoded(f'{chr(0)}{login}{chr(0)}{password}')}")
        else:
            for line in ("AUTH LOGIN", encoded(login)):
                self._expect(334, self.command(line))
            code, _ = self.command(encoded(password))
        if code == 235:
            self.login = login
        return code == 235

    def send(self, message: Message) -> Sent:
        """Send it with its envelope pipelined (RFC 2920). Raises Refused, ConnectionError when it was cut off."""
        envelope = [f"MAIL FROM:<{message.sender}>", *(f"RCPT TO:<{to}>" for to in message.recipients), "DATA"]
        self._socket.sendall("".join(f"{line}\r\n" for line in envelope).encode())
        replies = [self._reply() for _ in envelope]
        if replies[-1][0] != 354:
            self.command("RSET")
            raise Refused(next(text for code, text in replies if code >= 400))
        self._socket.sendall(message.content())
        code, text = self._reply()
        queued = re.search(r"queued as (\w+)", text)
        if code != 250 or queued is None:
            raise Refused(text)
        return Sent(queued[1], message.label, self.login, self.client.address, message.sender, message.recipients)

    def _introduce(self) -> None:
        """Greet the server under the played client's name and address (XCLIENT, postfix.org/XCLIENT_README)."""
        address = ip_address(self.client.address)
        shown = f"IPV6:{address}" if address.version == 6 else str(address)
        self._expect(220, self._reply())
        self._expect(250, self.command(f"EHLO {self.client.helo}"))
        self._expect(220, self.command(f"XCLIENT NAME={self.client.name} ADDR={shown}"))
        self._expect(250, self.command(f"EHLO {self.client.helo}"))

    def _reply(self) -> tuple[int, str]:
        while True:
            line = self._replies.readline().decode(errors="replace")
            if not line:
                raise ConnectionError("the server hung up")
            if line[3:4] != "-":
                return int(line[:3]), line.rstrip()

    @staticmethod
    def _expect(code: int, reply: tuple[int, str]) -> None:
        if reply[0] != code:
            raise ConnectionError(f"expected {code}, and the server said: {reply[1]}")


class Player:
    """Plays clients against one Postfix, and keeps what the server answered: `sent`, `failed_logins`, `refused`."""

    def __init__(self, postfix: Postfix) -> None:
        self.postfix = postfix
        self.sent: list[Sent] = []
        self.failed_logins: list[FailedLogin] = []
        self.refused: list[tuple[str, tuple[str, ...]]] = []  # client address, recipients

    def connect(
        self, client: Client, login: str | None = None, *, mechanism: str = "LOGIN", submission: bool = False
    ) -> Session:
        """An open connection, logged in with the right password if a login is given."""
        ports = self.postfix.ports
        session = Session(ports.submission if submission else ports.smtp, client)
        if login is not None and not session.log_in(login, self.postfix.passwords[login], mechanism):
            session.close()
            raise PermissionError(f"{login} could not log in")
        return session

    def send(
        self,
        client: Client,
        messages: Iterable[Message],
        login: str | None = None,
        *,
        connections: int = 1,
        mechanism: str = "LOGIN",
        submission: bool = False,
    ) -> list[Sent]:
        """Send all of them over so many connections at once; what the server takes is kept in `sent`, too.

        Raises Refused at the first message that the server does not take."""
        messages = list(messages)
        sent: list[Sent] = []

        def one_connection(first: int) -> None:
            with self.connect(client, login, mechanism=mechanism, submission=submission) as session:
                for message in messages[first::connections]:
                    sent.append(session.send(message))

        try:
            with ThreadPoolExecutor(connections) as pool:
                list(pool.map(one_connection, range(connections)))
        finally:
            self.sent += sent
        return sent

    def fail_logins(self, client: Client, logins: Sequence[str]) -> None:
        """Try each of these logins once, with a wrong password, a few on each connection, as bots do."""
        for first in range(0, len(logins), TRIES_PER_CONNECTION):
            with self.connect(client) as session:
                for number, login in enumerate(logins[first : first + TRIES_PER_CONNECTION], first):
                    if session.log_in(login, f"wrong {number}"):
                        raise AssertionError(f"{login} got in with a wrong password")
                    self.failed_logins.append(FailedLogin(client.address, login))

    def probe(self, client: Client, messages: Iterable[Message]) -> None:
        """Try to send these without a login, as one who looks for an open relay; all of them must be refused."""
        with self.connect(client) as session:
            for message in messages:
                try:
                    sent = session.send(message)
                except Refused:
                    self.refused.append((client.address, message.recipients))
                else:
                    raise AssertionError(f"the server relayed for a stranger: {sent}")


def played(postfix: Postfix) -> dict[str, str]:
    """The label of every message in the queue, by queue id, as the real queue files have it (postcat).

    A label is the first X-Played line of the header section: the player writes it before all that a story chose.
    """
    return {queue_id: label_of(header) for queue_id, header in postfix.headers(postfix.queue()).items()}


def label_of(header: bytes) -> str:
    """The label in a header section, `bounce` when there is none."""
    label = re.search(rb"^X-Played: *(\S+)", header, re.MULTILINE)
    return label[1].decode() if label else BOUNCE


def encoded(text: str) -> str:
    """Base64, as AUTH wants it."""
    return base64.b64encode(text.encode()).decode()
