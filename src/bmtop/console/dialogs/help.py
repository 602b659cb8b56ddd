"""All keys, made from the bindings themselves."""

from collections.abc import Iterable, Sequence

from textual.binding import Binding

from bmtop.console.dialogs.notice import Notice
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line, wrapped

WORDS: Sequence[tuple[str, str]] = (
    ("forged", "share of its messages with an envelope sender that is not the account's own"),
    ("def+bnc", "share of its deliveries that were deferred or bounced"),
    ("failed", "failed logins before the first that succeeded"),
    ("OPEN", "outside mynetworks, and its mail for elsewhere was accepted"),
    ("TRUSTED", "inside mynetworks; the range that lets it in stands beside it"),
    ("UNTRUSTED", "taken out of mynetworks; where its mail is still accepted, why says so"),
    ("KNOWN", "marked as an honest relay: never part of the alarm"),
    ("HOLDING", "what it newly queues is put on hold"),
    ("CONTAINING", "its runbook is under way; ALARM: it goes on all the same; CONTAINED: ten quiet minutes"),
    ("REFUSED", "outside mynetworks, and its tries were refused"),
)


Groups = Sequence[tuple[str, Sequence[tuple[str, Binding]]]]
"""Headings, each with its keys as they are shown."""


def lines(groups: Groups, width: int) -> list[Line]:
    """Return the help text, `width` wide: a heading and its keys a group, then what the columns mean."""
    told: list[Line] = []
    for heading, keys in groups:
        told.append((Cell(heading, "strong"),))
        for key, binding in keys:
            told += _explained(f"  {key:<10}{binding.description:<16}", binding.tooltip, width)
        told.append(())
    told.append((Cell("Words", "strong"),))
    for word, meaning in WORDS:
        told += _explained(f"  {word:<10} ", meaning, width)
    return told


def _explained(what: str, meaning: str, width: int) -> list[Line]:
    """Return the lines of one key or word; what its meaning needs beside the first stands below that."""
    rows = wrapped(meaning, width - len(what))
    return [(Cell(" " * len(what) if number else what), Cell(row, "dim")) for number, row in enumerate(rows)]


class Help(Notice):
    def __init__(self, groups: Iterable[tuple[str, Iterable[tuple[str, Binding]]]]) -> None:
        super().__init__("Keys", (), tall=True)
        self._groups = [(heading, list(keys)) for heading, keys in groups]

    def words(self) -> Says:
        says = super().words()
        says.fit(lambda width: lines(self._groups, width))
        return says
