"""The kinds of incident, each with its ground truth. Everywhere, honest people go on with their work."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bmtop.response.gate import Gate
from bmtop.response.journal import Journal
from bmtop.response.known import KnownRelays
from tests.mailserver import Client, Message
from tests.mailserver.configuration import DEAD_DOMAIN
from tests.mailserver.stories import (
    ALICE,
    BOB,
    BROKEN_RELAY,
    CAROL,
    DAVE,
    ERIN,
    HONEST_RELAY,
    INTRUDER,
    INTRUDER6,
    KNOCKER,
    OFFICE,
    OUTSIDE,
    PROBER,
    THIEF,
    WEBMAIL,
    alices_spam,
    carols_mail,
    erins_mail,
    foreign,
    incoming_mail,
    printed,
    prose,
    strangers,
)

from .stage import Stage, Truth

FRANK, NEWS = "frank@example.com", "news@example.com"
HOME = Client("198.51.100.120", "home.isp.example", "franks-laptop")
TRAIN = Client("198.51.100.190", "mobile.isp.example", "franks-phone")
NEWS_HOST = Client("198.51.100.80", "news.agency.example", "mailer")
GATEWAY = Client("192.0.2.20", "gateway.example.com", "gateway")  # trusted, forwards other people's mail
STRANGER = Client("203.0.113.77", "cheap.hosting.example", "vps")
PRINTER_KIND = {HONEST_RELAY.address: "trusted"}


@dataclass(frozen=True)
class Kind:
    """A kind of incident: `story` plays it, and returns the truth."""

    name: str
    what: str
    story: Callable[[Stage], Truth]


def _chance(seed: int) -> random.Random:
    return random.Random(seed)


def honest_work(stage: Stage) -> None:
    """What goes on in every kind: people's mail, webmail, a mistyped password, a printer, mail coming in for us."""
    chance = _chance(1)
    stage.send(OFFICE, [carols_mail(n, chance) for n in range(8)], CAROL)
    stage.send(WEBMAIL, [erins_mail(n, chance) for n in range(4)], ERIN)
    stage.fail(HOME, FRANK, FRANK, FRANK)
    stage.send(HOME, [_own(FRANK, n, 1, chance) for n in range(3)], FRANK)
    stage.send(TRAIN, [_own(FRANK, n, 1, chance) for n in range(2)], FRANK)
    stage.send(HONEST_RELAY, [printed(n, chance) for n in range(4)])
    for server in OUTSIDE:
        stage.send(server, [incoming_mail(n, chance) for n in range(4)])


def _own(login: str, number: int, recipients: int, chance: random.Random) -> Message:
    return Message("own", login, strangers(chance, recipients), f"Letter {number}", prose(chance))


def _spam_as(login: str, number: int, recipients: int, chance: random.Random, dead: bool = False) -> Message:
    to = strangers(chance, recipients)
    if dead:
        to = (*to, f"nobody{number}@{DEAD_DOMAIN}")
    return Message(f"spam/{login}", login, to, f"Invoice {number}", prose(chance))


def forged_senders(stage: Stage) -> Truth:
    """Alice's password is guessed; the spam has many senders, one of them carol."""
    honest_work(stage)
    chance = _chance(2)
    stage.fail(INTRUDER, *[ALICE] * 7)
    stage.send(INTRUDER, [alices_spam(n, chance) for n in range(60)], ALICE, connections=2)
    stage.send(INTRUDER6, [alices_spam(n, chance) for n in range(60, 90)], ALICE)
    return Truth(frozenset({ALICE}), relays=PRINTER_KIND, break_ins=frozenset({INTRUDER.address}))


def under_his_own_name(stage: Stage) -> Truth:
    """Bob worked at the office; now one foreign address sends as him, under his own address."""
    chance = _chance(3)
    stage.send(OFFICE, [_own(BOB, n, 1, chance) for n in range(5)], BOB)
    stage.minutes_pass(10)
    honest_work(stage)
    stage.send(THIEF, [_spam_as(BOB, n, 2, chance) for n in range(60)], BOB, connections=2)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND)


def botnet(stage: Stage) -> Truth:
    """A few messages from each of many addresses, under alice's own address: no rate stands out."""
    honest_work(stage)
    chance = _chance(4)
    bots = [Client(f"203.0.113.{n * 4 + 1}") for n in range(4)]
    bots += [Client(f"198.51.100.{n}") for n in (30, 31, 32)]
    bots += [Client(f"2001:db8:{n:x}::5") for n in range(16, 28)]
    for bot in bots:
        stage.send(bot, [_spam_as(ALICE, n, 1, chance) for n in range(2)], ALICE)
    return Truth(frozenset({ALICE}), relays=PRINTER_KIND)


def web_session(stage: Stage) -> Truth:
    """A stolen webmail session: the mail comes from the server's own address, as erin's honest mail does."""
    honest_work(stage)
    chance = _chance(5)
    stage.send(WEBMAIL, [_spam_as(BOB, n, 1, chance) for n in range(70)], BOB, connections=2)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND)


def beside_a_newsletter(stage: Stage) -> Truth:
    """An honest newsletter sends ten times as much as the stolen login, whose list is full of dead addresses."""
    honest_work(stage)
    chance = _chance(6)
    news = [_own(NEWS, n, 1, chance) for n in range(396)]
    news += [Message("news", NEWS, (f"left{n}@{DEAD_DOMAIN}",)) for n in range(4)]
    stage.send(NEWS_HOST, news, NEWS, connections=4)
    stage.send(THIEF, [_spam_as(BOB, n, 1, chance, dead=n % 3 == 0) for n in range(40)], BOB)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND)


def many_recipients(stage: Stage) -> Truth:
    """Few messages, each to many, under one forged sender; and an honest choir's mail to all of its singers."""
    honest_work(stage)
    chance = _chance(7)
    sender = "service@bank.example"
    spam = [Message("spam/bob", sender, strangers(chance, 50), f"Your account {n}", prose(chance)) for n in range(12)]
    stage.send(THIEF, spam, BOB)
    stage.send(OFFICE, [Message("choir", CAROL, strangers(chance, 40), "Rehearsal") for _ in range(3)], CAROL)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND)


def many_names(stage: Stage) -> Truth:
    """One address tries a list of names, gets in under one, and has only begun to send."""
    honest_work(stage)
    chance = _chance(8)
    names = [f"{name}@example.com" for name in ("admin", "info", "test", "sales", "alice", "carol", "erin", "post")]
    stage.fail(INTRUDER, *names, *names[:4])
    stage.send(INTRUDER, [_spam_as(BOB, n, 1, chance) for n in range(3)], BOB)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND, break_ins=frozenset({INTRUDER.address}))


def many_guessers(stage: Stage) -> Truth:
    """Many addresses guess at two names. One of them gets in as alice; carol, guessed at as much, travels."""
    honest_work(stage)
    chance = _chance(9)
    guessers = [Client(f"203.0.113.{n}") for n in range(100, 112)]
    for guesser in guessers:
        stage.fail(guesser, ALICE, CAROL, CAROL)
    stage.send(TRAIN, [carols_mail(n, chance) for n in range(4)], CAROL)
    stage.send(guessers[7], [_spam_as(ALICE, n, 2, chance) for n in range(50)], ALICE)
    return Truth(frozenset({ALICE}), relays=PRINTER_KIND)


def several_logins(stage: Stage) -> Truth:
    """One person under three logins: her address, an alias of the domain, and the domain's uid."""
    honest_work(stage)
    chance = _chance(10)
    for login in (ALICE, "alice@alias.example", "alice@0f3a9c.internal"):
        stage.send(INTRUDER, [alices_spam(n, chance) for n in range(15)], login)
    aliases = {"alias.example": "example.com", "0f3a9c.internal": "example.com"}
    return Truth(frozenset({ALICE}), relays=PRINTER_KIND, settings={"domain_aliases": aliases})


def framed(stage: Stage) -> Truth:
    """All that a spammer can write points at carol: senders, recipients, HELO, message ids, failed logins."""
    honest_work(stage)
    chance = _chance(11)
    liar = Client("203.0.113.66", helo="x,sasl_username=carol@example.com")
    said = "client=office.isp.example[198.51.100.7], sasl_method=LOGIN, sasl_username=carol@example.com"
    stage.fail(liar, *[CAROL] * 30)
    stage.fail(liar, "x, sasl_username=carol@example.com", "[/red]carol@example.com", "")
    spam = [
        Message("spam/bob", sender, (*strangers(chance, 2), CAROL), "Hello", headers=(f"Message-ID: <{n}: {said}>",))
        for n in range(20)
        for sender in (CAROL, f'"a> {said}"@{foreign(chance)}')
    ]
    stage.send(liar, spam, BOB)
    return Truth(frozenset({BOB}), relays=PRINTER_KIND)


def broken_relay(stage: Stage) -> Truth:
    """A machine in a trusted range was broken into; another one there forwards mail, and is known to."""
    state = stage.postfix.folder / "state"
    KnownRelays(state).mark(Gate(state, Journal(state), read_only=False), GATEWAY.address)
    honest_work(stage)
    chance = _chance(12)
    forwarded = [
        Message("forwarded", f"person{n}@{foreign(chance)}", (f"erin{n}@elsewhere.example",)) for n in range(40)
    ]
    stage.send(GATEWAY, forwarded)
    spam = [
        Message("relay/broken", f"bank{n}@{foreign(chance)}", strangers(chance, 2), f"Account {n}") for n in range(50)
    ]
    stage.send(BROKEN_RELAY, spam, connections=2)
    relays = {**PRINTER_KIND, GATEWAY.address: "trusted", BROKEN_RELAY.address: "trusted"}
    return Truth(guilty_relays=frozenset({BROKEN_RELAY.address}), relays=relays)


@contextmanager
def _opened(stage: Stage) -> Iterator[None]:
    """Make an open relay of this server, by a slip that is seen often: our own domain as sender is let through."""
    ours = "check_sender_access inline:{ { example.com = OK } }"
    for_us = "permit_sasl_authenticated, permit_mynetworks"
    restrictions = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
    stage.postfix.postconf(**dict.fromkeys(restrictions, f"{for_us}, {ours}, reject_unauth_destination"))
    try:
        yield
    finally:
        stage.postfix.postconf(**dict.fromkeys(restrictions, f"{for_us}, reject_unauth_destination"))


def open_relay(stage: Stage) -> Truth:
    """The server relays for whoever claims to be one of us; one stranger has found out, others bring mail for us."""
    chance = _chance(13)
    with _opened(stage):
        honest_work(stage)
        spam = [
            Message("relay/open", f"win{n}@example.com", strangers(chance, 3), f"Prize {n}", prose(chance))
            for n in range(40)
        ]
        stage.send(STRANGER, spam)
    guilty = frozenset({STRANGER.address})
    return Truth(guilty_relays=guilty, relays={**PRINTER_KIND, STRANGER.address: "open"})


def nothing_but_noise(stage: Stage) -> Truth:
    """Nobody is guilty: guesses that fail, tries at relaying that are refused, a newsletter, and a traveller."""
    chance = _chance(14)
    stage.send(OFFICE, [carols_mail(n, chance) for n in range(4)], CAROL)
    stage.minutes_pass(10)
    honest_work(stage)
    stage.fail(KNOCKER, *[ALICE, BOB, NEWS, "admin@example.com"] * 8)
    stage.player.probe(PROBER, [Message("probe", "t@prober.example", (f"drop{n}@prober.test",)) for n in range(5)])
    stage.send(NEWS_HOST, [_own(NEWS, n, 1, chance) for n in range(300)], NEWS, connections=4)
    stage.send(TRAIN, [carols_mail(n, chance) for n in range(6)], CAROL)
    stage.send(OUTSIDE[0], [Message("incoming", f"a{n}@partner.example", (DAVE,)) for n in range(40)])
    return Truth(relays={**PRINTER_KIND, PROBER.address: "refused"})


KINDS = (
    Kind("forged senders", "guessed password, two addresses, many senders", forged_senders),
    Kind("own sender", "one new address, the account's own sender", under_his_own_name),
    Kind("botnet", "two messages from each of 19 addresses", botnet),
    Kind("web session", "from the server's own address", web_session),
    Kind("beside a newsletter", "a tenth of its volume, to a bad list", beside_a_newsletter),
    Kind("many recipients", "12 messages to 50 each, one forged sender", many_recipients),
    Kind("many names", "one address, eight names, three messages", many_names),
    Kind("many guessers", "twelve addresses, two names, one gets in", many_guessers),
    Kind("several logins", "one account under three names", several_logins),
    Kind("framed", "all that can be written names somebody else", framed),
    Kind("trusted relay", "one of three in a trusted range was broken into", broken_relay),
    Kind("open relay", "a slip in main.cf, found by one stranger", open_relay),
    Kind("noise", "guessing, probing, a newsletter; nobody is guilty", nothing_but_noise),
)
