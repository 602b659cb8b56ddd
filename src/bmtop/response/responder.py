"""ACT: every action that bmtop has. Blocking: the console calls it off the event loop, the command line directly.

Each raises `Refused` or `CommandFailed`, whose text is one sentence for the user.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from bmtop.bluemind import make
from bmtop.checked import Login, QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter
from bmtop.postfix import envelope
from bmtop.postfix.instance import Postfix
from bmtop.response import account
from bmtop.response.copies import Copies
from bmtop.response.gate import Gate, Step
from bmtop.response.hold import hold_or_release
from bmtop.response.journal import Entry, Journal
from bmtop.response.plan import Done, Outcome, Plan, Progress, Restored, UndoCopy
from bmtop.response.purge import purge
from bmtop.response.subjects import matching
from bmtop.response.undo import undo
from bmtop.response.unfinished import FINISHED, TAKEN_BACK, finish, leave, take_back
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
        """Delete the plan's messages; an undo copy is kept unless `without_undo`.

        Raises `NoRoom` where there is no room for that.
        """
        self._refuse(plan)
        copies = self._copies()
        name = None if without_undo else copies.new_name()
        return purge(
            self._postfix, copies, plan, progress, self._begin(plan, name), undo=name, in_use=self._undos_in_use()
        )

    def hold(self, plan: Plan, progress: Progress) -> Outcome:
        """Put the plan's messages on hold."""
        self._refuse(plan)
        return hold_or_release(self._postfix, plan, progress, self._begin(plan))

    def release(self, plan: Plan, progress: Progress) -> Outcome:
        """Release the plan's messages from hold."""
        self._refuse(plan)
        return hold_or_release(self._postfix, plan, progress, self._begin(plan))

    def _begin(self, plan: Plan, undo: str | None = None) -> AbstractContextManager[Step]:
        return self._gate.action(
            plan.action, describe(plan), filter=plan.filter.as_dict(), messages=plan.messages, undo=undo
        )

    def _refuse(self, plan: Plan) -> None:
        self._gate.refuse_read_only(plan.action)
        if not plan.messages:
            raise Refused("No message was chosen; nothing was done.")
        unread = sum(m.envelope is None for m in plan.messages)
        if unread:
            raise Refused(f"The envelopes of {unread:,} messages could not be read; run bmtop as root.")

    def _undos_in_use(self) -> tuple[str, ...]:
        return tuple(entry.undo for entry in self.unfinished() if entry.undo is not None)

    def undo(self, name: str, progress: Progress) -> Restored:
        """Bring the messages of an undo copy back, on hold; ends the purge or undo of it that was cut off, if any."""
        self._gate.refuse_read_only("undo")
        cut_off = next((entry for entry in self.unfinished() if entry.undo == name), None)
        copies = self._copies()
        if cut_off is None:
            ids = [kept.id for kept in copies.shelf(name).kept()]
            action = self._gate.action("undo", name, ids=ids, undo=name)
        elif cut_off.action == "undo":
            action = self._gate.resume(cut_off, FINISHED)
        else:
            action = self._gate.resume(cut_off, TAKEN_BACK, "failed")
        return undo(self._postfix, copies, name, progress, action)

    def undos(self) -> tuple[UndoCopy, ...]:
        """Return the undo copies that there are, newest first."""
        try:
            return self._copies().listed()
        except CommandFailed:
            return ()

    def subjects(self, ids: Sequence[QueueId]) -> Mapping[QueueId, str]:
        """Return the subject of each message."""
        return envelope.subjects(self._postfix, ids)

    def with_subject(self, messages: Sequence[Message], wanted: Filter) -> tuple[Message, ...]:
        """Return those whose subject is the one that `wanted` asks for; all of them where it asks for none."""
        if wanted.subject is None or not messages:
            return tuple(messages)
        found = matching(self._postfix.server, wanted.subject, self.subjects([m.id for m in messages]))
        return tuple(m for m in messages if m.id in found)

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
        """Return the actions that were cut off, oldest first; none while another one is running."""
        return self._gate.unfinished()

    def finish(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        """Finish an action on messages that was cut off, on what is left of it."""
        return finish(self._postfix, self._gate, self._copies(), cut_off, progress, in_use=self._undos_in_use())

    def take_back(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        """Take back what an action on messages had done when it was cut off."""
        if cut_off.action == "purge" and cut_off.undo is not None:
            return self.undo(cut_off.undo, progress)
        return take_back(self._postfix, self._gate, cut_off, progress)

    def leave(self, cut_off: Entry) -> None:
        """Leave an action that was cut off as it is, and let go of what it had only begun to deal with."""
        leave(self._postfix, self._gate, self._copies(), cut_off)


def describe(plan: Plan) -> str:
    """Return whom the plan is about, in a few words, for the journal."""
    wanted = plan.filter
    if wanted.login is not None:
        return wanted.login
    if wanted.clients:
        return ", ".join(str(network) for network in wanted.clients)
    return ", ".join(f"{name} {value}" for name, value in wanted.as_dict().items() if name != "id") or "chosen ids"
