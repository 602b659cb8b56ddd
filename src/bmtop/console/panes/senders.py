"""Top SASL senders: a row an account, the most suspect first."""

from collections.abc import Sequence
from dataclasses import replace

from bmtop.console.columns import Column
from bmtop.console.containments import Mark, unmarked
from bmtop.console.figures import NONE, count, rate, seen, share
from bmtop.console.panes.pane import Pane
from bmtop.console.target import Target
from bmtop.console.text import Cell
from bmtop.incident.picture import Sender
from bmtop.incident.window import AtLeast


def _forged(sender: Sender, now: float) -> Cell:
    return Cell(share(sender.forged, sender.messages), "warn" if sender.forged else "")


def _undelivered(sender: Sender, now: float) -> Cell:
    tried = sender.sent + sender.deferred + sender.bounced
    return Cell(share(sender.deferred + sender.bounced, tried))


def _clients(sender: Sender, now: float) -> Cell:
    more = "+" if isinstance(sender.addresses, AtLeast) else ""
    return Cell(f"{int(sender.addresses):,}{more}")


def _failing(sender: Sender) -> float:
    return (sender.deferred + sender.bounced) / max(1, sender.sent + sender.deferred + sender.bounced)


def _failed(sender: Sender, now: float) -> Cell:
    return Cell(count(sender.failed_logins), "warn") if sender.failed_logins else Cell(NONE, "dim")


def _target(sender: Sender) -> Target:
    return Target(login=sender.login, logins=sender.logins)


def _why(sender: Sender, mark: Cell | None) -> Cell:
    words = " · ".join(sender.reasons) or "nothing unusual"
    if mark is not None:
        return Cell(f"  {mark.text} · {words}", mark.kind)
    return Cell(f"  {words}", "alarm" if sender.suspected else "dim")


COLUMNS: Sequence[Column[Sender]] = (
    Column(
        "login",
        lambda s, now: Cell(s.login, "strong" if s.suspected else ""),
        20,
        lambda s: s.login.lower(),
        share=8,
        most=40,
    ),
    Column("messages", lambda s, now: Cell(count(s.messages)), 8, lambda s: s.messages, right=True),
    Column("rcpts", lambda s, now: Cell(count(s.recipients)), 6, lambda s: s.recipients, right=True, rank=1),
    Column("/min", lambda s, now: Cell(rate(s.rate)), 6, lambda s: s.rate, right=True),
    Column("clients", _clients, 7, lambda s: s.addresses, right=True, rank=2),
    Column("forged", _forged, 6, lambda s: s.forged / max(1, s.messages), right=True, rank=3),
    Column(
        "queued", lambda s, now: Cell(count(s.queued)), 6, lambda s: -1 if s.queued is None else s.queued, right=True
    ),
    Column("def+bnc", _undelivered, 7, _failing, right=True, rank=5),
    Column("failed", _failed, 6, lambda s: s.failed_logins, right=True, rank=4),
    Column("seen", lambda s, now: Cell(seen(s.last_seen, now)), 6, lambda s: s.last_seen, right=True, rank=6),
    Column("  why", lambda s, now: _why(s, None), 18, share=8),
)


class Senders(Pane[Sender]):
    BORDER_TITLE = "Senders"
    one = "login"

    def __init__(self, mark: Mark = unmarked) -> None:
        why = replace(COLUMNS[-1], cell=lambda s, now: _why(s, mark(_target(s))))
        columns = (*COLUMNS[:-1], why)
        super().__init__(columns, lambda s: s.login, id="senders", empty="No login has sent mail in this window.")

    @property
    def target(self) -> Target | None:
        return _target(self.current) if self.current else None
