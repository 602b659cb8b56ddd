"""Who refuses our mail: what an answer says, and what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.blocked import blocker
from bmtop.incident.events import Delivery

from .scribe import OFFICE, Scribe

IN = " (in reply to RCPT TO command)"


def delivery(answer: str, status: str = "bounced", daemon: str = "smtp") -> Delivery:
    return Delivery(0.0, "ABCDEF", "x@faraway.test", None, daemon, status, "5.7.1", "mx", answer)


def never(client: str) -> bool:
    return client == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "text", "who"),
    [
        ("mx.a.test", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net", "SpamCop"),
        ("mx.a.test", "550 Blocked, listed at dnsbl.sorbs.net", "SORBS"),
        ("mx.a.test", "554 5.7.1 rejected; blocked using bl.list.example", "bl.list.example"),
        ("mx1.hotmail.com", "451 4.7.650 has been temporarily rate limited due to IP reputation (S775)", "Microsoft"),
        ("a.mail.protection.outlook.com", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "Microsoft"),
        ("mx00.emig.gmx.net", "554-gmx.net 554-No SMTP service 554 IP address is black listed.", "GMX and WEB.DE"),
        ("mx02.t-online.de", "554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help) (BL)", "Telekom"),
        ("smtp-in.orange.fr", "421 Too many connections, slow down. OFR004_104", "Orange"),
        ("mx.mail.small.example", "550 5.7.1 rejected as spam", "small.example"),
        ("mx.small.co.uk", "550 5.7.1 rejected as spam", "small.co.uk"),
        ("203.0.113.9", "550 5.7.1 rejected as spam", "203.0.113.9"),
        ("evil-hotmail.com", "550 5.7.1 rejected as spam", "evil-hotmail.com"),
    ],
)
def test_who_refuses(host: str, text: str, who: str) -> None:
    for form in (
        f"host {host}[203.0.113.9] said: {text}{IN}",
        f"host {host}[203.0.113.9] refused to talk to me: {text}",
    ):
        found = blocker(delivery(form), never)
        assert found is not None
        assert found[0] == who
    waiting = delivery(f"delivery temporarily suspended: host {host}[203.0.113.9] said: {text}", "deferred", "error")
    assert blocker(waiting, never) == found


@pytest.mark.parametrize(
    "answer",
    [
        "host mx.a.test[203.0.113.9] said: 550 5.1.1 <x@zen.spamhaus.org>: user unknown" + IN,
        "host mx.a.test[203.0.113.9] said: 550 5.7.1 <blocked@spamhaus.org>: no such user here" + IN,
        "host mx.a.test[203.0.113.9] said: 550 5.4.1 Recipient address rejected: Access denied" + IN,
        "host mx.a.test[203.0.113.9] said: 450 4.2.0 <x@a.test>: Recipient address rejected: Greylisted" + IN,
        "host mx.a.test[203.0.113.9] said: 552 5.2.2 mailbox full" + IN,
        "host mx.a.test[203.0.113.9] said: 554 5.7.1 <x@a.test>: Relay access denied" + IN,
        "host mx.a.test[203.0.113.9] said: 550 5.7.26 blocked: unauthenticated, see DMARC" + IN,
        "host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject, id=1 - spam" + IN,
        "connect to mx.a.test[203.0.113.9]:25: Connection refused",
        "lost connection with mx.a.test[203.0.113.9] while receiving the initial server greeting",
        "blocked using zen.spamhaus.org",
        "",
    ],
)
def test_who_does_not(answer: str) -> None:
    assert blocker(delivery(answer), never) is None


def test_what_is_sent_or_stays_here_is_no_answer_of_theirs() -> None:
    text = "host mx.a.test[203.0.113.9] said: 554 blocked using zen.spamhaus.org"
    assert blocker(delivery(text, "sent"), never) is None
    assert blocker(delivery(text, "bounced", "lmtp"), never) is None


@given(st.text(max_size=300))
def test_any_answer_can_be_read(text: str) -> None:
    found = blocker(delivery(f"host mx.a.test[203.0.113.9] said: 554 5.7.1 {text}"), never)
    assert found is None or len(found[0]) <= 150


def test_each_recipient_counts_once_and_for_no_longer_than_the_window() -> None:
    log = Scribe()
    text = "host mx1.hotmail.com[203.0.113.9] said: 421 4.7.650 rate limited due to IP reputation"
    id = log.send("a@example.com", OFFICE, to=("a@x.test", "b@x.test"), status="deferred", dsn="4.7.650", answer=text)
    for _ in range(5):
        log.incident.feed(
            Delivery(
                log.now, id, "a@x.test", None, "smtp", "deferred", "4.7.650", "mx1.hotmail.com[203.0.113.9]:25", text
            )
        )
    (row,) = log.picture().blocked
    assert (row.who, row.kind, row.recipients, row.deferred) == ("Microsoft", "provider", 2, 2)
    assert row.answer == text
    log.now += 2000
    assert log.picture().blocked == ()
