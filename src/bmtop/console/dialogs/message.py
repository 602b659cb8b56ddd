"""One queued message: in a row, in full, and in a saved list. Pure."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from bmtop.checked import QueueId
from bmtop.console.columns import Column
from bmtop.console.figures import NONE, age, clock, duration, size
from bmtop.console.text import Cell, Line
from bmtop.incident.message import Message
from bmtop.visible import visible


def sender(message: Message) -> str:
    """Return the envelope sender as Postfix writes it: the null sender is `<>`."""
    return message.sender or "<>"


def columns(ticked: Callable[[Message], bool]) -> list[Column[Message]]:
    return [
        Column("", lambda m, now: Cell("[x]" if ticked(m) else "[ ]"), 3),
        Column("id", lambda m, now: Cell(m.id), 11, share=1, most=18),
        Column("queue", lambda m, now: Cell(m.queue, "warn" if m.queue == "hold" else "dim"), 8, rank=5),
        Column("age", lambda m, now: Cell(age(now - m.arrival)), 6, right=True, rank=3),
        Column("size", lambda m, now: Cell(size(m.size)), 8, right=True, rank=4),
        Column("client", lambda m, now: Cell(m.client or NONE), 14, share=1, most=39, rank=2),
        Column("sender", lambda m, now: Cell(sender(m)), 12, share=2),
        Column("recipients", lambda m, now: Cell(", ".join(m.recipients)), 12, share=3, rank=1),
    ]


def subject_column(subjects: Mapping[QueueId, str]) -> Column[Message]:
    def cell(message: Message, now: float) -> Cell:
        known = message.id in subjects
        return Cell(subjects[message.id], "") if known else Cell("s reads it", "dim")

    return Column("subject", cell, 18, share=5)


def in_full(message: Message, subject: str | None, now: float) -> list[Line]:
    """Return all that is known about one message."""
    told = [
        ("queue", message.queue),
        ("came", f"{clock(message.arrival, now)}, {duration(now - message.arrival)} ago"),
        ("size", size(message.size)),
        ("sender", sender(message)),
        *(("recipient", recipient) for recipient in message.recipients),
    ]
    envelope = message.envelope
    if envelope is not None:
        told += [
            ("login", envelope.login or "none"),
            ("client", f"{envelope.client_name}[{envelope.client or 'unknown'}]"),
            *(("addressed to", recipient) for recipient in envelope.addressed),
        ]
    if message.origin is not None:
        origin = message.origin
        told += [
            ("came before", f"as {origin.id}, given back by a content filter"),
            ("login then", origin.login or "none"),
            ("client then", f"{origin.name}[{origin.client}]"),
        ]
    if message.reason:
        told.append(("waits for", message.reason))
    told.append(("subject", subject if subject is not None else "not read; s in the list reads it"))
    return [(Cell(f"{name:<14}", "dim"), Cell(text)) for name, text in told]


def saved(messages: Iterable[Message], ticked: Callable[[Message], bool], subjects: Mapping[QueueId, str]) -> str:
    """Return the list as text: a line a message, fields set apart by tabs, nothing but glyphs in them."""
    lines = ["chosen\tid\tqueue\tarrival\tsize\tclient\tlogin\tsender\trecipients\tsubject"]
    for m in messages:
        arrival = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(m.arrival))
        fields: Sequence[str] = (
            "yes" if ticked(m) else "no",
            m.id,
            m.queue,
            arrival,
            str(m.size),
            m.client or "",
            m.login or "",
            sender(m),
            ", ".join(m.recipients),
            subjects.get(m.id, ""),
        )
        lines.append("\t".join(visible(field) for field in fields))
    return "\n".join(lines) + "\n"
