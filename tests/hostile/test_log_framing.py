"""Nobody is accused for a line that somebody else caused: made on a real Postfix, with carol's name in every field
that a sender, or anybody who can connect, may choose.
"""

import base64
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from bmtop.incident.events import Accepted, Activated, Delivery, Event, LoginFailed, Rejected
from bmtop.incident.incident import Incident
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock
from tests.mailserver import Message, Player, Postfix
from tests.mailserver.stories import ALICE, CAROL, OFFICE

ATTACKER = "203.0.113.9"
ELSEWHERE = "198.51.100.99"
ACCEPTED = f"client=unknown[{ELSEWHERE}], sasl_method=LOGIN, sasl_username={CAROL}"
FAILED = f"warning: unknown[{ELSEWHERE}]: SASL LOGIN authentication failed: x, sasl_username={CAROL}"
SMTPD = f"Nov 24 13:19:42 mail postfix/smtpd[1]: 1083520CC3D: {ACCEPTED}"
FRAMES = (
    ACCEPTED,
    f"1083520CC3D: {ACCEPTED}",
    SMTPD,
    f"2026-11-24T13:19:42+00:00 mail postfix/smtpd[1]: 1083520CC3D: {ACCEPTED}",
    f"sasl_username={CAROL}",
    f", sasl_username={CAROL}",
    f", sasl_method=LOGIN, sasl_username={CAROL}",
    FAILED,
    f"message repeated 9999 times: [ {FAILED}]",
    f"x>, size=1, nrcpt=1 (queue active) {SMTPD}",
    f"{CAROL}>, size=1, nrcpt=1 (queue active)",
    f"{CAROL}>, relay=none, delay=0, delays=0/0/0/0, dsn=5.1.1, status=bounced (x)",
    f"{CAROL}>, orig_to=<{CAROL}>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (x)",
    f": Relay access denied; from=<{CAROL}> to=<{CAROL}>",
    f"x>, status=expired, returned to sender {CAROL}",
    f"NOQUEUE: reject: RCPT from unknown[{ELSEWHERE}]: 454 4.7.1 <x>: Relay access denied; from=<{CAROL}>",
    "\x1b[31m\x07\x08\x7f\t[red][/b][@click=app.quit]",
    "‮\u2028\x85ü" + CAROL,
)


class Raw:
    """An SMTP client that says whatever it is told to, byte for byte."""

    def __init__(self, postfix: Postfix, helo: bytes = b"x") -> None:
        self._socket = socket.create_connection(("127.0.0.1", postfix.ports.smtp), timeout=60)
        self._replies = self._socket.makefile("rb")
        self._reply()
        self.say(b"EHLO x")
        self.say(b"XCLIENT NAME=[UNAVAILABLE] ADDR=" + ATTACKER.encode())
        if not self.say(b"EHLO " + helo.replace(b" ", b"")).startswith(b"250"):
            self.say(b"EHLO x")

    def say(self, line: bytes) -> bytes:
        """Send a line and return the last line of the answer; nothing where the server hung up."""
        try:
            self._socket.sendall(line + b"\r\n")
            return self._reply()
        except ConnectionError:
            return b""

    def _reply(self) -> bytes:
        line = b"250-"
        while line[3:4] == b"-":
            line = self._replies.readline()
        return line

    def close(self) -> None:
        self.say(b"QUIT")
        self._replies.close()
        self._socket.close()


@dataclass
class Truth:
    """What the server answered: the envelope of each message it took, and how often it refused."""

    log: bytes = b""
    envelopes: dict[str, tuple[bytes, tuple[bytes, ...]]] = field(default_factory=dict)
    with_login: set[str] = field(default_factory=set)
    refused_logins: int = 0
    refused_relays: int = 0

    def send(self, client: Raw, sender: bytes, recipients: list[bytes], *, login: bool, options: bytes = b"",
             header: bytes = b"X: y") -> None:  # fmt: skip
        """Send a message; what the server does not take is no part of the truth."""
        if not client.say(b"MAIL FROM:<" + sender + b">" + options).startswith(b"250"):
            client.say(b"RSET")
            return
        taken = []
        for recipient in recipients:
            answer = client.say(b"RCPT TO:<" + recipient + b">")
            self.refused_relays += answer.startswith(b"454 4.7.1")
            taken += [recipient] * answer.startswith(b"250")
        if not taken:
            client.say(b"RSET")
            return
        client.say(b"DATA")
        answer = client.say(header + b"\r\nSubject: x\r\n\r\nx\r\n.")
        queued = re.search(rb"queued as (\w+)", answer)
        assert queued, answer
        id = queued[1].decode()
        self.envelopes[id] = (sender, tuple(taken))
        if login:
            self.with_login.add(id)

    def log_in(self, client: Raw, name: bytes, password: bytes) -> bool:
        """Try AUTH LOGIN."""
        client.say(b"AUTH LOGIN")
        client.say(base64.b64encode(name))
        return self.is_in(client.say(base64.b64encode(password)))

    def is_in(self, answer: bytes) -> bool:
        self.refused_logins += answer.startswith(b"535")
        return answer.startswith(b"235")


def quoted(text: str) -> bytes:
    """As the local part of an address (RFC 5321, 4.1.2); SMTP has no control characters there."""
    plain = re.sub(r"[\x00-\x1f\x7f]", "?", text)
    return ('"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"').encode()


def knock(truth: Truth, postfix: Postfix, frame: str) -> None:
    """What somebody without any right can do."""
    raw = frame.encode()
    client = Raw(postfix, helo=raw)
    for name in (raw, b"x, " + raw, raw.replace(b" ", b"\n"), b"\0" + raw):
        truth.log_in(client, name, b"wrong")
    truth.is_in(client.say(b"AUTH PLAIN " + base64.b64encode(raw + b"\0" + raw + b"\0wrong")))
    client.close()
    client = Raw(postfix)
    client.say(b"HELO " + raw)
    for mechanism in (raw.replace(b" ", b"_"), b'"' + raw.replace(b'"', b"") + b'"'):
        client.say(b"AUTH " + mechanism + b" x")
    client.say(raw)
    client.say(b"VRFY " + raw)
    sender = quoted(frame) + b"@lottery.example"
    for recipient in (quoted(frame) + b"@victim.example", quoted(frame) + b"@example.com"):
        truth.send(client, sender, [recipient], login=False, options=utf8(frame))
    client.close()


def spam(truth: Truth, postfix: Postfix, frame: str) -> None:
    """What the thief of a login can do."""
    raw = frame.encode()
    client = Raw(postfix, helo=raw)
    assert truth.log_in(client, ALICE.encode(), postfix.passwords[ALICE].encode())
    here, there = quoted(frame) + b"@lottery.example", quoted(frame) + b"@victim.example"
    at_home = quoted(frame) + b"@example.com"
    xtext = re.sub(rb"[^A-Za-z0-9@.<>,:;\[\]()/-]", lambda found: b"+%02X" % found[0][0], raw)
    plain = re.sub(rb"[^A-Za-z0-9@.,=<>\[\]()/-]", b"", raw).replace(b"<", b"").replace(b">", b"")
    for options in (b"", b" AUTH=" + xtext, b" AUTH=" + plain, b" AUTH=<>", b" ENVID=" + xtext):
        truth.send(client, b"a@lottery.example", [b"b@victim.example"], login=True, options=options)
    truth.send(client, here, [there, at_home, b"b@victim.example"], login=True, options=utf8(frame))
    truth.send(client, CAROL.encode(), [CAROL.encode(), at_home, there], login=True, options=utf8(frame))
    for header in (b"Message-ID: <" + raw + b">", b"Message-ID: <1\r\n " + raw + b">", b"Message-ID: " + raw):
        truth.send(client, b"a@lottery.example", [b"b@victim.example"], login=True, header=header)
    long_one = b"x" * 900 + raw.split(b" ")[0][:60]
    truth.send(client, quoted(long_one.decode()) + b"@lottery.example", [b"b@victim.example"], login=True,
               options=utf8(frame))  # fmt: skip
    client.close()


def utf8(text: str) -> bytes:
    return b"" if text.isascii() else b" SMTPUTF8"


@pytest.fixture(scope="module", params=[False, True], ids=["short ids", "long ids"])
def truth(request: pytest.FixtureRequest) -> Iterator[Truth]:
    with Postfix.temporary(long_queue_ids=request.param, settings={"smtpd_client_port_logging": "yes"}) as postfix:
        found = Truth()
        player = Player(postfix)
        player.send(OFFICE, [Message("honest", CAROL, ("buyer@customer.example",))], CAROL, submission=True)
        for frame in FRAMES:
            knock(found, postfix, frame)
            spam(found, postfix, frame)
        player.send(OFFICE, [Message("honest", CAROL, ("buyer@customer.example",))], CAROL)
        postfix.settle()
        found.log = postfix.log.read_bytes()
        yield found


def read(log: bytes) -> list[Event]:
    return list(events(decoded(log), LogClock()))


def unquoted(address: str) -> bytes:
    """An address as it was meant: the log has quotes only where they are needed."""
    if address.startswith('"'):
        local, _, domain = address.rpartition("@")
        address = re.sub(r"\\(.)", r"\1", local[1:-1]) + f"@{domain}"
    return address.encode("utf-8", "surrogateescape")


def test_a_message_is_of_the_login_that_sent_it(truth: Truth) -> None:
    accepted = [event for event in read(truth.log) if isinstance(event, Accepted)]
    assert Counter((event.login, event.client) for event in accepted) == {
        (ALICE, ATTACKER): len(truth.with_login),
        (None, ATTACKER): len(truth.envelopes) - len(truth.with_login),
        (CAROL, OFFICE.address): 2,
    }
    assert {event.id for event in accepted if event.login == ALICE} == truth.with_login
    assert len(truth.with_login) >= 10 * len(FRAMES)
    assert all(event.origin is None for event in accepted)


def test_sender_and_recipients_are_those_of_the_envelope(truth: Truth) -> None:
    senders: dict[str, bytes] = {}
    recipients: dict[str, list[bytes]] = {}
    for event in read(truth.log):
        if isinstance(event, Activated):
            senders[event.id] = unquoted(event.sender)
        elif isinstance(event, Delivery):
            # Postfix takes `"user@here"@here` for `user@here`, and says then what it was.
            recipients.setdefault(event.id, []).append(unquoted(event.original or event.recipient))
            assert (event.status, event.daemon) in {("deferred", "error"), ("sent", "discard")}
            assert (event.status == "sent") == event.recipient.endswith("@example.com")
    for id, (sender, sent_to) in truth.envelopes.items():
        assert senders[id] == unquoted(sender.decode())
        assert sorted(recipients[id]) == sorted(unquoted(to.decode()) for to in sent_to)


def test_a_refusal_is_of_the_client_that_was_refused(truth: Truth) -> None:
    found = read(truth.log)
    failed = [event.client for event in found if isinstance(event, LoginFailed)]
    denied = [event.client for event in found if isinstance(event, Rejected)]
    # A mechanism that is none is no guess at a password, so it counts or not; the name is always the one typed.
    assert set(failed) == {ATTACKER}
    assert truth.refused_logins <= len(failed) <= truth.refused_logins + 2 * len(FRAMES)
    assert denied == [ATTACKER] * truth.refused_relays
    assert truth.refused_relays > len(FRAMES) // 3


def rfc_3339(log: bytes) -> bytes:
    return re.sub(rb"^(\w{3} [ \d]\d \S{8})", b"2026-11-24T13:19:42.123456+00:00", log, flags=re.MULTILINE)


def other_names(log: bytes) -> bytes:
    return re.sub(rb"^(.{15}) mail postfix/", rb"\1 mx.example.com postfix-out/", log, flags=re.MULTILINE)


def crlf(log: bytes) -> bytes:
    return log.replace(b"\n", b"\r\n")


def no_pid(log: bytes) -> bytes:
    return re.sub(rb"^(.{15} \S+ \S+/\w+)\[\d+\]: ", rb"\1: ", log, flags=re.MULTILINE)


@pytest.mark.parametrize("form", [rfc_3339, other_names, crlf, no_pid])
def test_every_form_of_the_log_says_the_same(truth: Truth, form: Callable[[bytes], bytes]) -> None:
    without_time = [(type(event), event[1:]) for event in read(truth.log)]
    assert [(type(event), event[1:]) for event in read(form(truth.log))] == without_time


def test_the_picture_accuses_nobody_but_the_attacker(truth: Truth) -> None:
    incident = Incident(window=7200, threshold=200)
    found = read(truth.log)
    for event in found:
        incident.feed(event)
    picture = incident.picture(max(event.time for event in found), complete=True)
    rows = {row.login: row for row in picture.senders}
    assert rows.keys() == {ALICE, CAROL}
    assert rows[ALICE].messages == len(truth.with_login)
    assert [client for client, _ in rows[ALICE].clients] == [ATTACKER]
    assert rows[ALICE].suspected
    assert (rows[CAROL].messages, rows[CAROL].reasons, rows[CAROL].suspected) == (2, (), False)
    assert {row.client for row in picture.relays} <= {ATTACKER}
    assert [row.client for row in picture.failed_logins] == [ATTACKER]
