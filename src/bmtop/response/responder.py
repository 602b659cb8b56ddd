"""ACT: every action that bmtop has. Blocking: the console calls it off the event loop, the command line directly.

Each raises `Refused` or `CommandFailed`, whose text is one sentence for the user.
"""

from collections.abc import Mapping, Sequence

from bmtop.bluemind import make
from bmtop.checked import Login, QueueId, Refused
from bmtop.config import Settings
from bmtop.postfix import envelope
from bmtop.postfix.instance import Postfix
from bmtop.response import account
from bmtop.response.copies import Copies
from bmtop.response.gate import Gate
from bmtop.response.hold import hold_or_release
from bmtop.response.journal import Entry, Journal
from bmtop.response.plan import Done, Outcome, Plan, Progress, Restored, UndoCopy
from bmtop.response.purge import purge
from bmtop.response.undo import undo
from bmtop.server import CommandFailed


class Responder:
    """The actions on one server."""

    def __init__(self, settings: Settings, postfix: Postfix) -> None:
        self._settings = settings
        self._postfix = postfix
        self._journal = Journal(settings.state)
        self._gate = Gate(settings.state, self._journal, read_only=settings.read_only)
        self._bluemind = account.bluemind_of(settings, postfix.server)

    @property
    def read_only(self) -> bool:
        return self._gate.read_only

    def _copies(self) -> Copies:
        return Copies(self._postfix.queue_directory, self._settings.undo_keep * 3600, self._settings.undo_size)

    # Messages

    def purge(self, plan: Plan, progress: Progress, *, without_undo: bool = False) -> Outcome:
        """Delete the plan's messages; an undo copy is kept unless `without_undo`."""
        self._refuse_empty(plan)
        return purge(
            self._postfix, self._gate, self._copies(), plan, describe(plan), progress, without_undo=without_undo
        )

    def hold(self, plan: Plan, progress: Progress) -> Outcome:
        """Put the plan's messages on hold."""
        self._refuse_empty(plan)
        return hold_or_release(self._postfix, self._gate, plan, describe(plan), progress)

    def release(self, plan: Plan, progress: Progress) -> Outcome:
        """Release the plan's messages from hold."""
        self._refuse_empty(plan)
        return hold_or_release(self._postfix, self._gate, plan, describe(plan), progress)

    def _refuse_empty(self, plan: Plan) -> None:
        self._gate.refuse_read_only(plan.action)
        if not plan.messages:
            raise Refused("No message was chosen; nothing was done.")

    def undo(self, name: str, progress: Progress) -> Restored:
        """Bring the messages of an undo copy back, on hold."""
        return undo(self._postfix, self._gate, self._copies(), name, progress)

    def undos(self) -> tuple[UndoCopy, ...]:
        """Return the undo copies that there are, newest first."""
        try:
            return self._copies().listed()
        except CommandFailed:
            return ()

    def subjects(self, ids: Sequence[QueueId]) -> Mapping[QueueId, str]:
        """Return the subject of each message."""
        return envelope.subjects(self._postfix, ids)

    # Accounts

    def logout(self, login: Login) -> Done:
        """End the account's sessions."""
        return account.logout(self._gate, self._bluemind, login)

    def set_password(self, login: Login, password: str, *, allow_argv: bool = False) -> Done:
        """Set the account's password; raises `OnlyInArgv` where the process list would show it."""
        return account.set_password(self._gate, self._bluemind, login, password, allow_argv=allow_argv)

    def make_password(self) -> str:
        """Return a new password that BlueMind takes."""
        return make()

    # The journal

    def journal(self, last: int) -> tuple[Entry, ...]:
        """Return the newest entries, oldest first, those of other consoles too."""
        return self._journal.entries(last)

    def unfinished(self) -> tuple[Entry, ...]:
        """Return the actions that were cut off; none while one is still running."""
        return () if self._gate.busy() else self._journal.unfinished()


def describe(plan: Plan) -> str:
    """Return whom the plan is about, in a few words, for the journal."""
    wanted = plan.filter
    if wanted.login is not None:
        return wanted.login
    if wanted.clients:
        return ", ".join(str(network) for network in wanted.clients)
    return ", ".join(f"{name} {value}" for name, value in wanted.as_dict().items() if name != "id") or "chosen ids"
