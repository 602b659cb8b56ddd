"""How each one in the story behaves: every function yields one actor's beats, in the order of time."""

from collections.abc import Iterator
from random import Random

from bmtop.demo import cast
from bmtop.demo.beats import Beat, Connect, Login, OpenWebmail, Quit, Send
from bmtop.demo.cast import Client, Person
from bmtop.demo.daemons.providers import victim

PAST = 2400.0  # seconds of quiet before the story begins
END = 3600.0
BREAK_IN = 12.5
_ENOUGH = 300.0  # from here on the bots send only now and then: the queue is bounded
# Messages a second of the stolen login: until when, and how many.
_PACE = ((45.0, 16.0), (120.0, 9.0), (_ENOUGH, 4.0), (END, 0.15))


def colleague(rng: Random, person: Person, number: int) -> Iterator[Beat]:
    """One of our people, who writes a message every few minutes."""
    at, turn = -PAST + rng.uniform(0, 200), 0
    while at < END:
        connection = f"colleague {number} {turn}"
        recipients = tuple(
            f"{rng.choice(('orders', 'desk', 'team', 'contact', 'service'))}@{rng.choice(person.domains)}"
            for _ in range(1 if rng.random() < 0.8 else 2)
        )
        letter = Send(
            "honest", person.login, tuple(dict.fromkeys(recipients)), rng.choice(cast.HONEST_SUBJECTS),
            rng.randrange(1, 12), as_login=True,
        )  # fmt: skip
        yield Beat(at, connection, person.client, Connect())
        yield Beat(at + 0.2, connection, person.client, Login(person.login, person.password, "PLAIN"))
        yield Beat(at + 0.5, connection, person.client, letter)
        yield Beat(at + 0.9, connection, person.client, Quit())
        at, turn = at + rng.uniform(60, 240), turn + 1


def queued_offer(rng: Random) -> Iterator[Beat]:
    """The owner of the stolen login writes from the office, to someone whose server is down: a purge can spare it."""
    office = cast.SALES.client
    for turn, at in enumerate((-700.0, 21.0)):
        to = ("orders@offline.example",)
        offer = Send("honest", cast.SALES.login, to, "Our offer, as promised", 6, as_login=True)
        yield Beat(at, f"offer {turn}", office, Connect())
        yield Beat(at + 0.2, f"offer {turn}", office, Login(cast.SALES.login, cast.SALES.password, "PLAIN"))
        yield Beat(at + 0.5, f"offer {turn}", office, offer)
        yield Beat(at + 0.9, f"offer {turn}", office, Quit())


def strangers(rng: Random) -> Iterator[Beat]:
    """Mail that comes in from elsewhere for our people."""
    at, turn = -PAST + rng.uniform(0, 20), 0
    while at < END:
        client = rng.choice(cast.STRANGERS)
        domain = ".".join(client.name.split(".")[-2:])
        people = rng.sample(cast.COLLEAGUES, 1 if rng.random() < 0.85 else 2)
        letter = Send(
            "incoming", f"{rng.choice(('orders', 'desk', 'news', 'bounces'))}@{domain}",
            tuple(person.login for person in people), rng.choice(cast.HONEST_SUBJECTS), rng.randrange(2, 20),
        )  # fmt: skip
        yield from _visit(at, f"stranger {turn}", client, (letter,))
        at, turn = at + rng.uniform(6, 24), turn + 1


def erp(rng: Random) -> Iterator[Beat]:
    """A machine of ours that sends without logging in, and rightly so."""
    at, turn = -PAST + rng.uniform(0, 60), 0
    while at < END:
        domain = rng.choice(("customer.example", "supplier.example", "city.example", "offline.example"))
        to = "office@example.com" if rng.random() < 0.3 else f"orders@{domain}"
        letter = Send("erp", "erp@example.com", (to,), f"Delivery note {rng.randrange(40_000, 50_000)}", 3)
        yield from _visit(at, f"erp {turn}", cast.ERP, (letter,))
        at, turn = at + rng.uniform(35, 90), turn + 1


def website(rng: Random) -> Iterator[Beat]:
    """A web server of ours: a form mail now and then; from 18 s on it is broken into and sends spam without a login."""
    at, turn = -PAST + rng.uniform(0, 200), 0
    while at < 0:
        form = Send("form", "www-data@www.example.com", ("support@example.com",), "Contact form", 2)
        yield from _visit(at, f"form {turn}", cast.WEBSITE, (form,))
        at, turn = at + rng.uniform(300, 700), turn + 1
    at = 18.0
    while at < END:
        count = 16 if at < _ENOUGH else 1
        letters = tuple(_spam(rng, "website", rng.choice(cast.FORGED_SENDERS), 2) for _ in range(count))
        yield from _visit(at, f"website {turn}", cast.WEBSITE, letters, every=0.5)
        at, turn = at + 0.5 * count + rng.uniform(0.5, 1.5) + (0 if at < _ENOUGH else 30), turn + 1


def guesser(rng: Random, client: Client, number: int) -> Iterator[Beat]:
    """Someone who tries names and passwords now and then, as there always is. Never gets in."""
    at, turn = -PAST + rng.uniform(0, 400), 0
    while at < END:
        name = rng.choice(cast.GUESSED_NAMES)
        yield from _guess(at, f"guesser {number} {turn}", client, [(name, f"{name.partition('@')[0]}{turn}")])
        at, turn = at + rng.uniform(150, 500), turn + 1


def prober(rng: Random) -> Iterator[Beat]:
    """Someone who looks for an open relay, and is refused."""
    at, turn = -PAST + rng.uniform(100, 500), 0
    while at < END:
        letter = Send("probe", "probe@scanner.example", (f"check{rng.randrange(100)}@scanner.example",), "test", 1)
        yield from _visit(at, f"prober {turn}", cast.PROBER, (letter,))
        at, turn = at + (rng.uniform(6, 18) if 0 < at < 90 else rng.uniform(200, 600)), turn + 1


def break_in(rng: Random) -> Iterator[Beat]:
    """The brute force, from 6 s on, which ends with a right guess."""
    at, turn = 6.0, 0
    while at < BREAK_IN - 1:
        names = [rng.choice(cast.GUESSED_NAMES) for _ in range(2)]
        guesses = [(name, f"{name.partition('@')[0]}{rng.randrange(100)}") for name in [*names, cast.SALES.login]]
        yield from _guess(at, f"thief {turn}", cast.THIEF, guesses)
        at, turn = at + 0.55, turn + 1
    yield Beat(BREAK_IN, "thief in", cast.THIEF, Connect())
    yield Beat(BREAK_IN + 0.1, "thief in", cast.THIEF, Login(cast.SALES.login, cast.SALES.password))
    yield Beat(BREAK_IN + 0.4, "thief in", cast.THIEF, Quit())
    yield Beat(BREAK_IN + 0.6, "thief in", cast.THIEF, OpenWebmail(cast.SALES.login, cast.SALES.password))


def wave(rng: Random, client: Client, number: int) -> Iterator[Beat]:
    """One of the four connections at a time through which the stolen login sends, under forged names."""
    at, turn = 14.0 + 0.4 * number, 0
    while at < END:
        pace = next(pace for until, pace in _PACE if at < until) / 4
        seconds = rng.uniform(6, 9) if at < _ENOUGH else 2.0
        connection = f"wave {number} {turn}"
        count = max(1, round(seconds * pace))
        yield Beat(at, connection, client, Connect())
        yield Beat(at + 0.1, connection, client, Login(cast.SALES.login, cast.SALES.password))
        for sent in range(count):
            sender = "" if rng.random() < 0.02 else rng.choice(cast.FORGED_SENDERS)
            letter = _spam(rng, "stolen login", sender, 4, as_login=True)
            yield Beat(at + 0.2 + (seconds - 0.4) * sent / count, connection, client, letter)
        yield Beat(at + seconds, connection, client, Quit())
        at, turn = at + seconds + (rng.uniform(0.1, 0.6) if at < _ENOUGH else 1 / pace), turn + 1


def second_login(rng: Random) -> Iterator[Beat]:
    """A second stolen login, guessed after a few tries, which sends as itself and from one address only."""
    login, client = cast.EVENTS.login, cast.SECOND_THIEF
    for turn, at in enumerate((15.0, 16.5, 18.0)):
        yield from _guess(at, f"second {-1 - turn}", client, [(login, f"events{turn}"), (login, f"Events{turn}")])
    at, turn = 20.0, 0
    while at < END:
        count = 24 if at < _ENOUGH else 1
        connection = f"second {turn}"
        yield Beat(at, connection, client, Connect())
        yield Beat(at + 0.1, connection, client, Login(login, cast.EVENTS.password))
        for sent in range(count):
            letter = _spam(rng, "second login", login, 3, as_login=True)
            yield Beat(at + 0.4 + 0.35 * sent, connection, client, letter)
        yield Beat(at + 0.5 + 0.35 * count, connection, client, Quit())
        at, turn = at + 0.35 * count + rng.uniform(1, 2) + (0 if at < _ENOUGH else 30), turn + 1


def _spam(rng: Random, part: str, sender: str, most: int, *, as_login: bool = False) -> Send:
    recipients = tuple(dict.fromkeys(victim(rng) for _ in range(rng.randint(1, most))))
    return Send(part, sender, recipients, rng.choice(cast.SPAM_SUBJECTS), rng.randrange(1, 6), as_login)


def _visit(at: float, connection: str, client: Client, letters: tuple[Send, ...], every: float = 0.3) -> Iterator[Beat]:
    yield Beat(at, connection, client, Connect())
    for number, letter in enumerate(letters, 1):
        yield Beat(at + every * number, connection, client, letter)
    yield Beat(at + every * len(letters) + 0.2, connection, client, Quit())


def _guess(at: float, connection: str, client: Client, guesses: list[tuple[str, str]]) -> Iterator[Beat]:
    yield Beat(at, connection, client, Connect())
    for number, (name, password) in enumerate(guesses, 1):
        yield Beat(at + 0.12 * number, connection, client, Login(name, password))
    yield Beat(at + 0.12 * len(guesses) + 0.1, connection, client, Quit())
