"""All keys, made from the bindings themselves."""

from collections.abc import Iterable, Sequence

from textual.binding import Binding

from bmtop.console.dialogs.notice import Notice
from bmtop.console.text import Cell, Line

WORDS: Sequence[tuple[str, str]] = (
    ("forged", "share of its messages with an envelope sender that is not the account's own"),
    ("def+bnc", "share of its deliveries that were deferred or bounced"),
    ("failed", "failed logins before the first that succeeded"),
    ("OPEN", "outside mynetworks, and its mail for elsewhere was accepted"),
    ("TRUSTED", "inside mynetworks; the range that lets it in stands beside it"),
    ("UNTRUSTED", "taken out of mynetworks; in red: its mail is still accepted"),
    ("KNOWN", "marked as an honest relay: never part of the alarm"),
    ("HOLDING", "what it newly queues is put on hold"),
    ("CONTAINING", "its runbook is under way; ALARM: it goes on all the same; CONTAINED: ten quiet minutes"),
    ("REFUSED", "outside mynetworks, and its tries were refused"),
)


def lines(groups: Iterable[tuple[str, Iterable[tuple[str, Binding]]]]) -> list[Line]:
    """Return the help text: a heading and its keys a group, then what the columns mean."""
    told: list[Line] = []
    for heading, keys in groups:
        told.append((Cell(heading, "strong"),))
        for key, binding in keys:
            told.append((Cell(f"  {key:<10}"), Cell(f"{binding.description:<16}"), Cell(binding.tooltip, "dim")))
        told.append(())
    told.append((Cell("Words", "strong"),))
    told += [(Cell(f"  {word:<10}"), Cell(meaning, "dim")) for word, meaning in WORDS]
    return told


class Help(Notice):
    def __init__(self, groups: Iterable[tuple[str, Iterable[tuple[str, Binding]]]]) -> None:
        super().__init__("Keys", lines(groups), tall=True)
