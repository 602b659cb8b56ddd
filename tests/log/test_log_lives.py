"""Messages that are told together count exactly as each for itself would."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from itertools import starmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.incident.events import Event, Sent
from bmtop.incident.incident import Incident
from bmtop.incident.picture import Picture
from bmtop.incident.territory import Territory
from bmtop.incident.window import grain
from bmtop.postfix.lives import Lives
from bmtop.postfix.logline import decoded, events, matches
from bmtop.postfix.logtime import LogClock
from tests.unit.incident.scribe import territory

NOW = 1_795_000_000.0
CLOCK = LogClock(lambda: NOW)
WINDOWS = (60.0, 100.0, 900.0, 3600.0, 5400.0, 7200.0, 86400.0)
CLIENTS = ("198.51.100.7", "203.0.113.60", "203.0.113.61", "192.0.2.9", "127.0.0.1", "2001:db8:bad::60")
LOGINS = (None, None, "alice@example.com", "Alice@Example.com", "bob@example.com", "carol")
SENDERS = ("", "alice@example.com", "ceo@example.com", "x@elsewhere.test", "y@Elsewhere.test")
STATUSES = ("sent", "deferred", "deferred", "bounced")
IDS = tuple(f"{number:07X}" for number in range(0xA000000, 0xA000000 + 25))
RECIPIENTS = (
    "bob@example.com", "v@far.test", "w@FAR.test", "x@near.test", "u%far.test@example.com", "local",
    "bob@Example.com.", "bob@[192.0.2.1]", "bob@[203.0.113.1]", "far.test!v@example.com", "example.com!bob",
    '"v@near.test"@example.com', '"u@far.test"', "far.test!v@hosted.example", "",
)  # fmt: skip


def fed(window: float, ours: Territory, told: Iterator[Event]) -> Incident:
    found = Incident(window=window, threshold=200, territory=ours)
    for event in told:
        found.feed(event)
    return found


def stretches(log: str, length: int) -> Iterator[str]:
    lines = log.splitlines(keepends=True)
    for first in range(0, len(lines), length):
        yield "".join(lines[first : first + length])


def together(log: str, window: float, ours: Territory, length: int, clock: LogClock = CLOCK) -> Iterator[Event]:
    lives = Lives(ours, grain(window))
    for stretch in stretches(log, length):
        yield from starmap(tuple.__new__, lives.tell(matches(stretch), clock))


def pictures(found: Incident, now: float) -> tuple[Picture, list[object]]:
    """The picture, and all details of everybody in it."""
    picture = found.picture(now, complete=True)
    details: list[object] = [found.login_detail(row.login) for row in picture.senders]
    clients = [row.client for row in picture.relays] + [row.client for row in picture.failed_logins]
    details += map(found.client_detail, clients)
    return picture, details


def stamp(time: float) -> str:
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def life(chance: random.Random, id: str) -> list[tuple[str, str]]:
    """The lines of a message, by daemon: mostly of a plain life, now and then of any other."""
    client, login = chance.choice(CLIENTS), chance.choice(LOGINS)
    came = f"{id}: client={chance.choice(('unknown', 'a.test'))}[{client}]"
    if login is not None:
        came += f", sasl_method=PLAIN, sasl_username={login}"
    elif chance.random() < 0.1:
        came += f", orig_queue_id={chance.choice(IDS)}, orig_client=unknown[203.0.113.9]"
    recipients = chance.choices(RECIPIENTS, k=chance.choice((1, 1, 1, 2, 4)))
    begun = ("qmgr", f"{id}: from=<{chance.choice(SENDERS)}>, size=402, nrcpt={len(recipients)} (queue active)")
    lines = [("smtpd", came), begun]
    odd = chance.random() < 0.2
    for recipient in recipients:
        lines.append(delivery(chance, id, recipient, "sent"))
        while odd and chance.random() < 0.4:
            lines.insert(chance.randrange(1, len(lines)), delivery(chance, id, recipient, chance.choice(STATUSES)))
            lines.insert(chance.randrange(1, len(lines)), begun)
    lines.append((chance.choice(("qmgr", "qmgr", "qmgr", "postsuper")) if odd else "qmgr", f"{id}: removed"))
    if odd:
        del lines[chance.randrange(len(lines))]
    return lines


def delivery(chance: random.Random, id: str, recipient: str, status: str) -> tuple[str, str]:
    original = f"orig_to=<{chance.choice(RECIPIENTS)}>, " if chance.random() < 0.2 else ""
    answer = "host mx.google.com[203.0.113.25] said: 550 5.7.1 blocked using zen.spamhaus.org"
    dsn = "2.0.0" if status == "sent" else chance.choice(("5.1.1", "5.7.1"))
    return chance.choice(("smtp", "smtp", "relay/smtp", "lmtp", "virtual", "cleanup")), (
        f"{id}: to=<{recipient}>, {original}relay=mx[203.0.113.25]:25, delay=1, delays=0/0/0/1, dsn={dsn},"
        f" status={status} ({'250 ok' if status == 'sent' else answer})"
    )


def written(chance: random.Random, messages: int) -> str:
    """A log in which so many messages, and logins that fail, go on at the same time."""
    waiting = []
    for number in range(messages):
        id = IDS[number % len(IDS)]
        lines = life(chance, id)
        if not lines[-1][1].endswith("removed"):
            # An id comes again only after its message has left.
            lines = [(daemon, text.replace(f"{id}:", f"B{number:06X}:")) for daemon, text in lines]
        waiting.append(lines[::-1])
    for _ in range(messages // 4):
        login = chance.choice(("alice@example.com", "bob@example.com", "carol", "dave"))
        failed = (
            f"warning: unknown[{chance.choice(CLIENTS)}]: SASL LOGIN authentication failed: x, sasl_username={login}"
        )
        waiting.insert(chance.randrange(len(waiting) + 1), [("smtpd", failed)] * chance.choice((1, 1, 6)))
    log = []
    time = NOW - 3000.0
    while waiting:
        # A few at a time are under way.
        one = waiting[chance.randrange(min(3, len(waiting)))]
        daemon, text = one.pop()
        log.append(f"{stamp(time)} mail postfix/{daemon}[{chance.randrange(3)}]: {text}\n")
        time += chance.choice((0, 0, 0, 0, 0, 0, 1, 7, 55))
        if not one:
            waiting.remove(one)
    return "".join(log)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    window=st.sampled_from(WINDOWS),
    length=st.integers(1, 400),
    complete=st.booleans(),
)
def test_any_log_counts_the_same_together_and_alone(seed: int, window: float, length: int, complete: bool) -> None:
    log = written(random.Random(seed), 60)
    ours = replace(territory(complete=complete), copied_to=frozenset({"x@near.test"}))
    alone, other = fed(window, ours, events(log, CLOCK)), fed(window, ours, together(log, window, ours, length))
    assert pictures(other, NOW) == pictures(alone, NOW)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [100, 100_000])
def test_a_real_log_counts_the_same_together_and_alone(real_log: bytes, window: float, length: int) -> None:
    ours = territory(domains=("example.com", "example.org"))
    clock, log = LogClock(), decoded(real_log)
    latest = max(event.time for event in events(log, clock))
    alone = fed(window, ours, events(log, clock))
    told = list(together(log, window, ours, length, clock))
    assert pictures(fed(window, ours, iter(told)), latest) == pictures(alone, latest)
    assert any(isinstance(event, Sent) for event in told)


def test_who_failed_before_he_got_in_within_the_same_minute_broke_in() -> None:
    """Alice sends all the time; in between, somebody guesses her password, and sends as well."""

    def sent(id: str, client: str) -> list[str]:
        return [
            f"smtpd[1]: {id}: client=unknown[{client}], sasl_method=LOGIN, sasl_username=alice@example.com",
            f"qmgr[1]: {id}: from=<alice@example.com>, size=402, nrcpt=1 (queue active)",
            f"smtp[1]: {id}: to=<v@far.test>, relay=mx[203.0.113.25]:25, delay=1, delays=0/0/0/1, dsn=2.0.0,"
            " status=sent (250 ok)",
            f"qmgr[1]: {id}: removed",
        ]

    failed = (
        "smtpd[1]: warning: unknown[203.0.113.60]: SASL LOGIN authentication failed: x, sasl_username=alice@example.com"
    )
    texts = [
        *sent("AAAAAA1", CLIENTS[0]),
        *[failed] * 7,
        *sent("AAAAAA2", CLIENTS[1]),
        *[failed] * 2,
        *sent("AAAAAA3", CLIENTS[0]),
    ]
    log = "".join(f"{stamp(NOW)} mail postfix/{text}\n" for text in texts)
    ours = territory()
    (alice,) = fed(3600.0, ours, together(log, 3600.0, ours, 1000)).picture(NOW, complete=True).senders
    assert (alice.messages, alice.failed_logins) == (3, 7)
