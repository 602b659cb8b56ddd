"""Random incidents on a real Postfix. What is deleted is judged by a header that the player puts into each message,
and by what the player itself sent; bmtop reads neither."""

import ipaddress
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.mailserver import Client, Message, Player, Postfix, Sent, played
from tests.purge.commandline import Bmtop, queues, raw, several_links

LOGINS = ("alice@example.com", "Alice@alias.example", "alice", "bob@example.com", "carol@example.com", None)
CLIENTS = ("203.0.113.60", "203.0.113.61", "203.0.113.200", "2001:db8:bad::60", "198.51.100.7", "127.0.0.1")
SENDERS = (
    "carol@example.com", "CAROL@Example.com", "bob@example.com", "", "winner@lottery.example", "x@sub.lottery.example",
    "x@mylottery.example", '"a b"@lottery.example', '"carol@example.com"@lottery.example', "alice@example.com",
)  # fmt: skip
RECIPIENTS = (
    "victim@bank.example", "Victim@BANK.example", "carol@bank.example", "victim@sub.bank.example",
    "victim@mybank.example", '"v, w"@bank.example', "alice@elsewhere.example", "bob@elsewhere.example",
)  # fmt: skip
SUBJECTS = ("You have won", "Re: You have won", "Your order", "=?utf-8?q?Gl=C3=BCckwunsch?=", "Lunch?")
SEEDS = range(8)


@dataclass(frozen=True)
class Letter:
    """What was sent, and the queue id that the server named."""

    sent: Sent
    subject: str
    arrival: int


def bare(address: str) -> str:
    """An address without its quotes, and in one case."""
    return address.replace('"', "").lower()


def domain_is(address: str, domain: str) -> bool:
    return bare(address).endswith("@" + domain) and bare(address).count("@" + domain) == 1


def person(login: str | None) -> str | None:
    """Whose login it is: the settings say that alice, and alice at the alias, are one."""
    return "alice" if (login or "").lower().partition("@")[0] == "alice" else login


Test = Callable[[Letter], bool]


def choices(chance: random.Random, letters: list[Letter]) -> Iterable[tuple[list[str], Test]]:
    """Options of the command line, each with what it means, spelt out."""
    login = chance.choice([login for login in LOGINS if login])
    yield ["--login", login], lambda m: person(m.sent.login) == person(login)
    client = chance.choice(CLIENTS)
    yield ["--client", client], lambda m: m.sent.client == client
    network = chance.choice(("203.0.113.0/25", "2001:db8::/32", "::ffff:203.0.113.0/120", "0.0.0.0/0"))
    inside = ipaddress.ip_network("203.0.113.0/24" if network.startswith("::ffff") else network)
    yield ["--client", network], lambda m: ipaddress.ip_address(m.sent.client) in inside
    spared = chance.choice(CLIENTS)
    yield (
        ["--login", login, "--not-client", spared],
        lambda m: person(m.sent.login) == person(login) and m.sent.client != spared,
    )
    sender = chance.choice(SENDERS)
    yield ["--sender", sender or "<>"], lambda m: bare(m.sent.sender) == bare(sender)
    yield ["--sender", "@Lottery.example"], lambda m: domain_is(m.sent.sender, "lottery.example")
    recipient = chance.choice(RECIPIENTS)
    yield ["--recipient", recipient], lambda m: any(bare(to) == bare(recipient) for to in m.sent.recipients)
    yield ["--recipient", "@bank.example"], lambda m: any(domain_is(to, "bank.example") for to in m.sent.recipients)
    yield ["--subject", "^You have"], lambda m: m.subject == "You have won"
    yield ["--subject", "Gl\u00fcck"], lambda m: m.subject.startswith("=?")
    some = chance.sample(letters, 3)
    ids = [argument for m in some for argument in ("--id", m.sent.queue_id)]
    yield ids, lambda m: m.sent.queue_id in ids
    moment = chance.choice(letters).arrival
    iso = datetime.fromtimestamp(moment, timezone.utc).isoformat()
    yield ["--since", iso], lambda m: m.arrival >= moment
    yield ["--before", iso], lambda m: m.arrival < moment
    yield ["--queue", "deferred"], lambda m: True


@pytest.fixture(scope="module", autouse=True)
def _more_logins(shared_postfix: Postfix) -> None:
    shared_postfix.set_password("Alice@alias.example", "Right-alias-1")
    shared_postfix.passwords["alice"] = shared_postfix.passwords["alice@example.com"]


@pytest.fixture
def bmtop(postfix: Postfix, tmp_path: Path) -> Bmtop:
    settings = tmp_path / "bmtop.toml"
    settings.write_text('default_domain = "example.com"\n[domain_aliases]\n"alias.example" = "example.com"\n')
    return Bmtop(postfix, None, "--config", str(settings))


def play(player: Player, chance: random.Random, count: int) -> list[Letter]:
    """Send so many random messages, a connection for each login and client."""
    subjects: dict[str, str] = {}
    for login in LOGINS:
        for address in chance.sample(CLIENTS, 2):
            # Without a login, only our own networks may send elsewhere.
            client = Client(address if login else "127.0.0.1")
            messages = []
            for _ in range(max(1, count // (2 * len(LOGINS)))):
                label = f"m{len(subjects)}"
                subjects[label] = chance.choice(SUBJECTS)
                to = tuple(chance.sample(RECIPIENTS, chance.randint(1, 3)))
                framing = (f"X-Played: m{chance.randrange(count)}", "sasl_username: carol@example.com")
                messages.append(Message(label, chance.choice(SENDERS), to, subjects[label], headers=framing))
            player.send(client, messages, login)
    player.postfix.settle()
    arrivals = player.postfix.queue()
    return [Letter(sent, subjects[sent.label], arrivals[sent.queue_id].arrival_time) for sent in player.sent]


@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_what_was_meant_is_deleted_and_comes_back(
    postfix: Postfix, player: Player, bmtop: Bmtop, seed: int
) -> None:
    chance = random.Random(seed)
    letters = play(player, chance, 60)
    before, all_labels = raw(postfix), set(played(postfix).values())
    assert all_labels == {m.sent.label for m in letters}
    for options, means in chance.sample(list(choices(chance, letters)), 3):
        looked = bmtop("purge", *options, "--dry-run", "--json")
        ids = {m.sent.queue_id for m in letters if means(m)}
        assert set(looked.json["selected"]) == ids, options
    assert raw(postfix) == before
    # Two filters at once, for real.
    (first, one), (second, other) = chance.sample(list(choices(chance, letters))[:10], 2)
    if {first[0], second[0]} & {"--sender", "--recipient", "--login", "--subject"} and first[0] == second[0]:
        second, other = [], lambda m: True
    wanted = {m.sent.label for m in letters if one(m) and other(m)}
    done = bmtop("purge", *first, *second, "--yes", "--json")
    assert done.status == (0 if wanted else 1), done
    assert set(played(postfix).values()) == all_labels - wanted
    assert {m.sent.label for m in letters if m.sent.queue_id in done.json["done"]} == wanted
    if wanted:
        assert bmtop("undo", done.json["undo"], "--yes").status == 0
    assert raw(postfix) == before
    assert {queue_id for queue_id, name in queues(postfix).items() if name == "hold"} == set(done.json["done"])
    assert not several_links(postfix)
