"""Untrusted relay clients: no login, and mail for elsewhere."""

from collections.abc import Sequence
from dataclasses import replace

from bmtop.console.columns import Column
from bmtop.console.containments import Mark, unmarked
from bmtop.console.figures import count, seen
from bmtop.console.panes.pane import Pane
from bmtop.console.target import Target
from bmtop.console.text import Cell, Kind
from bmtop.incident.picture import Relay, RelayKind

_KINDS: dict[RelayKind, Kind] = {"open": "alarm", "trusted": "warn", "refused": "dim"}


def _kind(relay: Relay, mark: Cell | None) -> Cell:
    if mark is not None:
        return mark
    if relay.untrusted:
        return Cell("UNTRUSTED", "alarm" if relay.kind == "open" else "good")
    return Cell("KNOWN", "dim") if relay.known else Cell(relay.kind.upper(), _KINDS[relay.kind])


def _why(relay: Relay, now: float) -> Cell:
    return Cell("  " + " · ".join(relay.reasons), "alarm" if relay.suspected else "dim")


COLUMNS: Sequence[Column[Relay]] = (
    Column("client", lambda r, now: Cell(r.client, "dim" if r.known else ""), 15, lambda r: r.client, share=3, most=39),
    Column("name", lambda r, now: Cell(r.name), 9, lambda r: r.name.lower(), share=2, most=40, rank=3),
    Column("kind", lambda r, now: _kind(r, None), 10, lambda r: r.kind),
    Column("by range", lambda r, now: Cell(r.network or ""), 10, lambda r: r.network or "", share=3, most=43, rank=2),
    Column("messages", lambda r, now: Cell(count(r.messages)), 8, lambda r: r.messages, right=True),
    Column("rcpts", lambda r, now: Cell(count(r.recipients)), 6, lambda r: r.recipients, right=True, rank=5),
    Column(
        "queued",
        lambda r, now: Cell(count(r.queued)),
        6,
        lambda r: -1 if r.queued is None else r.queued,
        right=True,
        rank=1,
    ),
    Column("refused", lambda r, now: Cell(count(r.refused)), 7, lambda r: r.refused, right=True),
    Column("seen", lambda r, now: Cell(seen(r.last_seen, now)), 6, lambda r: r.last_seen, right=True, rank=4),
    Column("  why", _why, 14, share=6, rank=6),
)


class Relays(Pane[Relay]):
    BORDER_TITLE = "Relay clients"
    one = "client"

    def __init__(self, mark: Mark = unmarked) -> None:
        columns = [
            replace(c, cell=lambda r, now: _kind(r, mark(Target(client=r.client)))) if c.title == "kind" else c
            for c in COLUMNS
        ]
        super().__init__(
            columns, lambda r: r.client, id="relays", empty="No client without a login has sent mail for elsewhere."
        )

    @property
    def target(self) -> Target | None:
        return Target(client=self.current.client) if self.current else None
