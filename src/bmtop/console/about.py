"""All that is known about one login or client, as lines. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bmtop.console.figures import clock, count, duration, plural, rate, share, size
from bmtop.console.panes.journal import STATES
from bmtop.console.target import Target
from bmtop.console.text import Cell, Kind, Line
from bmtop.incident.detail import Detail
from bmtop.incident.message import Message
from bmtop.incident.picture import QUEUES, FailedLogin, Picture, Relay, Sender
from bmtop.response.journal import Entry, actions

MOST = 8
NOTHING_SENT = "none in this window; what it has in the queue came before"


def _row(name: str, text: str, more: str = "") -> Line:
    return (Cell(f"  {name:<14}", "dim"), Cell(text), Cell(more, "dim"))


def _list(name: str, rows: Sequence[tuple[str, int]], total: int) -> list[Line]:
    """Return the first of `rows`, with their counts in a column, and how many more there are."""
    width = max((len(text) for text, _ in rows[:MOST]), default=0)
    told = [
        _row("" if index else name, f"{text:<{min(width, 60)}}  {number:>7,}")
        for index, (text, number) in enumerate(rows[:MOST])
    ]
    if total > MOST:
        told.append(_row("", "", f"and {total - MOST:,} more"))
    return told


def sender(found: Sender, now: float) -> list[Line]:
    told: list[Line] = [(Cell("Sent in the window", "strong"),)]
    sent = f"{count(found.messages)} to {plural(found.recipients, 'recipient')}, {rate(found.rate)} a minute"
    told += _why(found)
    told += [
        _row("messages", sent if found.messages else NOTHING_SENT),
        *_times(found, now),
        _row("logins", ", ".join(found.logins)),
        *_list("clients", found.clients, found.addresses),
        _row(
            "forged",
            f"{count(found.forged)} ({share(found.forged, found.messages)}),"
            f" {plural(found.envelope_senders, 'envelope sender')}",
        ),
        _row(
            "deliveries", f"{count(found.sent)} sent, {count(found.deferred)} deferred, {count(found.bounced)} bounced"
        ),
        _row("failed logins", f"{count(found.failed_logins)} before the first that succeeded"),
    ]
    return told


def _times(found: Sender, now: float) -> list[Line]:
    """Return when its first and its last message came; nothing where the log does not tell."""
    if not found.first_seen:
        return []
    return [_row("first, last", f"{clock(found.first_seen, now)}, {clock(found.last_seen, now)}")]


def _why(found: Sender | Relay) -> list[Line]:
    kind: Kind = "alarm" if found.suspected else ""
    return [(Cell(f"  {'' if n else 'why':<14}", "dim"), Cell(reason, kind)) for n, reason in enumerate(found.reasons)]


def relay(found: Relay, now: float) -> list[Line]:
    by = {
        "open": "OPEN: outside mynetworks, and its mail for elsewhere was accepted",
        "trusted": f"TRUSTED: let in by {found.network} of mynetworks",
        "refused": "REFUSED: outside mynetworks, its tries failed",
    }[found.kind]
    if found.kind == "open" and found.untrusted:
        by = "UNTRUSTED: still accepted"
    marks = [
        word
        for word, so in (
            ("marked as honest", found.known),
            ("untrusted since", found.untrusted and found.kind != "open"),
        )
        if so
    ]
    sent = f"{count(found.messages)} to {plural(found.recipients, 'recipient')}" if found.messages else "none"
    return [
        (Cell("Without a login", "strong"),),
        *(
            (Cell(f"  {'why':<14}", "dim"), Cell(reason, "alarm" if found.suspected else ""))
            for reason in found.reasons
        ),
        _row("kind", ", ".join([by, *marks])),
        _row("name", found.name),
        _row("messages", f"{sent}, {count(found.refused)} refused" if found.last_seen else NOTHING_SENT),
        *([_row("last", clock(found.last_seen, now))] if found.last_seen else []),
    ]


def detail(found: Detail, now: float) -> list[Line]:
    """Return the time line, and who and where its mail went to."""
    told: list[Line] = []
    if found.moments:
        told.append((Cell("Time line", "strong"),))
        told += [_row(clock(m.time, now), m.what, f"  {m.figure}" if m.figure else "") for m in found.moments]
        told.append(())
    lists = [
        *_list("senders", found.senders, found.of("senders")),
        *_list("to domains", found.domains, found.of("domains")),
        *_list("tried from", found.tried_from, found.of("tried_from")),
    ]
    if found.unknown:
        lists.append(
            _row("unknown users", plural(found.unknown, "recipient that does", "recipients that do") + " not exist")
        )
    return [*told, (Cell("Its mail in the window", "strong"),), *lists, ()] if lists else told


def failed(found: FailedLogin, now: float) -> list[Line]:
    got_in = f"YES, as {', '.join(found.succeeded)}" if found.succeeded else "no"
    return [
        (Cell("Failed logins", "strong"),),
        _row("failures", f"{count(found.failures)}, the last at {clock(found.last_seen, now)}"),
        (Cell(f"  {'got in':<14}", "dim"), Cell(got_in, "alarm" if found.succeeded else "")),
        *(_row("", f"{login} at {clock(at, now)}") for login, at in found.got_in),
        *_list("tried", found.logins, len(found.logins)),
        *([_row("not named", count(found.unnamed))] if found.unnamed else []),
    ]


def _top(name: str, values: Iterable[str]) -> list[Line]:
    counted = Counter(values)
    return _list(name, counted.most_common(MOST), len(counted))


def queued(messages: Sequence[Message], now: float) -> list[Line]:
    told: list[Line] = [(Cell("In the queue", "strong"),)]
    if not messages:
        return [*told, _row("messages", "none, as it was last listed")]
    queues = Counter(m.queue for m in messages)
    told += [
        _row(
            "messages",
            f"{count(len(messages))}, {size(sum(m.size for m in messages))},"
            f" the oldest came {duration(now - messages[0].arrival)} ago",
        ),
        _row("by queue", " · ".join(f"{name} {queues[name]:,}" for name in QUEUES if queues[name])),
        *_top("logins", (m.login or "without a login" for m in messages)),
        *_top("clients", (m.client or "unknown" for m in messages)),
        *_top("senders", (m.sender or "<>" for m in messages)),
        *_top("to domains", (r.rpartition("@")[2].lower() for m in messages for r in m.recipients)),
    ]
    return told


def subjects(found: Sequence[str], of: int) -> list[Line]:
    told: list[Line] = [(Cell("Subjects", "strong"), Cell(f"  of the newest {len(found):,} of {of:,}", "dim"))]
    return told + [(Cell("  "), Cell(subject)) for subject in found]


def done(entries: Sequence[Entry], target: Target, now: float) -> list[Line]:
    told: list[Line] = [(Cell("What was done", "strong"),)]
    mine = [e for e in actions(entries) if e.target.lower() in {word.lower() for word in target.words()}]
    told += [
        (
            Cell(f"  {clock(e.time, now)}  {e.who}  ", "dim"),
            Cell(f"{e.action} "),
            Cell(e.state, STATES.get(e.state, "")),
            Cell(f"  {e.sentence}"),
        )
        for e in mine
    ]
    return told if mine else [*told, _row("nothing", "")]


def activity(target: Target, picture: Picture, now: float) -> list[Line]:
    """Return what the picture knows about the target."""
    told: list[Line] = []
    for one in picture.senders:
        if one.login == target.login:
            told += [*sender(one, now), ()]
    for client in picture.relays:
        if client.client == target.client:
            told += [*relay(client, now), ()]
    for tried in picture.failed_logins:
        if tried.client == target.client:
            told += [*failed(tried, now), ()]
    return told
