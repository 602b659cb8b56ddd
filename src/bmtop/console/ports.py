"""What the console needs from the rest: somebody who reads, and somebody who acts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bmtop.checked import Client, Login, QueueId
    from bmtop.incident.accounts import Accounts
    from bmtop.incident.detail import Detail
    from bmtop.incident.message import Message
    from bmtop.incident.picture import Picture
    from bmtop.incident.selection import Filter, Network
    from bmtop.response.journal import Entry
    from bmtop.response.keep import KeepHolding
    from bmtop.response.plan import Done, Outcome, Plan, Progress, Restored, UndoCopy
    from bmtop.response.runbook import Runbook
    from bmtop.response.untrust import Change, Changed


class Monitor(Protocol):
    """Reads log and queue. Everything is quick and called on the event loop."""

    accounts: Accounts
    window: float
    """Seconds that the panes cover; setting it makes the monitor read back as far."""

    @property
    def messages(self) -> Mapping[QueueId, Message]:
        """The queue as last listed, envelopes included."""

    @property
    def as_of(self) -> float:
        """When that listing began, in epoch seconds."""

    def bounces(self, wanted: Filter, chosen: Collection[Message]) -> tuple[Message, ...]:
        """Return Postfix's own notifications about mail that `wanted` means, among it the `chosen` messages."""

    async def run(self) -> None:
        """Read until cancelled."""

    def picture(self, now: float | None = None) -> Picture:
        """Return what is known at `now`, in epoch seconds."""

    def login_detail(self, login: str) -> Detail:
        """Return the details of an account, as of the last picture."""

    def client_detail(self, client: str) -> Detail:
        """Return the details of a client, as of the last picture."""

    def log_lines(self, after: int) -> tuple[int, list[str]]:
        """Return how many lines came in so far, and the newest of those after the first `after`."""

    async def refresh(self) -> str:
        """List the queue again now; return why that failed, and all is as last listed, in a sentence, else empty."""


class Responder(Protocol):
    """Acts on the server. What changes something, `undos`, `subjects` and `known_relays` block: they are called in a
    thread.

    They raise `Refused` or `CommandFailed`, whose text is one sentence for the user; among them `purge`
    `NoRoom` where there is no room for the undo copy, and `set_password` `OnlyInArgv` where the list of
    processes would show the password. `progress` is called in that thread, and raises `Refused` once the
    user asked to stop.
    """

    @property
    def read_only(self) -> bool: ...
    def purge(self, plan: Plan, progress: Progress, *, without_undo: bool = False) -> Outcome: ...
    def hold(self, plan: Plan, progress: Progress) -> Outcome: ...
    def release(self, plan: Plan, progress: Progress) -> Outcome: ...
    def undo(self, name: str, progress: Progress) -> Restored: ...
    def undos(self) -> Sequence[UndoCopy]: ...
    def subjects(self, ids: Sequence[QueueId]) -> Mapping[QueueId, str]: ...
    def with_subject(self, messages: Sequence[Message], wanted: Filter) -> tuple[Message, ...]: ...
    def logout(self, login: Login) -> Done: ...
    def planned(self, action: str, login: Login) -> tuple[str, ...]: ...
    def set_password(self, login: Login, password: str, *, allow_argv: bool = False) -> Done: ...
    def make_password(self) -> str: ...
    def runbook(
        self,
        messages: Callable[[], Iterable[Message]],
        *,
        login: str | None = None,
        client: Client | None = None,
        keep: KeepHolding | None = None,
        clock: Callable[[], float],
    ) -> Runbook: ...
    def keep_holding(self, wanted: Filter) -> KeepHolding: ...
    def end_connections(self, wanted: Filter) -> Done: ...
    def prepare_untrust(self, client: Client) -> Change: ...
    def prepare_trust_again(self, client: Client) -> Change: ...
    def change_trust(self, change: Change) -> Changed: ...
    def known_relays(self) -> Sequence[Network]: ...
    def mark_known(self, client: Client) -> str: ...
    def unmark_known(self, client: Client) -> str: ...
    def journal(self, last: int) -> Sequence[Entry]:
        """Return the newest entries, oldest first; quick."""

    def unfinished(self) -> Sequence[Entry]:
        """Return what began and was cut off, oldest first; quick."""

    def finish(self, cut_off: Entry, progress: Progress) -> Outcome | Restored: ...
    def take_back(self, cut_off: Entry, progress: Progress) -> Outcome | Restored: ...
    def leave(self, cut_off: Entry) -> None: ...
