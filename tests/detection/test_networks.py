"""Whom bmtop takes for trusted, and whose mail for ours: the witness is what Postfix itself does over SMTP."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bmtop.monitor
from bmtop.config import Settings
from bmtop.incident.territory import Seen
from bmtop.monitor import Monitor
from bmtop.postfix import networks
from bmtop.postfix.instance import Postfix as Instance
from bmtop.server import CommandFailed, Server
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.mailserver.postfix import run

FILES = {
    "plain": "# ours\n192.0.2.4/31,\n  [2001:db8:1::]/64\n!192.0.2.8 192.0.2.8/31\n",
    "outer": "FOLDER/plain 192.0.2.40\n",
    "ranges": "# ours\n192.0.2.4/31 x\n2001:db8:1::/64 x\n192.0.2.7/24 non-zero host bits, so skipped\n",
    "conditions": "if 192.0.2.0/26\n192.0.2.4/31 x\nendif\n!192.0.2.0/24 x\n",
    "hosts": "192.0.2.4 x\n2001:db8:1::1 x\n192.0.2.8/31 x\n",
    "expressions": "/^192\\.0\\.2\\.[45]$/ x\n",
}
CLIENTS = (
    "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.8", "192.0.2.9", "192.0.2.40", "198.51.100.1",
    "2001:db8:1::1", "2001:db8:2::1",
)  # fmt: skip
VALUES = (
    "192.0.2.0/29, 192.0.2.9/32",
    "[2001:db8:1::]/64 192.0.2.8",
    "[2001:db8:1::/64] [192.0.2.8/31]",
    "!192.0.2.5 192.0.2.4/31",
    "192.0.2.4/31 !192.0.2.5",
    "FOLDER/plain",
    "!FOLDER/plain 192.0.2.0/24 [2001:db8::]/32",
    "FOLDER/outer",
    "cidr:FOLDER/ranges",
    "!cidr:FOLDER/ranges 192.0.2.0/24",
    "cidr:FOLDER/conditions",
    "proxy:hash:FOLDER/hosts",
    "texthash:FOLDER/hosts 192.0.2.6",
    "!regexp:FOLDER/expressions 192.0.2.0/24",
    "inline:{ 192.0.2.4=x, { 192.0.2.9 = y } } 198.51.100.0/24",
    "static:all",
    "$ours 192.0.2.40",
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary(settings={"ours": "192.0.2.4/31"}) as postfix:
        for name, text in FILES.items():
            (postfix.folder / name).write_text(text.replace("FOLDER", str(postfix.folder)))
        run("postmap", "-c", str(postfix.etc), f"hash:{postfix.folder / 'hosts'}")
        yield postfix


def relays(postfix: Postfix, address: str) -> bool:
    with Player(postfix).connect(Client(address)) as session:
        session.command("MAIL FROM:<somebody@example.com>")
        return session.command("RCPT TO:<x@faraway.test>")[0] == 250


@pytest.mark.parametrize("value", VALUES)
def test_whom_mynetworks_lets_in(value: str, postfix: Postfix) -> None:
    mynetworks = f"127.0.0.0/8 {value.replace('FOLDER', str(postfix.folder))}"
    postfix.postconf(mynetworks=mynetworks)
    instance = Instance(Server(), postfix.etc)
    territory = networks.territory(instance, seen=Seen(frozenset(CLIENTS)))
    assert territory.problems == ()
    # A server process of before the reload may still serve one more connection.
    for _ in range(3):
        relays(postfix, "203.0.113.1")
    trusted = {client: territory.lets_in(client) for client in CLIENTS}
    assert {client for client, entry in trusted.items() if entry} == {c for c in CLIENTS if relays(postfix, c)}
    expanded = run("postconf", "-c", str(postfix.etc), "-x", "-h", "mynetworks").stdout.decode().strip()
    for client, entry in trusted.items():
        assert entry is None or entry in networks.entries(expanded)
        assert networks.trusted(instance, expanded, client) == entry


@pytest.mark.parametrize("value", ["192.0.2.7/24", "2001:db8::/32", "192.0.2.0/255.255.255.0", "/no/such/file", "a b"])
def test_an_entry_that_cannot_be_read_is_named_and_the_others_count(value: str, postfix: Postfix) -> None:
    postfix.postconf(mynetworks=f"192.0.2.4 {value}")
    instance = Instance(Server(), postfix.etc)
    territory = networks.territory(instance)
    assert territory.lets_in("192.0.2.4") == "192.0.2.4"
    for entry, problem in zip(value.split(), territory.problems, strict=True):
        assert repr(entry) in problem
    with pytest.raises(CommandFailed):
        networks.trusted(instance, f"192.0.2.4 {value}", "192.0.2.9")


def test_a_change_of_any_file_is_seen(postfix: Postfix) -> None:
    (postfix.folder / "domains").write_text("more.example\n")
    lists = " ".join(("FOLDER/plain", "cidr:FOLDER/ranges", "hash:FOLDER/hosts", "regexp:FOLDER/expressions"))
    postfix.postconf(
        mynetworks=lists.replace("FOLDER", str(postfix.folder)),
        mydestination=f"example.com {postfix.folder}/domains",
    )
    instance = Instance(Server(), postfix.etc)
    assert "more.example" in networks.territory(instance).domains
    for changed in ("plain", "ranges", "hosts.db", "expressions", "domains", "etc/main.cf"):
        territory = networks.territory(instance)
        assert networks.is_current(territory)
        # Long ago, since Postfix's programs wait until a file that has just changed has cooled down.
        os.utime(postfix.folder / changed, (1_000_000_000, 1_000_000_000))
        assert not networks.is_current(territory), changed


@pytest.mark.parametrize("table", ["regexp:FOLDER/branches", "FOLDER/branches.list"])
def test_mail_for_a_relay_domain_is_no_relay_wherever_the_domain_stands(table: str, postfix: Postfix) -> None:
    """A regular expression cannot be listed: it is asked for what came up in the log."""
    (postfix.folder / "branches").write_text("/^branch\\.example$/ x\n")
    (postfix.folder / "branches.list").write_text("branch.example\n")
    postfix.postconf(relay_domains=table.replace("FOLDER", str(postfix.folder)), mynetworks="192.0.2.0/24")
    outside, relay = Client("198.51.100.25"), Client("192.0.2.66")
    began = postfix.log.stat().st_size
    player = Player(postfix)
    player.send(outside, [Message("incoming", "a@partner.example", ("office@branch.example",))])
    for to in ("office@branch.example", "x@faraway.test"):
        player.send(relay, [Message("relay", "a@bank.example", (to,))])
    postfix.settle()
    log = postfix.folder / "part.log"
    log.write_bytes(postfix.log.read_bytes()[began:])
    settings = Settings(log=log, postfix=postfix.etc, state=postfix.folder / "state")
    picture = Monitor(settings, Instance(Server(), postfix.etc)).read_once()
    row = next(row for row in picture.relays if row.client == relay.address)
    assert (row.kind, row.messages, row.recipients) == ("trusted", 1, 1)
    assert outside.address not in {row.client for row in picture.relays}


async def test_the_console_follows_a_change_of_a_file_that_main_cf_names(
    postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bmtop.monitor, "_CONFIGURED_EVERY", 0.1)
    trusted = postfix.folder / "relays"
    trusted.write_text("192.0.2.77\n")
    postfix.postconf(mynetworks=f"127.0.0.0/8 {trusted}", relay_domains="")
    Player(postfix).send(Client("192.0.2.77"), [Message("relay", "a@bank.example", ("x@faraway.test",))])
    postfix.settle()
    settings = Settings(log=postfix.log, postfix=postfix.etc, state=postfix.folder / "state")
    monitor = Monitor(settings, Instance(Server(), postfix.etc))
    reading = asyncio.create_task(monitor.run())
    try:
        await _soon(lambda: (_kind(monitor), _untrusted(monitor)) == ("trusted", False))
        trusted.write_text("# none\n")
        await _soon(lambda: (_kind(monitor), _untrusted(monitor)) == ("trusted", True))
        Path(trusted).write_text("192.0.2.0/24\n")
        await _soon(lambda: (_kind(monitor), _untrusted(monitor)) == ("trusted", False))
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def _soon(true: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, true)


def _kind(monitor: Monitor) -> str | None:
    return next((row.kind for row in monitor.picture().relays if row.client == "192.0.2.77"), None)


def _untrusted(monitor: Monitor) -> bool | None:
    return next((row.untrusted for row in monitor.picture().relays if row.client == "192.0.2.77"), None)
