"""Who refuses our mail, from the answers of a real SMTP server; its name in the log is put in afterwards."""

import contextlib
import re
import subprocess
from collections.abc import Iterator

import pytest

from bmtop.config import Settings
from bmtop.incident.picture import Picture
from bmtop.monitor import Monitor
from bmtop.postfix.instance import Postfix as Instance
from bmtop.server import Server
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.mailserver.ports import free_ports, is_listening

OFFICE = Client("198.51.100.7")
CAROL = "carol@example.com"
# The server's name, what it says, at which command, and who that is
ANSWERS = (
    (
        "mx.partner.example",
        "550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        "RCPT",
        "Spamhaus",
    ),
    (
        "mx.other.example",
        "554 5.7.1 Blocked - see https://www.barracudacentral.org/lookups?192.0.2.1",
        "RCPT",
        "Barracuda",
    ),
    (
        "mx1.hotmail.com",
        "550 5.7.1 Messages from [192.0.2.1] weren't sent: part of their network is on our block list (S3140).",
        "MAIL",
        "Microsoft",
    ),
    (
        "gmail-smtp-in.l.google.com",
        "421 4.7.28 Our system has detected an unusual rate of unsolicited mail from your IP address.",
        "DATA",
        "Google",
    ),
    (
        "mta5.am0.yahoodns.net",
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
        "MAIL",
        "Yahoo",
    ),
    ("smtp-in.orange.fr", "421 4.3.0 Service refused, please try later. LPN007_405", "MAIL", "Orange"),
    # Nobody who blocks us
    ("mx.partner.example", "550 5.1.1 <a@partner.example>: spamhaus, blocked using zen.spamhaus.org", "RCPT", None),
    ("mx.partner.example", "450 4.7.1 Greylisted, blocked for 5 minutes", "RCPT", None),
    ("mx.partner.example", "452 4.2.2 Mailbox full", "RCPT", None),
    ("mx.partner.example", "550 5.7.26 Unauthenticated mail is blocked by the DMARC policy", "DATA", None),
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        yield postfix


@contextlib.contextmanager
def refusing(postfix: Postfix, answer: str, at: str) -> Iterator[int]:
    """An SMTP server that says this at that command (smtp-sink(1)); gives its port."""
    port = free_ports(1)[0]
    option = "-r" if answer.startswith("4") else "-f"
    text = "-b" if answer.startswith("4") else "-B"
    command = ["smtp-sink", "-u", "postfix", option, at, text, answer, f"127.0.0.1:{port}", "50"]
    environment = {"PATH": "/usr/sbin:/usr/bin", "MAIL_CONFIG": str(postfix.etc)}
    sink = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port), what="smtp-sink listens")
        yield port
    finally:
        sink.kill()
        sink.wait()


@pytest.fixture(scope="module")
def picture(postfix: Postfix) -> Picture:
    """What bmtop makes of two messages to each of these servers, with two recipients each."""
    names = {}
    with contextlib.ExitStack() as stack:
        transports = []
        for number, (name, answer, at, _) in enumerate(ANSWERS):
            port = stack.enter_context(refusing(postfix, answer, at))
            names[port] = name
            transports.append(f"d{number}.example = dead:[127.0.0.1]:{port}")
        postfix.postconf(transport_maps="inline:{ " + ", ".join(f"{{ {line} }}" for line in transports) + " }")
        for number in range(len(ANSWERS)):
            to = (f"a@d{number}.example", f"b@d{number}.example")
            Player(postfix).send(OFFICE, [Message("own", CAROL, to)] * 2, CAROL)
        postfix.settle()
        # Each recipient is told of once, however often it is tried again.
        postfix.flush()
        wait_until(lambda: postfix.log.read_text().count("to=<b@d3.example>") >= 4, what="it is tried again")
        postfix.settle()
    log = postfix.folder / "named.log"
    log.write_text(
        re.sub(
            r"127\.0\.0\.1\[127\.0\.0\.1\](:(\d+))?",
            lambda found: f"{names.get(int(found[2] or 0), 'NAME')}[203.0.113.25]{found[1] or ''}",
            postfix.log.read_text(),
        )
    )
    log.write_text(re.sub(r"relay=(\S+?)\[(.*?host )NAME\[", r"relay=\1[\2\1[", log.read_text()))
    settings = Settings(log=log, postfix=postfix.etc, state=postfix.folder / "state")
    return Monitor(settings, Instance(Server(), postfix.etc)).read_once()


def test_each_is_named_with_how_many_it_refused(picture: Picture) -> None:
    found = {row.who: row for row in picture.blocked}
    assert found.keys() == {who for *_, who in ANSWERS if who}
    assert {row.recipients for row in found.values()} == {4}
    assert {row.deferred for row in found.values()} == {0, 4}
    assert found["Google"].deferred == 4
    assert (found["Spamhaus"].kind, found["Microsoft"].kind) == ("list", "provider")


def test_since_when_and_in_whose_words(picture: Picture) -> None:
    spamhaus = next(row for row in picture.blocked if row.who == "Spamhaus")
    assert spamhaus.since <= spamhaus.last_seen <= picture.generated
    assert spamhaus.host.startswith("mx.partner.example[203.0.113.25]")
    assert "blocked using zen.spamhaus.org" in spamhaus.answer


def test_who_is_refused_for_the_servers_name_is_not_suspected(picture: Picture) -> None:
    carol = next(row for row in picture.senders if row.login == CAROL)
    assert (carol.suspected, carol.reasons) == (False, ())
