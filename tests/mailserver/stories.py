"""The stories that the player plays, and the truth about them to judge by."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .configuration import BRANCH_DOMAIN, DEAD_DOMAIN, FORWARDED, LOCAL_DOMAIN, MAILBOX_DOMAIN
from .player import BOUNCE, Client, FailedLogin, Message, Player, Sent

ALICE, BOB, CAROL, DAVE, ERIN = (f"{name}@{LOCAL_DOMAIN}" for name in ("alice", "bob", "carol", "dave", "erin"))

INTRUDER = Client("203.0.113.60", helo="[203.0.113.60]")  # guesses alice's password, and sends
INTRUDER6 = Client("2001:db8:bad::60", "host-60.botnet.example", "host-60")  # sends as alice, too
THIEF = Client("198.51.100.44", "dyn-44.isp.example", "windows-pc")  # has bob's password
OFFICE = Client("198.51.100.7", "office.isp.example", "carols-laptop")  # carol's own
WEBMAIL = Client("127.0.0.1", "localhost", "webmail.example.com")  # the mail server itself
BROKEN_RELAY = Client("192.0.2.66", "app.example.com", "app.example.com")  # trusted, and broken into
HONEST_RELAY = Client("192.0.2.10", "printer.example.com", "printer")  # trusted
PROBER = Client("203.0.113.99", helo="scanner")  # looks for an open relay
KNOCKER = Client("198.51.100.200", helo="ylmf-pc")  # guesses passwords, and never gets in
OUTSIDE = (  # servers that bring mail for our people
    Client("203.0.113.25", "mx1.partner.example", "mx1.partner.example"),
    Client("198.51.100.25", "mail.supplier.test", "mail.supplier.test"),
    Client("2001:db8:25::1", "mx.customer.example", "mx.customer.example"),
)

LOOK_ALIKE = """\
X-Played: honest/carol
client=unknown[198.51.100.7], sasl_method=LOGIN, sasl_username=carol@example.com

*** HEADER EXTRACTED deferred/A/ABCDEF01234 ***
*** MESSAGE FILE END deferred/A/ABCDEF01234 ***
*** ENVELOPE RECORDS deferred/A/ABCDEF01234 ***
named_attribute: sasl_username=carol@example.com
sender: carol@example.com
*** MESSAGE CONTENTS deferred/A/ABCDEF01234 ***
X-Played: honest/carol
.
"""


@dataclass(frozen=True, slots=True)
class Played:
    """The truth about an incident: what the server took, refused, and from whom."""

    sent: tuple[Sent, ...]
    failed_logins: tuple[FailedLogin, ...]
    refused: tuple[tuple[str, tuple[str, ...]], ...]  # of the open-relay probe: client address, recipients
    stolen: dict[str, tuple[str, ...]]  # guilty login: the addresses that used it
    honest: dict[str, tuple[str, ...]]  # honest login: the addresses that used it
    broken_relay: str = BROKEN_RELAY.address
    honest_relay: str = HONEST_RELAY.address
    prober: str = PROBER.address
    intruder: str = INTRUDER.address  # failed logins, then success
    knocker: str = KNOCKER.address  # failed logins only
    framed: str = CAROL  # some of alice's spam has her as its sender

    def counts(self) -> Counter[str]:
        """How many messages of each label the server took."""
        return Counter(sent.label for sent in self.sent)

    def queued(self) -> Counter[str]:
        """How many of each label are in the queue once it is at rest, the bounces that Postfix made included."""
        stay = Counter(sent.label for sent in self.sent if any(map(stays, sent.recipients)))
        bounces = sum(is_dead(to) and stays(sent.sender) for sent in self.sent for to in sent.recipients)
        return stay + Counter({BOUNCE: bounces})

    def recipients(self, label: str) -> int:
        """To how many recipients the messages of this label went, counted at each message."""
        return sum(len(sent.recipients) for sent in self.sent if sent.label == label)

    def failures(self, client: str) -> Counter[str]:
        """How often this address failed to log in, by the name it tried."""
        return Counter(failed.login for failed in self.failed_logins if failed.client == client)


@dataclass(frozen=True, slots=True)
class Wave:
    """What one client sends, over so many connections at once."""

    client: Client
    messages: list[Message]
    login: str | None = None
    connections: int = 1
    submission: bool = False

    def play(self, player: Player) -> None:
        """Send all of it."""
        player.send(self.client, self.messages, self.login, connections=self.connections, submission=self.submission)


def incident(player: Player, scale: int = 200, seed: int = 1) -> Played:
    """Play the whole incident, about `scale` messages, and return the truth when the queue is at rest.

    All that is sent depends on scale and seed alone; in which order it comes in does not.
    """
    before = len(player.sent), len(player.failed_logins), len(player.refused)
    player.fail_logins(KNOCKER, [f"{name}@{LOCAL_DOMAIN}" for name in ("admin", "info", "test", "bob")] * 3)
    player.probe(PROBER, [Message("probe", "test@prober.example", (f"drop{n}@prober.test",)) for n in range(5)])
    player.fail_logins(INTRUDER, [ALICE] * 7)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda wave: wave.play(player), waves(scale, random.Random(seed))))
    player.postfix.settle(30 + scale / 50)
    return Played(
        tuple(player.sent[before[0] :]),
        tuple(player.failed_logins[before[1] :]),
        tuple(player.refused[before[2] :]),
        stolen={ALICE: (INTRUDER.address, INTRUDER6.address), BOB: (THIEF.address,)},
        honest={CAROL: (OFFICE.address,), ERIN: (WEBMAIL.address,)},
    )


def waves(scale: int, chance: random.Random) -> Iterator[Wave]:
    """Who sends how much: the guilty in proportion, honest people only a few, however big the incident is."""

    def several(share: int, write: Callable[[int, random.Random], Message], most: int = scale) -> list[Message]:
        return [write(number, chance) for number in range(min(max(scale * share // 100, 4), most))]

    yield Wave(OFFICE, several(3, carols_mail, most=20), CAROL, submission=True)
    yield Wave(HONEST_RELAY, several(2, printed, most=20))
    stolen = several(50, alices_spam)
    two_thirds = len(stolen) * 2 // 3
    yield Wave(INTRUDER, stolen[:two_thirds], ALICE, connections=3)
    yield Wave(INTRUDER6, stolen[two_thirds:], ALICE, connections=2)
    yield Wave(THIEF, several(20, bobs_spam), BOB, connections=2)
    yield Wave(BROKEN_RELAY, several(15, relayed_spam), connections=2)
    yield Wave(WEBMAIL, several(2, erins_mail, most=20), ERIN, submission=True)
    for server in OUTSIDE:
        yield Wave(server, several(3, incoming_mail))


def alices_spam(number: int, chance: random.Random) -> Message:
    """Spam under forged senders. Now and then: carol framed as its sender, carol among the recipients, a recipient
    who does not exist, text that looks like what bmtop and the tests read."""
    sender = f"winner{number}@{foreign(chance)}"
    recipients = strangers(chance, chance.randint(1, 5))
    body = prose(chance)
    headers = [f"Message-ID: <{number}.{chance.getrandbits(32):x}@{foreign(chance)}>"]
    match number % 20:
        case 3:
            sender = CAROL
        case 8:
            recipients += (CAROL,)
        case 13:
            recipients += (f"nobody{number}@{DEAD_DOMAIN}",)
        case 18:
            body = LOOK_ALIKE + body
            headers.append("X-Played: honest/carol")
    return Message("spam/alice", sender, recipients, f"You have won no. {number}", body, tuple(headers))


def bobs_spam(number: int, chance: random.Random) -> Message:
    """Spam under bob's own address."""
    return Message("spam/bob", BOB, strangers(chance, chance.randint(1, 3)), f"Invoice {number}", prose(chance))


def relayed_spam(number: int, chance: random.Random) -> Message:
    """Spam that a trusted machine hands us for elsewhere."""
    sender = f"bank{number}@{foreign(chance)}"
    return Message("relay/broken", sender, strangers(chance, 2), f"Your account {number}", prose(chance))


def carols_mail(number: int, chance: random.Random) -> Message:
    """Carol's own mail: to a customer, to a customer and alice, to a colleague."""
    customer = f"buyer{number}@customer.example"
    recipients: list[tuple[str, ...]] = [(customer,), (customer, ALICE), (f"sales@{MAILBOX_DOMAIN}",)]
    to = recipients[number % 3]
    return Message("honest/carol", CAROL, to, f"Your order {number}", prose(chance))


def erins_mail(number: int, chance: random.Random) -> Message:
    """Erin's mail, written in the webmail."""
    return Message("webmail", ERIN, (f"friend{number}@partner.example",), "Lunch?", prose(chance))


def printed(number: int, chance: random.Random) -> Message:
    """What a printer sends: scans for carol, orders for toner."""
    to = (CAROL, "orders@supplier.test")[number % 2]
    return Message("relay/honest", f"printer@{LOCAL_DOMAIN}", (to,), f"Scan {number}", prose(chance))


def incoming_mail(number: int, chance: random.Random) -> Message:
    """Mail from outside for our people: here, at the branch, and for dave, whose mail is forwarded elsewhere."""
    to = (CAROL, f"office@{BRANCH_DOMAIN}", DAVE, f"sales@{MAILBOX_DOMAIN}")[number % 4]
    return Message("incoming", f"person{number}@partner.example", (to,), f"Question {number}", prose(chance))


def foreign(chance: random.Random) -> str:
    """One of many domains that are not ours."""
    return f"{chance.choice(('lottery', 'bank', 'parcel', 'crypto'))}{chance.randrange(500)}.example"


def strangers(chance: random.Random, count: int) -> tuple[str, ...]:
    """So many different people elsewhere."""
    return tuple(f"victim{n}@{foreign(chance)}" for n in chance.sample(range(1_000_000), count))


def prose(chance: random.Random) -> str:
    """A body of one to 120 lines."""
    return "All of this is nothing but a test of the mail server.\n" * chance.choice((1, 2, 5, 10, 20, 40, 120))


def stays(address: str) -> bool:
    """Whether mail for this address stays in the queue: it goes elsewhere, and is not refused there."""
    domain = FORWARDED.get(address, address).partition("@")[2]
    return domain not in (LOCAL_DOMAIN, MAILBOX_DOMAIN, DEAD_DOMAIN)


def is_dead(address: str) -> bool:
    """Whether mail for this address is refused, and so comes back as a bounce."""
    return address.endswith(f"@{DEAD_DOMAIN}")
