"""Which messages a filter means, judged by a second, plain reading of what it says."""

import ipaddress
import string
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Envelope, Message, Origin
from bmtop.incident.selection import Filter, came_later, network, select, unquoted

ACCOUNTS = Accounts("example.com", {"alias.example": "example.com"})

ADDRESSES = (
    "", "carol@example.com", "Carol@Example.COM", "carol@sub.example.com", "carol@notexample.com", "a b@example.com",
    '"carol"@example.com', "carol@example.com@evil.example", "\u212aarol@example.com", "karol@example.com",
    "MAILER-DAEMON", "c\udcffrol@example.com",
)  # fmt: skip
WANTED = (
    "<>", "carol@example.com", "CAROL@EXAMPLE.COM", "@example.com", "@Example.Com", "@notexample.com",
    '"a b"@example.com', "a b@example.com", "karol@example.com", "@sub.example.com", "MAILER-DAEMON", "carol",
)  # fmt: skip
CLIENTS = ("203.0.113.5", "203.0.113.200", "::ffff:203.0.113.5", "2001:db8::5", "127.0.0.1", "unknown", None)
NETWORKS = (
    "203.0.113.5",
    "203.0.113.0/25",
    "::ffff:203.0.113.5",
    "::ffff:203.0.113.0/121",
    "2001:db8::/32",
    "0.0.0.0/0",
)
LOGINS = ("alice@example.com", "alice", "ALICE@alias.example", "alice@other.example", "bob", None)
QUEUES = ("incoming", "active", "deferred", "hold")
IDS = tuple(QueueId(f"ABCDE{number:06X}") for number in range(6))


@st.composite
def messages(draw: st.DrawFn) -> tuple[Message, ...]:
    found = []
    for id in draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1)):
        sender = draw(st.sampled_from(ADDRESSES))
        envelope = Envelope(draw(st.sampled_from(LOGINS)), draw(st.sampled_from(CLIENTS)), sender=sender)
        origin = None
        if draw(st.booleans()):
            origin = Origin("FFFFF1", draw(st.sampled_from(LOGINS)), draw(st.sampled_from(CLIENTS)) or "::1", "x")
        recipients = tuple(draw(st.lists(st.sampled_from(ADDRESSES[1:]), max_size=3)))
        queue, arrival = draw(st.sampled_from(QUEUES)), draw(st.integers(0, 5))
        found.append(Message(id, queue, arrival, 100, sender, recipients, envelope=envelope, origin=origin))
    return tuple(found)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    def maybe(values: Sequence[str]) -> str | None:
        return draw(st.none() | st.sampled_from(values))

    nets = st.lists(st.sampled_from(NETWORKS), max_size=2)
    return Filter(
        login=maybe([login for login in LOGINS if login]),
        clients=tuple(map(network, draw(nets))),
        not_clients=tuple(map(network, draw(nets))),
        sender=maybe(WANTED),
        recipient=maybe(WANTED),
        queue=maybe(QUEUES),
        since=draw(st.none() | st.integers(0, 5)),
        before=draw(st.none() | st.integers(0, 6)),
        ids=tuple(draw(st.lists(st.sampled_from(IDS), max_size=2))),
    )


def account(login: str) -> str:
    """The person behind a login, by the rules of ACCOUNTS, spelt out."""
    local, _, domain = login.lower().partition("@")
    return f"{local}@{'example.com' if domain in ('', 'alias.example') else domain}"


def plain(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def low(text: str) -> str:
    return "".join(c.lower() if c in string.ascii_uppercase else c for c in text)


def is_at(address: str, wanted: str) -> bool:
    if wanted == "<>":
        return not address
    if wanted.startswith("@"):
        return "@" in address and low(address.rsplit("@", 1)[1]) == low(wanted[1:])
    return low(address) == low(wanted.replace('"', ""))


def meant(message: Message, wanted: Filter) -> bool:
    source = message.origin or message.envelope
    assert source is not None
    client = plain(source.client)
    asked = [
        not wanted.ids or message.id in wanted.ids,
        wanted.queue in (None, message.queue),
        wanted.login is None or (source.login is not None and account(source.login) == account(wanted.login)),
        not wanted.clients or any(client in net for net in wanted.clients if client is not None),
        not any(client in net for net in wanted.not_clients if client is not None),
        wanted.sender is None or is_at(message.sender, wanted.sender),
        wanted.recipient is None or any(is_at(to, wanted.recipient) for to in message.recipients),
        wanted.since is None or message.arrival >= wanted.since,
        wanted.before is None or message.arrival < wanted.before,
    ]
    return all(asked)


@settings(max_examples=400, deadline=None)
@given(messages(), filters())
def test_a_filter_means_what_it_says_and_nothing_else(queue: tuple[Message, ...], wanted: Filter) -> None:
    if wanted.empty:
        with pytest.raises(Refused):
            select(queue, wanted, ACCOUNTS)
        return
    found = select(queue, wanted, ACCOUNTS)
    assert {m.id for m in found} == {m.id for m in queue if meant(m, wanted)}
    assert [m.arrival for m in found] == sorted(m.arrival for m in found)
    assert not came_later(queue, wanted, ACCOUNTS, found)


@pytest.mark.parametrize("name", ["login", "sender", "recipient", "subject", "queue"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_an_accident_and_no_filter(name: str, value: str) -> None:
    with pytest.raises(Refused, match="empty"):
        Filter(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("pattern", ["(", "*", "[z-a]", "(?P<x", "a{4000000000000}", "\\"])
def test_a_subject_that_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Refused, match="regular expression"):
        Filter(subject=pattern)


@pytest.mark.parametrize("text", ["", "10", "203.0.113.5/24", "203.0.113.256", "-1", "*", "203.0.113.5 ", "::/129"])
def test_what_is_no_address_or_range_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no address or range"):
        network(text)


def test_sparing_alone_is_no_filter() -> None:
    with pytest.raises(Refused, match="every message"):
        select((), Filter(not_clients=(network("203.0.113.0/24"),)), ACCOUNTS)


def test_a_domain_is_neither_its_subdomains_nor_what_ends_alike() -> None:
    wanted = Filter(sender="@example.com")
    assert wanted.matches_sender("x@EXAMPLE.com")
    for other in ("x@sub.example.com", "x@notexample.com", "x@example.com.evil.example", "example.com", ""):
        assert not wanted.matches_sender(other), other


def test_only_ascii_letters_are_alike_in_both_cases() -> None:
    assert Filter(sender="kim@example.com").matches_sender("KIM@example.com")
    assert not Filter(sender="kim@example.com").matches_sender("\u212aim@example.com")


@pytest.mark.parametrize(
    ("shown", "raw"),
    [
        ("plain@x.example", "plain@x.example"),
        ('"a b"@x.example', "a b@x.example"),
        ('"\\"ceo\\""@example.com', '"ceo"@example.com'),
        ('"a@b"@x.example', "a@b@x.example"),
        ('"back\\\\slash"@x.example', "back\\slash@x.example"),
        ('"open@x.example', '"open@x.example'),
        ('""@x.example', "@x.example"),
    ],
)
def test_a_quoted_address_is_the_one_in_the_queue_file(shown: str, raw: str) -> None:
    assert unquoted(shown) == raw


def test_unread_envelopes_are_refused_where_only_they_can_answer() -> None:
    unread = Message(IDS[0], "deferred", 1, 1, "carol@example.com", ())
    for wanted in (
        Filter(login="alice"),
        Filter(clients=(network("::1"),)),
        Filter(queue="hold", not_clients=(network("::1"),)),
    ):
        with pytest.raises(Refused, match="run `sudo bmtop`"):
            select([unread], wanted, ACCOUNTS)
    assert select([unread], Filter(sender="carol@example.com"), ACCOUNTS) == (unread,)


def test_the_same_id_is_new_where_another_message_has_it_now() -> None:
    old = Message(IDS[0], "deferred", 1, 1, "carol@example.com", (), envelope=Envelope(None, None))
    new = Message(IDS[0], "deferred", 2, 1, "carol@example.com", (), envelope=Envelope(None, None))
    assert came_later([new], Filter(sender="carol@example.com"), ACCOUNTS, [old]) == (new,)
