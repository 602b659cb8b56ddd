"""Whom mail is for, however its recipient is written: the witness is where Postfix takes it, or whom it refuses.

In the test Postfix mail for our own people is gone at once, and mail for elsewhere stays in the queue.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bmtop.checked import Client as CheckedClient
from bmtop.config import Settings
from bmtop.incident.picture import Relay
from bmtop.postfix.instance import Postfix as Instance
from bmtop.reading import Reading
from bmtop.server import Server
from tests.containment.conftest import site
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.mailserver.postfix import run
from tests.mailserver.stories import OUTSIDE

MAIL_NAME = "mail.example.com"
SETTINGS = {
    # A name without a dot is one of our own machines.
    "append_dot_mydomain": "yes",
    "mydomain": "example.com",
    "mydestination": f"example.com, {MAIL_NAME}",
}
ROUTED = (
    "v@remote.invalid",
    "v@remote.invalid.",
    "remote.invalid!v",
    "remote.invalid!v@example.com",
    "remote.invalid!v@[127.0.0.1]",
    "example.com!remote.invalid!v",
    "remote.invalid!example.com!v",
    "example.com!v%remote.invalid",
    "other.invalid!v%remote.invalid@example.com",
    "v%remote.invalid",
    "v%remote.invalid@",
    "v%remote.invalid@example.com",
    "v%remote.invalid@example.com.",
    "v%remote.invalid%@example.com",
    "v%remote.invalid@[127.0.0.1]",
    "v%[203.0.113.9]@example.com",
    "v@remote.invalid@example.com",
    "v\\@remote.invalid@example.com",
    "@example.com:v@remote.invalid",
    '"v@remote.invalid"',
    '"remote.invalid!v"',
    '"v@remote.invalid"@example.com',
    '"v%remote.invalid"@example.com',
    '"remote.invalid!v"@example.com',
    '"v@remote.invalid"@example.com.',
)
OURS = (
    "carol@example.com",
    "carol@EXAMPLE.com.",
    "carol@[127.0.0.1]",
    "carol@mail",
    "carol%example.com",
    "carol%mail",
    "carol%example.net@example.com",
    "carol%[127.0.0.1]@example.com",
    "example.com!carol",
    "@remote.invalid:carol@example.com",
    '"a b"@example.com',
    '"carol@example.com"@example.com',
    "postmaster",
    # Dave has his mail sent on to elsewhere.
    "dave@example.com",
    "dave@example.com.",
    "example.com!dave",
    "dave%example.com",
)
STRANGER = Client("198.51.100.200", "mx.stranger.example")


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary(settings=SETTINGS) as postfix:
        yield postfix


def report(postfix: Postfix, state: Path, log: Path | None = None) -> dict[str, Relay]:
    """What `bmtop report` has of relay clients, by address."""
    settings = Settings(log=log or postfix.log, state=state)
    picture = Reading(settings, Instance(Server(), postfix.etc)).read_once()
    return {row.client: row for row in picture.relays}


def sent(postfix: Postfix, client: Client, recipients: Sequence[str], sender: str = "s@stranger.example") -> list[str]:
    """Send one message to each, and return their queue ids."""
    ids = [m.queue_id for m in Player(postfix).send(client, [Message("x", sender, (to,)) for to in recipients])]
    postfix.settle()
    return ids


def test_a_trusted_client_cannot_hide_its_spam_behind_recipients_that_are_routed_through_us(
    postfix: Postfix, tmp_path: Path
) -> None:
    clients = {Client(f"192.0.2.{number}"): form for number, form in enumerate(ROUTED, 60)}
    ids = {form: sent(postfix, client, [form])[0] for client, form in clients.items()}
    queue = postfix.queue()
    assert {form for form, id in ids.items() if id in queue} == set(ROUTED)
    rows = report(postfix, tmp_path)
    seen = {form: rows.get(client.address) for client, form in clients.items()}
    assert {form for form, row in seen.items() if row is None or (row.messages, row.queued) != (1, 1)} == set()
    # With an empty log, the queue alone shows it as well.
    empty = tmp_path / "empty.log"
    empty.touch()
    rows = report(postfix, tmp_path, empty)
    assert {form for client, form in clients.items() if client.address not in rows} == set()


@pytest.mark.parametrize("waits", [False, True], ids=["delivered", "queued"])
def test_mail_for_our_own_people_makes_nobody_a_relay_however_they_are_called(
    postfix: Postfix, tmp_path: Path, waits: bool
) -> None:
    """A stranger may send all of it: Postfix refuses him whatever goes elsewhere."""
    postfix.postconf(defer_transports="smtp, relay, discard" if waits else "smtp, relay")
    client = Client(f"198.51.100.{201 + waits}")
    ids = sent(postfix, client, OURS)
    queue = postfix.queue()
    assert sum(id in queue for id in ids) == (len(OURS) if waits else 4)
    postfix.postconf(defer_transports="smtp, relay")
    assert client.address not in report(postfix, tmp_path)
    empty = tmp_path / "empty.log"
    empty.touch()
    assert client.address not in report(postfix, tmp_path, empty)


@pytest.mark.parametrize(
    "settings",
    [
        {"always_bcc": "Journal@archive.invalid"},
        {"recipient_bcc_maps": "inline:{ { carol@example.com = carol@archive.invalid } }"},
        {"recipient_bcc_maps": "proxy:hash:FOLDER/copies"},
        {"sender_bcc_maps": "static:journal@archive.invalid"},
    ],
    ids=lambda settings: next(f"{name} {value.partition(':')[0]}" for name, value in settings.items()),
)
def test_the_copies_that_postfix_itself_makes_accuse_nobody(settings: dict[str, str], tmp_path: Path) -> None:
    with Postfix.temporary() as postfix:
        (postfix.folder / "copies").write_text("carol@example.com carol@archive.invalid\n")
        run("postmap", "-c", str(postfix.etc), f"hash:{postfix.folder / 'copies'}")
        postfix.postconf(**{name: value.replace("FOLDER", str(postfix.folder)) for name, value in settings.items()})
        for server in OUTSIDE:
            sent(postfix, server, ["carol@example.com"], "someone@partner.example")
        copies = {to.lower() for message in postfix.queue().values() for to in message.recipients}
        assert copies in ({"journal@archive.invalid"}, {"carol@archive.invalid"})
        assert report(postfix, tmp_path) == {}
        # Who sends elsewhere is seen beside it.
        sent(postfix, Client("192.0.2.80"), ["v@remote.invalid"])
        assert {client: row.recipients for client, row in report(postfix, tmp_path).items()} == {"192.0.2.80": 1}


def test_copies_of_a_table_that_cannot_be_listed_are_named(tmp_path: Path) -> None:
    with Postfix.temporary(settings={"recipient_bcc_maps": "regexp:/etc/no-such-table"}) as postfix:
        settings = Settings(log=postfix.log, state=tmp_path)
        (problem,) = Reading(settings, Instance(Server(), postfix.etc)).read_once().problems
    assert "regexp:/etc/no-such-table" in problem
    assert "recipient_bcc_maps" in problem


def test_the_watch_sees_spam_whose_recipients_are_routed_through_us(postfix: Postfix, tmp_path: Path) -> None:
    here = site(postfix, tmp_path)
    honest = here.responder.runbook(here.messages, client=CheckedClient(STRANGER.address))
    guilty = here.responder.runbook(here.messages, client=CheckedClient("192.0.2.50"))
    for book in (honest, guilty):
        book.run("watch")
        book.tick()
    begun = time.time()
    wait_until(lambda: time.time() > begun + 1, what="the log's seconds, which are whole, are past that")
    sent(postfix, STRANGER, ["carol@example.com.", "carol@[127.0.0.1]", "example.com!dave"])
    sent(postfix, Client("192.0.2.50"), ["remote.invalid!v@example.com"])
    for book in (honest, guilty):
        book.tick()
    states = [book.verdict.state for book in (honest, guilty) if book.verdict]
    for book in (honest, guilty):
        book.close()
    assert states == ["watching", "alarm"]
