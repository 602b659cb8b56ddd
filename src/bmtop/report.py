"""The picture as text and as JSON: what `bmtop report` prints, and what the console exports."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import humanize

from bmtop.incident.picture import QUEUES, Attacked, Blocked, FailedLogin, Picture, QueueGauge, Relay, Sender
from bmtop.mask import Mask
from bmtop.visible import cells, visible

if TYPE_CHECKING:
    from bmtop.response.journal import Entry

_MOST_ROWS = 20
_MOST_NAMES = 5
# A name may be as long as its sender likes; what is said of it is whole.
_LONGEST = 80
_WHOLE = {"why", "tried", "answer", "result"}


def iso(moment: float | None) -> str | None:
    """Return ISO 8601 in UTC, to the second; None for None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


def as_dict(picture: Picture) -> dict[str, Any]:
    """Return the object that `bmtop report --json` prints."""
    return {
        "generated": iso(picture.generated),
        "window_seconds": round(picture.window),
        "complete": picture.complete,
        "queue": None if picture.queue is None else _queue(picture.queue),
        "senders": [_sender(row) for row in picture.senders],
        "relays": [_relay(row) for row in picture.relays],
        "failed_logins": [_failed(row) for row in picture.failed_logins],
        "attacked": [_attacked(row) for row in picture.attacked],
        "blocked": [_blocked(row) for row in picture.blocked],
        "problems": [visible(problem) for problem in picture.problems],
    }


def _queue(gauge: QueueGauge) -> dict[str, Any]:
    growth = gauge.growth_per_minute
    return {
        "total": gauge.total,
        **{name: getattr(gauge, name) for name in QUEUES},
        "bytes": gauge.bytes,
        "oldest": iso(gauge.oldest),
        "growth_per_minute": None if growth is None else round(growth, 1),
        "threshold": gauge.threshold,
        "state": gauge.state,
    }


def _sender(row: Sender) -> dict[str, Any]:
    return {
        "login": row.login,
        "logins": list(row.logins),
        "messages": row.messages,
        "recipients": row.recipients,
        "clients": [client for client, _ in row.clients],
        "envelope_senders": row.envelope_senders,
        "forged": row.forged,
        "queued": row.queued,
        "failed_logins": row.failed_logins,
        "first_seen": iso(row.first_seen or None),
        "last_seen": iso(row.last_seen or None),
        "reasons": list(row.reasons),
    }


def _relay(row: Relay) -> dict[str, Any]:
    return {
        "client": row.client,
        "name": row.name,
        "kind": row.kind,
        "network": row.network,
        "messages": row.messages,
        "recipients": row.recipients,
        "queued": row.queued,
        "refused": row.refused,
        "last_seen": iso(row.last_seen or None),
    }


def _failed(row: FailedLogin) -> dict[str, Any]:
    return {
        "client": row.client,
        "logins": dict(row.logins),
        "failures": row.failures,
        "succeeded": list(row.succeeded),
    }


def _attacked(row: Attacked) -> dict[str, Any]:
    return {
        "login": row.login,
        "clients": dict(row.clients),
        "failures": row.failures,
        "succeeded": [client for client, _ in row.got_in],
    }


def _blocked(row: Blocked) -> dict[str, Any]:
    return {
        "who": row.who,
        "kind": row.kind,
        "since": iso(row.since),
        "last_seen": iso(row.last_seen),
        "recipients": row.recipients,
        "deferred": row.deferred,
        "host": row.host,
        "answer": row.answer,
    }


def as_json(picture: Picture) -> str:
    """Return the report as JSON text, ASCII only: nothing in it can act on a terminal."""
    return json.dumps(as_dict(picture), indent=2)


def masked(picture: Picture, mask: Mask) -> Picture:
    """Return the picture with the local parts of addresses hidden, and logins without a domain."""
    name = mask.name
    senders = tuple(replace(s, login=name(s.login), logins=tuple(map(name, s.logins))) for s in picture.senders)
    failed = tuple(
        replace(
            f,
            logins=tuple((name(n), c) for n, c in f.logins),
            succeeded=tuple(map(name, f.succeeded)),
            got_in=tuple((name(n), t) for n, t in f.got_in),
        )
        for f in picture.failed_logins
    )
    attacked = tuple(replace(a, login=name(a.login)) for a in picture.attacked)
    # A server's answer may quote any address.
    blocked = tuple(replace(b, answer=mask.text(b.answer)) for b in picture.blocked)
    return replace(
        picture,
        senders=senders,
        failed_logins=failed,
        attacked=attacked,
        blocked=blocked,
        problems=tuple(map(mask.text, picture.problems)),
    )


def _masked_actions(actions: Sequence[Entry], mask: Mask) -> list[Entry]:
    # The targets first: a sentence may name another's.
    hidden = [replace(e, target=mask.name(e.target) if _on_a_login(e) else mask.sentence(e.target)) for e in actions]
    return [replace(e, sentence=mask.sentence(e.sentence)) for e in hidden]


def _on_a_login(entry: Entry) -> bool:
    """Tell whether an action's target is a login without a domain: no address, client, undo copy or other choice."""
    if "@" in entry.target or entry.target == entry.undo or (entry.filter and "login" not in entry.filter):
        return False
    try:
        ipaddress.ip_network(entry.target.partition(", ")[0], strict=False)
    except ValueError:
        return True
    return False


def as_text(
    picture: Picture, actions: Sequence[Entry] | None, *, width: int | None = None, mask: Mask | None = None
) -> str:
    """Return the panes as plain text, aligned, every character harmless to a terminal; hidden by the `mask`.

    `actions` are what was done in the window, an entry each; None is not known. Tables are cut at `width` cells, a
    terminal's; where it is None, for a file or a pipe, their sentences are whole.
    """
    note = ""
    if mask is not None:
        picture, note = masked(picture, mask), ", masked (the numbers are those of this run)"
        actions = actions and _masked_actions(actions, mask)
    # Where nothing could be read, that says nothing.
    none = "none" if picture.complete or picture.log_time is not None else "not known"
    done = actions or ()
    parts = [
        f"bmtop {iso(picture.generated)}, the last {humanize.precisedelta(round(picture.window))}{note}",
        _queue_text(picture.queue),
        _table("Top SASL senders", picture.senders, _SENDER_COLUMNS, width, none),
        _table("Untrusted relay clients", picture.relays, _RELAY_COLUMNS, width, none),
        _table("Failed logins", picture.failed_logins, _FAILED_COLUMNS, width, none),
        _table("Logins tried from several addresses", picture.attacked, _ATTACKED_COLUMNS, width, ""),
        _table("Who refuses our mail", picture.blocked, _BLOCKED_COLUMNS, width, ""),
        _table("Actions", done, _ACTION_COLUMNS, width, "not known" if actions is None else "none", len(done)),
        *(f"! {visible(problem)}" for problem in picture.problems),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _queue_text(gauge: QueueGauge | None) -> str:
    if gauge is None:
        return "Queue: not known"
    each = ", ".join(f"{name} {getattr(gauge, name):,}" for name in QUEUES if getattr(gauge, name))
    size = "" if gauge.bytes is None else f", {humanize.naturalsize(gauge.bytes)}"
    why = f" ({gauge.why})" if gauge.why else ""
    return f"Queue: {gauge.total:,} messages{size}, {gauge.state.upper()}{why}\n  {each or 'empty'}"


_Columns = Sequence[tuple[str, Callable[[Any], object]]]

_SENDER_COLUMNS: _Columns = (
    ("login", lambda row: row.login),
    ("messages", lambda row: row.messages),
    ("recipients", lambda row: row.recipients),
    ("queued", lambda row: row.queued),
    ("clients", lambda row: row.addresses),
    ("forged", lambda row: row.forged),
    ("why", lambda row: "; ".join(row.reasons) or "-"),
)
_RELAY_COLUMNS: _Columns = (
    ("client", lambda row: row.client),
    ("kind", lambda row: row.kind.upper()),
    ("network", lambda row: row.network or "-"),
    ("messages", lambda row: row.messages),
    ("queued", lambda row: row.queued),
    ("refused", lambda row: row.refused),
    ("name", lambda row: row.name),
    ("why", lambda row: "; ".join(row.reasons) or "-"),
)
_FAILED_COLUMNS: _Columns = (
    ("client", lambda row: row.client),
    ("failures", lambda row: row.failures),
    ("got in as", lambda row: ", ".join(row.succeeded) or "-"),
    ("tried", lambda row: _tried(row)),
)
_ATTACKED_COLUMNS: _Columns = (
    ("login", lambda row: row.login),
    ("addresses", lambda row: len(row.clients)),
    ("failures", lambda row: row.failures),
    ("got in from", lambda row: ", ".join(client for client, _ in row.got_in) or "-"),
)
_BLOCKED_COLUMNS: _Columns = (
    ("who", lambda row: row.who),
    ("recipients", lambda row: row.recipients),
    ("since", lambda row: iso(row.since)),
    ("answer", lambda row: row.answer),
)
_ACTION_COLUMNS: _Columns = (
    ("time", lambda row: iso(row.time)),
    ("who", lambda row: row.who),
    ("action", lambda row: row.action),
    ("about", lambda row: row.target),
    ("state", lambda row: row.state),
    ("result", lambda row: row.sentence or "-"),
)


def _tried(row: FailedLogin) -> str:
    tried = [f"{_short(name) or '(empty)'} {count}" for name, count in row.logins]
    tried += [f"(not logged) {row.unnamed}"] if row.unnamed else []
    more = [f"and {len(tried) - _MOST_NAMES:,} more"] if len(tried) > _MOST_NAMES else []
    return ", ".join(tried[:_MOST_NAMES] + more)


def _table(
    title: str, rows: Sequence[object], columns: _Columns, width: int | None, none: str, most: int = _MOST_ROWS
) -> str:
    """Return the first `most` rows below their heading; without rows, the title and `none`, or nothing at all."""
    if not rows:
        return none and f"{title}: {none}"
    table = [[name for name, _ in columns]]
    table += [[_cell(read(row), whole=name in _WHOLE) for name, read in columns] for row in rows[:most]]
    widths = [max(cells(line[i]) for line in table) for i in range(len(columns))]
    # A number that is not known is None.
    numeric = [all(isinstance(read(row), int | None) for row in rows[:most]) for _, read in columns]
    lines = [
        "  " + "  ".join(_padded(c, w, right=n) for c, w, n in zip(line, widths, numeric, strict=True)).rstrip()
        for line in table
    ]
    more = [f"  … and {len(rows) - most:,} more"] if len(rows) > most else []
    return "\n".join([title, *(line if width is None else _cut(line, width) for line in lines), *more])


def _cut(line: str, width: int) -> str:
    """Return the line, or as much of it as fits into so many cells, with `…` at the end."""
    if cells(line) <= width:
        return line
    # What shows in a cell is a letter and at most three marks.
    line = line[: 4 * width]
    while cells(line) >= width:
        line = line[:-1]
    return f"{line}…"


def _padded(text: str, width: int, *, right: bool) -> str:
    blank = " " * (width - cells(text))
    return blank + text if right else text + blank


def _cell(value: object, *, whole: bool) -> str:
    if value is None:
        return "?"
    if isinstance(value, int):
        return f"{value:,}"
    return visible(str(value)) if whole else _short(str(value))


def _short(name: str) -> str:
    # Cut first: that takes as long as what is shown.
    text = visible(name[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
