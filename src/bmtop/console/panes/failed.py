"""Failed logins: who tries, with which names, and whether it got in."""

from collections.abc import Sequence

from bmtop.console.columns import Column
from bmtop.console.figures import count, seen
from bmtop.console.panes.pane import Pane
from bmtop.console.target import Target
from bmtop.console.text import Cell
from bmtop.incident.picture import FailedLogin


def names(failed: FailedLogin) -> list[str]:
    """Return the names that it tried, each with its failures; some failures are logged without one."""
    tried = [f"{login} ({tries:,})" for login, tries in failed.logins]
    return [*tried, f"not named ({failed.unnamed:,})"] if failed.unnamed else tried


def _got_in(failed: FailedLogin, now: float) -> Cell:
    who = ", ".join(failed.succeeded)
    if failed.broke_in:
        return Cell(f"YES {who}", "alarm")
    return Cell(f"yes {who}", "warn") if who else Cell("no", "dim")


COLUMNS: Sequence[Column[FailedLogin]] = (
    Column("client", lambda f, now: Cell(f.client), 15, lambda f: f.client, share=2, most=39),
    Column("failed", lambda f, now: Cell(count(f.failures)), 6, lambda f: f.failures, right=True),
    Column("got in", _got_in, 12, lambda f: len(f.succeeded), share=5, most=40),
    Column("tried", lambda f, now: Cell(", ".join(names(f))), 6, share=2, rank=2),
    Column("seen", lambda f, now: Cell(seen(f.last_seen, now)), 6, lambda f: f.last_seen, right=True, rank=1),
)


class FailedLogins(Pane[FailedLogin]):
    BORDER_TITLE = "Failed logins"
    one = "client"

    def __init__(self) -> None:
        super().__init__(COLUMNS, lambda f: f.client, id="failed", empty="No login has failed in this window.")

    @property
    def target(self) -> Target | None:
        failed = self.current
        return Target(client=failed.client, logins=failed.succeeded) if failed else None
