"""Failed logins: who tries, with which names, and whether it got in; and names that many addresses try."""

from collections.abc import Sequence

from bmtop.console.columns import Column
from bmtop.console.figures import count, plural, seen
from bmtop.console.panes.pane import Pane
from bmtop.console.target import Target
from bmtop.console.text import Cell
from bmtop.incident.picture import Attacked, FailedLogin

Tries = FailedLogin | Attacked
"""What one client tried, or what many tried at one name."""


def rows(failed: Sequence[FailedLogin], attacked: Sequence[Attacked]) -> list[Tries]:
    """Return all in one order: what broke in first, then what got in at all, then by failures."""
    return sorted((*failed, *attacked), key=lambda t: (not _broke_in(t), not _succeeded(t), -t.failures))


def names(tries: Tries) -> list[str]:
    """Return the names that were tried, each with its failures; some failures are logged without one."""
    if isinstance(tries, Attacked):
        return [f"{tries.login} ({tries.failures:,})"]
    tried = [f"{login} ({failures:,})" for login, failures in tries.logins]
    return [*tried, f"not named ({tries.unnamed:,})"] if tries.unnamed else tried


def _broke_in(tries: Tries) -> bool:
    return isinstance(tries, FailedLogin) and tries.broke_in


def _who(tries: Tries) -> str:
    return tries.client if isinstance(tries, FailedLogin) else plural(len(tries.clients), "client")


def _succeeded(tries: Tries) -> list[str]:
    """Return the logins that a client got in with, or the clients that got in with a name."""
    return list(tries.succeeded) if isinstance(tries, FailedLogin) else [client for client, _ in tries.got_in]


def _got_in(tries: Tries, now: float) -> Cell:
    who = ", ".join(_succeeded(tries))
    if _broke_in(tries):
        return Cell(f"YES {who}", "alarm")
    return Cell(f"yes {who}", "warn") if who else Cell("no", "dim")


COLUMNS: Sequence[Column[Tries]] = (
    Column("client", lambda t, now: Cell(_who(t)), 15, _who, share=2, most=39),
    Column("failed", lambda t, now: Cell(count(t.failures)), 6, lambda t: t.failures, right=True),
    Column("got in", _got_in, 12, lambda t: len(_succeeded(t)), share=5, most=40),
    Column("tried", lambda t, now: Cell(", ".join(names(t))), 6, share=2, rank=2),
    Column("seen", lambda t, now: Cell(seen(t.last_seen, now)), 6, lambda t: t.last_seen, right=True, rank=1),
)


class FailedLogins(Pane[Tries]):
    BORDER_TITLE = "Failed logins"
    one = "row"

    def __init__(self) -> None:
        super().__init__(COLUMNS, _key, id="failed", empty="No login has failed in this window.")

    @property
    def target(self) -> Target | None:
        tries = self.current
        if isinstance(tries, Attacked):
            return Target(login=tries.login)
        return Target(client=tries.client, logins=tries.succeeded) if tries else None


def _key(tries: Tries) -> tuple[str, str]:
    return ("client", tries.client) if isinstance(tries, FailedLogin) else ("login", tries.login)
