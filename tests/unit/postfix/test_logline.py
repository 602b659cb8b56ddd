"""Log lines as events: each field from the daemon that writes it, at its place, in every form Postfix has."""

from collections.abc import Sequence
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.incident.events import Accepted, Activated, Delivery, Event, LoginFailed, Notified, Rejected, Removed
from bmtop.postfix.logline import decoded, events
from bmtop.postfix.logtime import LogClock

STAMP = "2026-11-24T13:19:42.5+00:00"
TIME = datetime(2026, 11, 24, 13, 19, 42, tzinfo=timezone.utc).timestamp()
NOW = TIME + 60
LOGIN_FAILED = "warning: unknown[203.0.113.9]: SASL LOGIN authentication failed"


def read(log: bytes | str) -> list[Event]:
    raw = log.encode("utf-8", "surrogateescape") if isinstance(log, str) else log
    return list(events(decoded(raw), LogClock(lambda: NOW)))


def line(daemon: str, text: str, stamp: str = STAMP) -> str:
    return f"{stamp} mail postfix/{daemon}[4711]: {text}\n"


def one(daemon: str, text: str) -> Event | None:
    found = read(line(daemon, text))
    assert len(found) < 2
    return found[0] if found else None


def accepted(
    client: str = "192.0.2.7", login: str | None = None, name: str = "unknown", **more: str | None
) -> Accepted:
    fields = {"id": "1083520CC3D", "method": "LOGIN" if login else None, "origin": None, **more}
    return Accepted(TIME, name=name, client=client, login=login, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("client=unknown[192.0.2.7]", accepted()),
        ("client=mx1.partner.example[2001:db8::25]", accepted("2001:db8::25", name="mx1.partner.example")),
        ("client=unknown[192.0.2.7]:52114", accepted()),
        (
            "client=unknown[192.0.2.7], sasl_method=LOGIN, sasl_username=alice@example.com",
            accepted(login="alice@example.com"),
        ),
        (
            "client=unknown[192.0.2.7]:1, sasl_method=PLAIN, sasl_username=alice, sasl_sender=ceo@example.com",
            accepted(login="alice", method="PLAIN"),
        ),
        (
            "client=localhost[127.0.0.1], orig_queue_id=2F00A20CC3E, orig_client=unknown[203.0.113.5]",
            accepted("127.0.0.1", name="localhost", origin="2F00A20CC3E"),
        ),
        ("client=localhost[127.0.0.1], orig_client=unknown[203.0.113.5]", accepted("127.0.0.1", name="localhost")),
    ],
)
def test_a_message_came_in(text: str, event: Accepted) -> None:
    assert one("smtpd", f"1083520CC3D: {text}") == event


@pytest.mark.parametrize(
    "text",
    [
        "client=unknown[192.0.2.7], sasl_method=LOGIN, sasl_user",
        "client=unknown[192.0.2.7], sasl_method=LO",
        "client=unknown[192.0.2.",
        "client=unknown[192.0.2.7] and more",
        "client=[red]unknown[192.0.2.7]",
    ],
)
def test_a_line_that_was_cut_or_is_not_postfix_s_says_nothing(text: str) -> None:
    assert one("smtpd", f"1083520CC3D: {text}") is None


def test_what_a_client_puts_into_sasl_sender_is_not_believed() -> None:
    chosen = "x, orig_queue_id=AAAAAA, sasl_username=ceo"
    text = f"client=a[192.0.2.7], sasl_method=LOGIN, sasl_username=bob, sasl_sender={chosen}"
    assert one("smtpd", f"1083520CC3D: {text}") == accepted(login="bob", name="a")


@pytest.mark.parametrize(
    ("text", "login"),
    [
        (": authentication failure, sasl_username=admin@example.com", "admin@example.com"),
        (": UGFzc3dvcmQ6, sasl_username=admin", "admin"),
        (": authentication failure, sasl_username=[red]x, sasl_username=ceo@example.com",
         "[red]x, sasl_username=ceo@example.com"),
        (": authentication failure, sasl_username=", ""),
        (": generic failure", None),
        (": UGFzc3dvcmQ6", None),
        ("", None),
        (": no mechanism available, sasl_username=(unavailable)", None),
    ],
)  # fmt: skip
def test_a_login_failed(text: str, login: str | None) -> None:
    assert one("smtpd", LOGIN_FAILED + text) == LoginFailed(TIME, "unknown", "203.0.113.9", login)


@pytest.mark.parametrize(
    "text",
    [
        "warning: unknown[203.0.113.9]: SASL LOGIN authentication aborted",
        'warning: a[203.0.113.9]: SASL "LOGIN authentication failed: x, sasl_username=ceo" authentication failed: no',
        "warning: SASL authentication failure: username too long (>1024 characters)",
        "warning: non-SMTP command from unknown[203.0.113.9]: warning: a[192.0.2.9]: SASL LOGIN authentication failed",
        "warning: hostname a.example does not resolve to address 192.0.2.9",
    ],
)
def test_no_login_failed(text: str) -> None:
    assert one("smtpd", text) is None


def test_a_failure_that_rsyslog_folded_counts_as_often_as_it_came() -> None:
    first = f"{LOGIN_FAILED}: authentication failure, sasl_username=bob"
    log = line("smtpd", first) + line("smtpd", f"message repeated 3 times: [ {first}]")
    assert read(log) == [LoginFailed(TIME, "unknown", "203.0.113.9", "bob")] * 4


def test_relaying_was_refused() -> None:
    text = (
        "reject: RCPT from unknown[203.0.113.4]: 454 4.7.1 <v@x.example>: Relay access denied;"
        " from=<a@b.example> to=<v@x.example> proto=ESMTP helo=<x>"
    )
    event = Rejected(TIME, "unknown", "203.0.113.4", relay=True)
    assert one("smtpd", f"NOQUEUE: {text}") == event
    assert one("submission/smtpd", f"1083520CC3D: {text}") == event


@pytest.mark.parametrize(
    "reason",
    [
        "550 5.1.1 <v@x.example>: Recipient address rejected: User unknown in local recipient table",
        "554 5.7.1 Service unavailable; Client host [203.0.113.4] blocked using zen.example",
        "450 4.7.25 Client host rejected: cannot find your hostname, [203.0.113.4]",
        '550 5.1.1 <"x>: Relay access denied; "@x.example>: Recipient address rejected: no',
    ],
)
def test_another_refusal_is_no_try_to_relay(reason: str) -> None:
    assert one("smtpd", f"NOQUEUE: reject: RCPT from unknown[203.0.113.4]: {reason}; from=<a@b> to=<v@x>") is None


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "a@b.example",
        "ü@bücher.example",
        '"a> client=unknown[192.0.2.9], sasl_username=ceo@example.com"@lottery.example',
        '"ceo@example.com>, size=1, nrcpt=1 (queue active)"@lottery.example',
        '"x>, status=expired, returned to sender"@lottery.example',
        "x" * 1900,
        "\udcff@b.example",
    ],
)
def test_the_queue_manager_took_it_up(sender: str) -> None:
    text = f"1083520CC3D: from=<{sender}>, size=402, nrcpt=3 (queue active)"
    assert one("qmgr", text) == Activated(TIME, "1083520CC3D", sender, 402, 3)


def test_it_expired_and_it_left() -> None:
    expired = Delivery(TIME, "1083520CC3D", "", None, "qmgr", "expired", "", "", "")
    assert one("qmgr", "1083520CC3D: from=<a@b.example>, status=expired, returned to sender") == expired
    assert one("qmgr", "1083520CC3D: from=<a@b.example>, status=force-expired, returned to sender") == expired
    assert one("qmgr", "1083520CC3D: removed") == Removed(TIME, "1083520CC3D")
    assert one("postsuper", "1083520CC3D: removed") == Removed(TIME, "1083520CC3D")
    assert one("qmgr", "1083520CC3D: skipped, still being delivered") is None
    assert one("postsuper", "1083520CC3D: placed on hold") is None


@pytest.mark.parametrize("daemon", ["smtp", "lmtp", "error", "retry", "local", "virtual", "discard", "pipe", "qmgr"])
@pytest.mark.parametrize("status", ["sent", "deferred", "bounced"])
def test_a_recipient_was_tried(daemon: str, status: str) -> None:
    text = (
        "1083520CC3D: to=<v@x.example>, orig_to=<w@y.example>, relay=mx.x.example[192.0.2.25]:25, conn_use=3,"
        f" delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status={status} (250 2.0.0 Ok: (queued) as X)"
    )
    assert one(daemon, text) == Delivery(
        TIME, "1083520CC3D", "v@x.example", "w@y.example", daemon, status, "2.0.0", "mx.x.example[192.0.2.25]:25",
        "250 2.0.0 Ok: (queued) as X",
    )  # fmt: skip


def delivery(recipient: str, *, original: str = "", answer: str = "deferred transport") -> str:
    earlier = f", orig_to=<{original}>" if original else ""
    return (
        f"1083520CC3D: to=<{recipient}>{earlier}, relay=none, delay=0.04, delays=0/0.04/0/0,"
        f" dsn=4.3.2, status=deferred ({answer})"
    )


FAKE = ">, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)"


@pytest.mark.parametrize(
    "recipient",
    [
        "v@x.example",
        "a>b@x.example",
        f'"x{FAKE}"@x.example',
        f'"x\\"{FAKE}\\\\"@x.example',
        '"a@example.com>, orig_to=<ceo@example.com"@x.example',
        '"all ALL: [/b]"@remote3.example',
        '""@x.example',
        "ö@x.example",
    ],
)
def test_no_recipient_passes_for_more_fields(recipient: str) -> None:
    found = one("error", delivery(recipient))
    assert isinstance(found, Delivery)
    assert (found.recipient, found.original, found.status, found.dsn) == (recipient, None, "deferred", "4.3.2")
    found = one("error", delivery("v@x.example", original=recipient))
    assert isinstance(found, Delivery)
    assert (found.recipient, found.original, found.status) == ("v@x.example", recipient, "deferred")


def test_no_answer_of_another_server_passes_for_the_fields_before_it() -> None:
    found = one("smtp", delivery("v@x.example", answer=f"550 5.1.1 <v@x.example{FAKE}"))
    assert isinstance(found, Delivery)
    assert (found.recipient, found.status, found.dsn) == ("v@x.example", "deferred", "4.3.2")


def test_a_notification_was_written() -> None:
    text = "1083520CC3D: sender non-delivery notification: 2F00A20CC3E"
    assert one("bounce", text) == Notified(TIME, "1083520CC3D", "2F00A20CC3E")
    assert one("bounce", "1083520CC3D: sender delay notification: 2F00A20CC3E") is None


@pytest.mark.parametrize(
    "tag",
    [
        "postfix/smtpd[4711]: ",
        "postfix/smtpd: ",
        "postfix/submission/smtpd[1]: ",
        "postfix/smtps/smtpd[1]: ",
        "postfix-out/smtpd[1]: ",
        "mta.2/127.0.0.1:10025/smtpd[1]: ",
    ],
)
@pytest.mark.parametrize("host", ["mail", "mail.example.com", "192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("stamp", ["Nov 24 13:19:42", STAMP, "2026-11-24T13:19:42+00:00", "2026-11-24T13:19:42Z"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_whatever_the_instance_and_the_syslog_daemon_are_called(
    monkeypatch: pytest.MonkeyPatch, tag: str, host: str, stamp: str, end: str
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    log = f"{stamp} {host} {tag}1083520CC3D: client=unknown[192.0.2.7], sasl_method=LOGIN, sasl_username=bob{end}"
    assert read(log) == [accepted(login="bob")]
    assert read(log.replace("1083520CC3D", "4ZQq7x3bGfz2Jq")) == [accepted(login="bob", id="4ZQq7x3bGfz2Jq")]


@pytest.mark.parametrize(
    "before",
    [
        "{stamp} mail ",
        "{stamp} mail app[7]: ",
        "{stamp} app[7]: ",
        "{stamp} app: ",
        "{stamp} mail postfix/cleanup[1]: 1083520CC3D: message-id=<",
        "{stamp} mail postfix/smtpd[1]: warning: non-SMTP command from a[192.0.2.9]: ",
        "{stamp} mail opensmtpd ",
        "x",
        " ",
        "> ",
    ],
)
def test_a_postfix_line_in_another_line_is_none(before: str) -> None:
    inner = line("smtpd", "1083520CC3D: client=unknown[192.0.2.9], sasl_method=LOGIN, sasl_username=ceo@example.com")
    assert read(before.format(stamp=STAMP) + inner) == []
    assert read(before.format(stamp=STAMP) + inner.partition(" mail ")[2]) == [] or before.endswith("mail ")


@pytest.mark.parametrize("daemon", ["cleanup", "postscreen", "trivial-rewrite", "anvil", "master", "qmgr", "smtp", "x"])
def test_only_smtpd_says_who_sent(daemon: str) -> None:
    assert one(daemon, "1083520CC3D: client=unknown[192.0.2.9], sasl_method=LOGIN, sasl_username=ceo") is None
    assert one(daemon, f"{LOGIN_FAILED}: x, sasl_username=ceo") is None


def test_holes_and_odd_separators_hide_no_line_and_make_none() -> None:
    good = line("qmgr", "1083520CC3D: removed")
    assert read("\0" * 5000 + good) == [Removed(TIME, "1083520CC3D")]
    for separator in "\v\f\x1c\x85\u2028\r":
        assert read(f"{STAMP} mail app: x{separator}{good}") == []


def test_a_line_of_a_megabyte_is_read_like_any_other() -> None:
    huge = "x" * (1 << 20)
    good = line("qmgr", "1083520CC3D: removed")
    log = line("cleanup", huge) + good + line("qmgr", f"1083520CC3D: from=<{huge}>, size=1, nrcpt=1 (queue active)")
    hostile = [
        line("smtp", "1083520CC3D: to=<" + "a>, orig_to=<" * 80_000),
        line("smtp", "1083520CC3D: to=<" + '"\\' * 500_000),
        line("smtpd", "1083520CC3D: client=a[192.0.2.1], sasl_method=x, sasl_username=" + ", sasl_sender" * 80_000),
        line("smtpd", "NOQUEUE: reject: RCPT from " + ": Relay access denied" * 50_000),
        line("smtpd", LOGIN_FAILED + ": " + ", sasl_username" * 80_000),
        f"{STAMP} mail " + "a/" * 500_000 + "\n",
        line("qmgr", "1083520CC3D: from=<" + ">, size=" * 130_000),
    ]
    assert len(read(log + "".join(hostile) + good)) == 5


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_line_that_was_cut_hides_no_line_and_is_not_joined_with_it(cut: int) -> None:
    whole = line("smtp", delivery("v@x.example"))
    good = line("qmgr", "1083520CC3D: removed")
    assert read(f"{whole[:cut].rstrip()}\n{good}") == [Removed(TIME, "1083520CC3D")]
    start = whole.index("relay=") + len("relay=")
    assert read(f"{whole[: start + cut % 9 + 1].rstrip()}\n{whole[start + cut % 9 + 1 :]}{good}") == [
        Removed(TIME, "1083520CC3D")
    ]


LINES = (
    line("smtpd", "1083520CC3D: client=unknown[192.0.2.7], sasl_method=LOGIN, sasl_username=bob"),
    line("smtpd", f"{LOGIN_FAILED}: authentication failure, sasl_username=ceo@example.com"),
    line("smtpd", f"message repeated 2 times: [ {LOGIN_FAILED}: authentication failure, sasl_username=ceo]"),
    line("qmgr", "1083520CC3D: from=<a@b.example>, size=402, nrcpt=1 (queue active)"),
    line("smtp", delivery("v@x.example")),
    line("smtp", delivery(f'"x{FAKE}"@x.example', original="w@y.example")),
    line("bounce", "1083520CC3D: sender non-delivery notification: 2F00A20CC3E"),
    line("qmgr", "1083520CC3D: removed"),
    line("cleanup", "1083520CC3D: message-id=<1: client=foo[192.0.2.9], sasl_method=LOGIN, sasl_username=ceo>"),
)
PIECES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(LINES).map(str.encode),
    st.sampled_from(LINES).flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text.encode()[:cut])),
    st.sampled_from(LINES).flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text.encode()[cut:])),
)


def whole(pieces: Sequence[bytes]) -> bytes:
    """One line of these pieces: no more than one line's end, at its end."""
    return b"".join(pieces).replace(b"\n", b"") + b"\n"


@settings(max_examples=500, deadline=None)
@given(log=st.lists(PIECES, max_size=12).map(b"".join))
def test_no_bytes_raise(log: bytes) -> None:
    read(log)


@settings(max_examples=500, deadline=None)
@given(
    before=st.lists(st.sampled_from(LINES), max_size=3),
    inserted=st.lists(PIECES, max_size=4).map(whole),
    after=st.lists(st.sampled_from(LINES), max_size=3),
)
def test_no_line_changes_what_another_one_says(before: list[str], inserted: bytes, after: list[str]) -> None:
    first, last = "".join(before), "".join(after)
    assert read(first.encode() + inserted + last.encode()) == [*read(first), *read(inserted), *read(last)]


@settings(max_examples=300, deadline=None)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=80))
def test_a_name_that_was_typed_is_the_login_that_failed_whatever_it_is(name: str) -> None:
    found = one("smtpd", f"{LOGIN_FAILED}: authentication failure, sasl_username={name}")
    typed = name.removesuffix("\r")
    assert found == LoginFailed(TIME, "unknown", "203.0.113.9", None if typed == "(unavailable)" else typed)


QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=60).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"@x.example'
)


@settings(max_examples=300, deadline=None)
@given(recipient=QUOTED, sender=QUOTED)
def test_every_quoted_address_is_read_whole(recipient: str, sender: str) -> None:
    found = one("smtp", delivery(recipient, original=sender))
    assert isinstance(found, Delivery)
    assert (found.recipient, found.original, found.status) == (recipient, sender, "deferred")
    found = one("qmgr", f"1083520CC3D: from=<{sender}>, size=402, nrcpt=3 (queue active)")
    assert found == Activated(TIME, "1083520CC3D", sender, 402, 3)
