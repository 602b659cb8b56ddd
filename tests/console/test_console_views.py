"""The pure views: data in, text out."""

import re
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bmtop.checked import Refused
from bmtop.console import figures, results
from bmtop.console.alert import Alert
from bmtop.console.choice import Choice, find
from bmtop.console.columns import Column, arranged, fitted
from bmtop.console.dialogs.narrowing import merged, narrowed
from bmtop.console.dialogs.undo import filter_words
from bmtop.console.follow import Follow
from bmtop.console.panes import failed, gauge, problems, relays, senders, title
from bmtop.console.save import save
from bmtop.console.text import Cell, Line, fit
from bmtop.incident.message import Message
from bmtop.incident.picture import Blocked, Picture
from bmtop.incident.selection import Filter
from bmtop.mask import Mask
from bmtop.response.journal import Entry, actions
from bmtop.response.plan import Done, Outcome, Plan, Restored
from tests.console import desk
from tests.console.desk import BOT, NOW, STOLEN, message, queue_id, relay, sender


def text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def texts(lines: list[Line]) -> list[str]:
    return [text(line) for line in lines]


def row(columns: object, item: object) -> dict[str, str]:
    return {c.title.strip(): c.cell(item, NOW).text.strip() for c in columns}  # type: ignore[attr-defined]


# Text


@pytest.mark.parametrize(
    ("raw", "hidden"),
    [
        ("alice@example.com", "•••@example.com"),
        ("from=<a.b+c@x.example>, to=<d@y.example>", "from=<•••@x.example>, to=<•••@y.example>"),
        ("sasl_username=alice@example.com", "sasl_username=•••@example.com"),
        ('from=<"a> client=x, sasl_username=ceo@example.com"@z.example>', "from=<•••@z.example>"),
        ("a@[192.0.2.1]", "•••@[192.0.2.1]"),
        ("no address @ all", "no address @ all"),
    ],
)
def test_masking_hides_local_parts_and_nothing_else(raw: str, hidden: str) -> None:
    assert Mask().text(raw) == hidden


@given(st.text(alphabet=string.printable + "é日\u0301", max_size=40), st.integers(0, 30), st.booleans())
def test_a_cell_has_exactly_its_width_and_says_when_it_is_cut(raw: str, width: int, right: bool) -> None:
    raw = raw.replace("\n", "")
    fitting = fit(raw, width, right)
    if all(c.isprintable() for c in raw):
        assert cell_len(fitting) == width
        assert fitting.strip() == raw.strip() if cell_len(raw) <= width else (not width or fitting.endswith("…"))


# Figures


def test_figures() -> None:
    assert figures.count(1234567) == "1,234,567"
    assert figures.count(None) == "-"
    assert [figures.share(*pair) for pair in ((0, 9), (1, 1000), (999, 1000), (9, 9), (1, 3), (0, 0))] == [
        "0 %", "<1 %", ">99 %", "100 %", "33 %", "-",
    ]  # fmt: skip
    assert [figures.rate(r) for r in (0, 0.44, 9.96, 1234.5)] == ["0", "0.4", "10", "1,234"]
    assert [figures.age(s) for s in (-5, 9, 29, 59, 60, 7199, 86400 * 3)] == [
        "now", "now", "20 s", "50 s", "1 min", "1 h", "3 d",
    ]  # fmt: skip
    assert [figures.window(s) for s in (90, 900, 3600, 86400)] == ["90s", "15m", "1h", "1d"]
    assert figures.size(999) == "999 B"
    assert figures.size(48_200_000) == "48.2 MB"
    assert figures.plural(1, "message") == "1 message"
    assert figures.plural(2000, "message") == "2,000 messages"
    assert len(figures.clock(NOW, NOW)) == 8
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", figures.clock(NOW - 200_000, NOW))


# Columns


def column(title: str, width: int, share: int = 0, most: int = 0, rank: int = 0) -> Column[str]:
    return Column(title, lambda item, now: Cell(item), width, share=share, most=most, rank=rank)


@given(st.integers(0, 200), st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_columns_never_take_more_than_there_is_nor_less_than_they_need(width: int, needs: list[int]) -> None:
    columns = [
        column("a", 8, share=2, most=30), column("b", 5), column("c", 6, rank=2), column("d", 9, share=3, rank=1),
    ]  # fmt: skip
    found = fitted(columns, width, dict(zip("abcd", needs, strict=True)))
    assert [c.title for c, _ in found] in (["a", "b", "c", "d"], ["a", "b", "d"], ["a", "b"])
    assert all(room >= c.width for c, room in found)
    total = sum(room + 1 for _, room in found) - 1
    if width >= 14:
        assert total <= width
    if len(found) == 4:
        assert total == width, "no width is left over where a column could take it"


def test_a_column_gets_what_its_texts_need_before_others_get_more() -> None:
    columns = [column("a", 8, share=1), column("b", 8, share=9)]
    assert fitted(columns, 61, {"a": 30, "b": 20})[0][1] >= 30


def test_numbers_fall_and_texts_rise() -> None:
    size: Column[str] = Column("n", lambda s, now: Cell(s), 3, order=lambda s: len(s))
    name: Column[str] = Column("t", lambda s, now: Cell(s), 3, order=lambda s: s)
    assert list(arranged(["b", "aaa", "cc"], size)) == ["aaa", "cc", "b"]
    assert list(arranged(["b", "aaa", "cc"], name)) == ["aaa", "b", "cc"]
    assert list(arranged(["b", "aaa", "cc"], None)) == ["b", "aaa", "cc"]


# Panes


def test_a_sender_in_its_row() -> None:
    found = sender(
        STOLEN, 812, recipients=12_700, rate=54.3, clients=((BOT, 800), ("2001:db8::7", 12)), forged=800, queued=None,
        sent=12, deferred=700, bounced=100, failed_logins=14, reasons=("98 % forged", "3 clients"), suspicion=80,
    )  # fmt: skip
    assert row(senders.COLUMNS, found) == {
        "login": STOLEN, "messages": "812", "rcpts": "12,700", "/min": "54", "clients": "2", "forged": "99 %",
        "queued": "-", "def+bnc": "99 %", "failed": "14", "seen": "30 s", "why": "98 % forged · 3 clients",
    }  # fmt: skip


def test_a_relay_and_a_failed_login_in_their_rows() -> None:
    open_relay = row(relays.COLUMNS, relay(BOT, refused=3, queued=None, last_seen=0))
    assert (open_relay["kind"], open_relay["by range"], open_relay["queued"], open_relay["seen"]) == (
        "OPEN",
        "",
        "-",
        "-",
    )
    trusted = row(relays.COLUMNS, relay("192.0.2.5", kind="trusted", network="192.0.2.0/24"))
    assert (trusted["kind"], trusted["by range"]) == ("TRUSTED", "192.0.2.0/24")
    tried = row(failed.COLUMNS, desk.failed_login(BOT, logins=(("a@x.example", 9), ("b@x.example", 3))))
    assert (tried["got in"], tried["tried"]) == ("no", "a@x.example (9), b@x.example (3)")
    broke_in = row(failed.COLUMNS, desk.failed_login(BOT, succeeded=(STOLEN,), broke_in=True, unnamed=4))
    assert (broke_in["got in"], broke_in["tried"]) == (f"YES {STOLEN}", f"{STOLEN} (12), not named (4)")
    assert row(failed.COLUMNS, desk.failed_login(BOT, succeeded=(STOLEN,)))["got in"] == f"yes {STOLEN}"


def test_words_alone_accuse_nobody() -> None:
    def kinds(suspected: bool) -> set[str]:
        found = sender(STOLEN, reasons=("4,000 messages an hour",), suspected=suspected)
        return {c.cell(found, NOW).kind for c in senders.COLUMNS}

    assert not {"alarm", "warn"} & kinds(False)
    assert "alarm" in kinds(True)
    honest = relay("192.0.2.5", kind="trusted", network="192.0.2.0/24", known=True, reasons=("many messages",))
    assert row(relays.COLUMNS, honest)["kind"] == "KNOWN"
    assert not {"alarm", "warn"} & {c.cell(honest, NOW).kind for c in relays.COLUMNS}
    assert row(relays.COLUMNS, relay("192.0.2.5", kind="trusted", untrusted=True))["kind"] == "UNTRUSTED"


def test_problems_and_who_refuses_our_mail() -> None:
    def block(who: str, recipients: int, ago: float) -> Blocked:
        return Blocked(who, "list", NOW - ago, NOW, recipients, 40, "mx.example.net", "550 [red]listed[/red]")

    blocked = [block("zen.dnsbl.example", 312, 60), *(block(f"mx{n}.example", 20 + n, 30) for n in range(3))]
    told = texts(problems.lines(("No log.",), blocked, NOW))
    assert told[0] == "PROBLEM No log."
    assert told[1].startswith("BLOCKED by zen.dnsbl.example 312 · mx0.example 20 · mx1.example 21 · 1 more: recipients")
    assert told[1].endswith(f"since {figures.clock(NOW - 60, NOW)}; b: more")
    many = texts(problems.lines([f"Problem {n}." for n in range(9)], (), NOW))
    assert many[2:] == ["PROBLEM Problem 2.", "and 6 more: bmtop report names all"]
    assert problems.lines((), (), NOW) == []


@pytest.mark.parametrize("width", [76, 136])
def test_the_gauge_in_words(width: int) -> None:
    first, second, third = texts(
        gauge.lines(desk.gauge(1284, "critical", active=812, growth_per_minute=85.4), NOW, width)
    )
    assert first.startswith("2,096 queued   ")
    assert first.endswith("CRITICAL  10.5 times the threshold of 200")
    assert cell_len(first) <= width
    assert "active 812   deferred 1,284   hold 0" in second
    assert re.search(r"last 10 minutes   \+85 a minute   oldest 14 minutes   1\.3 MB", third)
    warning = texts(gauge.lines(desk.gauge(60, "warning", why="grew by 55 in a minute"), NOW, width))
    assert warning[0].endswith("WARNING  grew by 55 in a minute")
    unknown = texts(gauge.lines(desk.gauge(0, growth_per_minute=None, oldest=None, bytes=None, history=()), NOW, width))
    assert unknown[2].endswith("growth not known yet")


@given(st.integers(0, 5000), st.integers(0, 1000), st.integers(1, 120))
def test_the_bar_fills_its_width_and_marks_the_threshold(total: int, threshold: int, width: int) -> None:
    bar = gauge.bar(total, threshold, width)
    assert len(bar) == width
    assert bar.count("┃") == 1
    if total > threshold * 1.5 and width > 10 and threshold:
        assert "█" in bar.split("┃")[1], "above the threshold, it is filled beyond the mark"


@given(st.lists(st.integers(0, 100_000), max_size=400), st.integers(0, 80))
def test_the_sparkline_is_never_too_long_and_its_peak_is_the_highest_block(values: list[int], width: int) -> None:
    line = gauge.sparkline(values, width)
    assert len(line) == min(width, len(values))
    if line and max(values) > 0:
        assert "█" in line


def test_the_title_keeps_modes_and_ages_where_there_is_little_room() -> None:
    picture = Picture(NOW, 900, False, None, (), (), (), NOW - 2, None)
    long = text(title.title("mail.example.com", picture, NOW, ("READ-ONLY",), 138))
    assert "READ-ONLY  window 15m · log 2 s old · queue listed not yet · reading back… · " in long
    assert cell_len(long) == 138
    short = text(
        title.title("a-rather-long-name.mail.example.com", picture, NOW, ("READ-ONLY", "PAUSED", "MASKED"), 78)
    )
    assert cell_len(short) == 78
    for word in ("READ-ONLY", "PAUSED", "MASKED", "log 2 s old", "reading back…"):
        assert word in short


def test_an_action_is_one_line_of_the_journal_with_its_newest_state() -> None:
    def entry(number: str, state: str, at: float) -> Entry:
        return Entry(number, at, "root", "purge", STOLEN, state, state)  # type: ignore[arg-type]

    told = actions([entry("1", "begun", 1), entry("2", "begun", 2), entry("1", "done", 3)])
    assert [(e.number, e.state) for e in told] == [("1", "done"), ("2", "begun")]


def test_the_alarm_is_armed_again_only_by_ok() -> None:
    alert = Alert()
    states = ["ok", "warning", "critical", "critical", "warning", "critical", "ok", "critical"]
    assert [alert.heard(s) for s in states] == [  # type: ignore[arg-type]
        False, False, True, False, False, False, False, True,
    ]  # fmt: skip


# The log about one of them


@pytest.mark.parametrize(
    ("word", "line", "wanted"),
    [
        ("192.0.2.1", "connect from x[192.0.2.1]", True),
        ("192.0.2.1", "connect from x[192.0.2.10]", False),
        ("192.0.2.1", "connect from x[1192.0.2.1]", False),
        ("2001:db8::1", "connect from x[2001:db8::1]", True),
        ("2001:db8::1", "connect from x[2001:db8::1:5]", False),
        ("admin", "sasl_username=admin", True),
        ("admin", "sasl_username=admin@example.com", False),
        ("bob@example.com", "to=<Bob@Example.com>, relay", True),
        ("bob@example.com", "to=<jim-bob@example.com>, relay", False),
        ("bob@example.com", "to=<bob@example.com.test>", False),
        ("a[b", "x a[b y", True),
    ],
)
def test_a_line_is_followed_where_it_names_the_word_as_a_whole(word: str, line: str, wanted: bool) -> None:
    assert Follow([word]).wants(f"Nov 24 12:00:00 mail postfix/smtpd[7]: {line}") is wanted


def test_a_message_that_names_somebody_does_not_make_another_message_his() -> None:
    follow = Follow([STOLEN])
    head = "Nov 24 12:00:00 mail postfix"
    assert follow.wants(f"{head}/cleanup[9]: FAKE001: message-id=<smtpd[1]: BADC0DE: client={STOLEN}>")
    assert not follow.wants(f"{head}/qmgr[9]: FAKE001: removed")
    assert not follow.wants(f"{head}/qmgr[9]: BADC0DE: removed")
    assert follow.wants(f"{head}/smtpd[9]: REAL001: client=x[{BOT}], sasl_username={STOLEN}")
    assert follow.wants(f"{head}/qmgr[9]: REAL001: removed")
    assert not Follow([]).wants(f"{head}/qmgr[9]: REAL001: removed")


# Narrowing


def test_fields_become_a_filter() -> None:
    found = narrowed(
        {"client": f"{BOT}, 2001:db8::/32", "not client": "192.0.2.0/24", "since": "10m", "sender": " @x.example ",
         "recipient": "", "queue": "deferred"},
        NOW,
    )  # fmt: skip
    assert [str(n) for n in found.clients] == [f"{BOT}/32", "2001:db8::/32"]
    assert (found.since, found.sender, found.recipient, found.queue) == (NOW - 600, "@x.example", None, "deferred")
    whole = merged(Filter(login=STOLEN), found)
    assert whole.login == STOLEN
    assert whole.not_clients == found.not_clients


@pytest.mark.parametrize(
    "typed", [{"client": "x"}, {"not client": "192.0.2.1/8"}, {"since": "soon"}, {"before": "-1m"}, {"queue": "ALL"}]
)
def test_a_field_that_cannot_be_read_is_refused(typed: dict[str, str]) -> None:
    with pytest.raises(Refused):
        narrowed(typed, NOW)


# Choosing


@given(
    st.lists(st.sampled_from(["hold", "deferred", "active"]), max_size=12),
    st.lists(st.one_of(st.integers(0, 11), st.just("all"), st.just("bounces"), st.just("narrow")), max_size=20),
)
def test_a_plan_has_exactly_the_ticked_messages_that_are_listed(queues: list[str], steps: list[int | str]) -> None:
    frozen = [message(n, queue=q) for n, q in enumerate(queues)]
    bounces = [message(100), message(101)]
    choice = Choice(Filter(login=STOLEN), frozen, bounces)
    unticked: set[str] = set()
    listed: list[Message] = list(frozen)
    kept = list(frozen)
    for step in steps:
        if step == "narrow":
            kept = kept[::2]
            choice.narrow(Filter(login=STOLEN, queue="x"), kept, bounces)
        elif step == "bounces":
            choice.with_bounces = not choice.with_bounces
        elif step == "all":
            ids = {m.id for m in listed}
            unticked = unticked - ids if ids <= unticked else unticked | ids
            choice.toggle_all()
        elif isinstance(step, int) and step < len(listed):
            unticked ^= {listed[step].id}
            choice.toggle(listed[step])
        listed = [*kept, *(bounces if choice.with_bounces else [])]
        assert list(choice.listed) == listed
    ticked = [m for m in listed if m.id not in unticked]
    assert list(choice.plan("purge").messages) == ticked
    assert [m.queue == "hold" for m in choice.plan("hold").messages] == [False] * choice.tally().of("hold")
    assert [m.queue == "hold" for m in choice.plan("release").messages] == [True] * choice.tally().of("release")
    assert choice.tally().bytes == sum(m.size for m in ticked)


def test_a_search_goes_round_and_looks_into_every_field() -> None:
    messages = [message(n) for n in range(5)]
    assert find(messages, "VICTIM3@", 0) == 3
    assert find(messages, "victim1@", 2) == 1
    assert find(messages, BOT, 4) == 4
    assert find(messages, str(queue_id(2)).lower(), 0) == 2
    assert find(messages, "nobody", 0) is None
    assert find([], "x", 3) is None


# Results


def test_results_say_what_was_done_and_what_was_not() -> None:
    plan = Plan("purge", Filter(login=STOLEN), tuple(message(n) for n in range(12_700)))
    gone = dict.fromkeys(plan.ids[:2], "had left the queue")
    told = texts(results.outcome(Outcome(plan, plan.ids[2:], gone, undo="u-1", command=("postsuper", "-d", "-"))))
    assert told[0] == "Deleted 12,698 of 12,700."
    assert told[1] == f"2 left out: had left the queue   {plan.ids[0]}, {plan.ids[1]}"
    assert "command  postsuper -d -   (12,700 ids on standard input)" in told
    assert any(line.startswith("undo     u-1") for line in told)
    back = texts(results.restored(Restored("u-1", plan.ids[:3], {}, {plan.ids[3]: "no such file"})))
    assert back[0] == "Brought back 3 of 4, on hold."
    assert f"1 left out: no such file   {plan.ids[3]}" in back
    command = ("bm-cli", "user", "logout", "--email", "o'hara x@example.com")
    logout = texts(results.account(Done("logout", STOLEN, False, "It failed.", command, 1)))
    assert logout[0] == "It failed."
    assert "'o'\"'\"'hara x@example.com'" in logout[1]
    assert logout[2].endswith("exit status 1")


def test_a_filter_in_words() -> None:
    wanted = Filter(login=STOLEN, not_clients=narrowed({"not client": "192.0.2.0/24"}, NOW).not_clients)
    assert filter_words(wanted.as_dict()) == f"login {STOLEN}, not-client 192.0.2.0/24"


# Files


def test_a_file_is_new_private_and_never_through_a_link(tmp_path: Path) -> None:
    first = save(tmp_path, "screen", "svg", "one", NOW)
    second = save(tmp_path, "screen", "svg", "two", NOW)
    assert first != second
    assert (first.read_text(), second.read_text()) == ("one", "two")
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    secret = tmp_path / "secret"
    secret.write_text("kept")
    aside = tmp_path / "aside"
    aside.mkdir()
    (aside / first.name).symlink_to(secret)
    assert save(aside, "screen", "svg", "three", NOW).name != first.name
    assert secret.read_text() == "kept"
    with pytest.raises(Refused, match="cannot be written"):
        save(tmp_path / "nowhere", "screen", "svg", "x", NOW)
