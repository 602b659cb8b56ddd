"""ACT: every action that bmtop has. Blocking: the console calls it off the event loop, the command line directly.

Each raises `Refused` or `CommandFailed`, whose text is one sentence for the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING

from bmtop import response
from bmtop.bluemind import tls
from bmtop.checked import Client, Login, QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter, Network
from bmtop.incident.territory import Territory
from bmtop.postfix import envelope
from bmtop.postfix.instance import Postfix
from bmtop.response.gate import Gate, Step
from bmtop.response.journal import Entry, Journal
from bmtop.server import CommandFailed

if TYPE_CHECKING:
    from bmtop.response.account import AccountServer
    from bmtop.response.connections import Connections
    from bmtop.response.copies import Copies
    from bmtop.response.keep import KeepHolding
    from bmtop.response.plan import Done, Outcome, Plan, Progress, Restored, UndoCopy
    from bmtop.response.runbook import Runbook
    from bmtop.response.untrust import Change, Changed, Untrust
    from bmtop.response.watch import Lookout

# In seconds. A bot's connection may be older than what the panes cover.
_READ_BACK = 3600.0


class Responder:
    """The actions on one server."""

    def __init__(self, settings: Settings, postfix: Postfix) -> None:
        self._settings = settings
        self._postfix = postfix
        self._journal = Journal(settings.state)
        self._gate = Gate(settings.state, self._journal, read_only=settings.read_only)
        self.accounts = Accounts(settings.default_domain, settings.domain_aliases)
        if settings.accounts is None:
            # What is no address for BlueMind's key is refused now, not in an incident.
            tls.context(settings.bm_api, settings.bm_ca)

    @cached_property
    def _account_server(self) -> AccountServer:
        return response.account.account_server(self._settings, self._postfix.server)

    @property
    def read_only(self) -> bool:
        return self._gate.read_only

    def _copies(self) -> Copies:
        return response.copies.Copies(
            self._postfix.queue_directory, self._settings.undo_keep * 3600, self._settings.undo_size
        )

    # Messages

    def purge(self, plan: Plan, progress: Progress, *, without_undo: bool = False) -> Outcome:
        """Delete the plan's messages; an undo copy is kept unless `without_undo`.

        Raises `NoRoom` where there is no room for that.
        """
        self._refuse(plan)
        response.witness.hear_postcat(self._postfix, plan.messages, progress)
        copies = self._copies()
        name = None if without_undo else copies.new_name()
        with self._gate.alone():
            return response.purge.purge(
                self._postfix, copies, plan, progress, self._begin(plan, name), undo=name, in_use=self._undos_in_use()
            )

    def hold(self, plan: Plan, progress: Progress) -> Outcome:
        """Put the plan's messages on hold."""
        self._refuse(plan)
        return response.hold.hold_or_release(self._postfix, plan, progress, self._begin(plan))

    def release(self, plan: Plan, progress: Progress) -> Outcome:
        """Release the plan's messages from hold."""
        self._refuse(plan)
        return response.hold.hold_or_release(self._postfix, plan, progress, self._begin(plan))

    def _begin(self, plan: Plan, undo: str | None = None) -> AbstractContextManager[Step]:
        return self._gate.action(plan.action, describe(plan), filter=plan.chosen_by, messages=plan.messages, undo=undo)

    def _refuse(self, plan: Plan) -> None:
        self._gate.refuse_read_only(plan.action)
        if not plan.messages:
            raise Refused("No message was chosen; nothing was done.")
        unread = sum(m.envelope is None for m in plan.messages)
        if unread:
            raise Refused(f"The envelopes of {unread:,} messages could not be read; run `sudo bmtop`.")

    def _undos_in_use(self) -> tuple[str, ...]:
        return tuple(entry.undo for entry in self.unfinished() if entry.undo is not None)

    def undo(self, name: str, progress: Progress) -> Restored:
        """Bring the messages of an undo copy back, on hold; ends the purge or undo of it that was cut off, if any."""
        self._gate.refuse_read_only("undo")
        with self._gate.alone():
            return self._undo(name, progress)

    def _undo(self, name: str, progress: Progress) -> Restored:
        cut_off = next((entry for entry in self.unfinished() if entry.undo == name), None)
        copies = self._copies()
        if cut_off is not None and not copies.is_there(name):
            # It had not come to deleting anything, or everything is back already.
            self.leave(cut_off)
            return response.plan.Restored(name, ())
        if cut_off is None:
            ids = [kept.id for kept in copies.shelf(name).kept()]
            action = self._gate.action("undo", name, ids=ids, undo=name)
        elif cut_off.action == "undo":
            action = self._gate.resume(cut_off, response.unfinished.FINISHED)
        else:
            action = self._gate.resume(cut_off, response.unfinished.TAKEN_BACK, "failed")
        return response.undo.undo(self._postfix, copies, name, progress, action)

    def undos(self) -> tuple[UndoCopy, ...]:
        """Return the undo copies that there are, newest first; raises `Refused` without the right to read them."""
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
        found = response.subjects.matching(
            self._postfix.server, wanted.subject, self.subjects([m.id for m in messages])
        )
        return tuple(m for m in messages if m.id in found)

    # Accounts

    def logout(self, login: Login) -> Done:
        """End the account's sessions."""
        return response.account.logout(self._gate, self._account_server, login)

    def set_password(self, login: Login, password: str, *, allow_argv: bool = False) -> Done:
        """Set the account's password; raises `OnlyInArgv` where the process list would show it."""
        return response.account.set_password(self._gate, self._account_server, login, password, allow_argv=allow_argv)

    def make_password(self) -> str:
        """Return a new password that BlueMind takes."""
        return response.account.make_password()

    def suspend(self, login: Login) -> Done:
        """Let nobody log in to the account any more; its mail stays."""
        return response.account.suspend(self._gate, self._account_server, login)

    def reactivate(self, login: Login) -> Done:
        """Let a suspended account in again."""
        return response.account.reactivate(self._gate, self._account_server, login)

    def planned(self, action: str, login: Login) -> tuple[str, ...]:
        """Return the command that `logout`, `password`, `suspend` or `reactivate` will run."""
        return response.account.planned(self._settings, self._postfix.server, action, login)

    # Containment

    def cache_command(self, login: str) -> tuple[str, ...]:
        """Return what `empty_cache` will run."""
        return response.cache.command(self._settings, self._postfix.server, login)

    def empty_cache(self, login: str) -> Done:
        """Make the server forget the passwords that it remembers: the old one may be among them."""
        return response.cache.empty(self._gate, self._postfix.server, self.cache_command(login), login)

    def connections(self) -> Connections:
        """Return what tells which SMTP connections serve whom; its first look reads the log back."""
        since = time.time() - max(self._settings.window, _READ_BACK)
        return response.connections.Connections(self._postfix, self._settings.log_file, since, self.accounts)

    def end_connections(self, wanted: Filter, connections: Connections | None = None) -> Done:
        """End the SMTP connections of whom `wanted` means."""
        return (connections or self.connections()).end(self._gate, _whom(wanted), wanted)

    def keep_holding(self, wanted: Filter) -> KeepHolding:
        """Return what holds all that `wanted` means, a login or clients, once it is begun."""
        return response.keep.KeepHolding(
            self._postfix,
            self._gate,
            wanted,
            _whom(wanted),
            accounts=self.accounts,
            log=self._settings.log_file,
            is_own=Territory(own_addresses=frozenset(self._settings.own_addresses)).is_own,
        )

    def lookout(
        self,
        connections: Connections,
        wanted: Filter,
        steps: Sequence[str],
        remedy: str,
        clock: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> Lookout:
        """Return the watch after containment by these steps; see `Watch`."""
        return response.watch.Lookout(
            self._postfix,
            connections,
            wanted,
            steps,
            remedy,
            accounts=self.accounts,
            own=frozenset(self._settings.own_addresses),
            log=self._settings.log_file,
            sessions=partial(self._sessions, wanted),
            clock=clock,
            passing=passing,
        )

    def _sessions(self, wanted: Filter) -> tuple[float | None, ...] | None:
        if wanted.login is None:
            return None
        return response.account.sessions(self._account_server, Login(self.accounts.account(wanted.login)))

    def runbook(
        self,
        messages: Callable[[], Iterable[Message]],
        *,
        login: str | None = None,
        client: Client | None = None,
        keep: KeepHolding | None = None,
        clock: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> Runbook:
        """Return the steps that contain one login, or one client. Blocks.

        `messages` lists the queue anew; `keep` holds already what the target newly queues, if anything does.
        """
        return response.runbook.Runbook(
            self, messages, self._untrust, login=login, client=client, keep=keep, clock=clock, passing=passing
        )

    def note(self, action: str, target: str, sentence: str, *, ok: bool) -> None:
        """Write something into the journal that was seen, not done.

        Raises `Refused` where that cannot be written, while another action is running among them: at once, for
        whoever keeps watch must not wait.
        """
        with self._gate.action(action, target, wait=0.0) as step:
            step.ok, step.sentence = ok, sentence
        if step.unwritten:
            raise Refused(*step.unwritten)

    # Trust

    def prepare_untrust(self, client: Client) -> Change:
        """Return what takes a client out of mynetworks, nothing being changed yet; raises `NotTrusted` as well."""
        return self._trust.prepare(client, self._journal)

    def prepare_trust_again(self, client: Client) -> Change:
        """Return what takes the untrust of a client back, nothing being changed yet."""
        return self._trust.prepare_again(self._journal, client)

    def change_trust(self, change: Change) -> Changed:
        """Make the change of mynetworks, and see whether Postfix has it."""
        return self._trust.apply(self._gate, change)

    @property
    def _trust(self) -> Untrust:
        bluemind = response.account.bluemind_of(self._settings, self._postfix.server)
        return response.untrust.Untrust(self._postfix, bluemind, frozenset(self._settings.own_addresses))

    def _untrust(self, client: Client) -> Changed:
        return self.change_trust(self.prepare_untrust(client))

    def known_relays(self) -> tuple[Network, ...]:
        """Return the list of relays that are known as honest; raises `Refused` where it cannot be read."""
        return response.known.KnownRelays(self._settings.state).read()

    def mark_known(self, client: Client) -> str:
        """Put a client on the list of relays that are known as honest; return what was done in a sentence."""
        return response.known.KnownRelays(self._settings.state).mark(self._gate, client)

    def unmark_known(self, client: Client) -> str:
        """Take a client off the list of known relays; return what was done in a sentence."""
        return response.known.KnownRelays(self._settings.state).unmark(self._gate, client)

    # The journal

    def journal(self, last: int) -> tuple[Entry, ...]:
        """Return the newest entries, oldest first, those of other consoles too."""
        return self._journal.entries(last)

    def unfinished(self, *, wait: bool = False) -> tuple[Entry, ...]:
        """Return the actions that were cut off, oldest first; none while another one is running.

        With `wait` its end is waited for, to finish one of them. Raises `Refused` without the right to know.
        """
        if not wait:
            return self._gate.unfinished()
        self._gate.refuse_read_only("finish what was cut off")
        with self._gate.alone():
            return self._gate.unfinished()

    def finish(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        """Finish an action on messages that was cut off, on what is left of it."""
        self._gate.refuse_read_only(f"finish the {cut_off.action}")
        with self._gate.alone():
            return response.unfinished.finish(
                self._postfix, self._gate, self._copies(), cut_off, progress, in_use=self._undos_in_use()
            )

    def take_back(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        """Take back what an action on messages had done when it was cut off."""
        self._gate.refuse_read_only(f"take the {cut_off.action} back")
        if cut_off.action == "purge" and cut_off.undo is not None:
            return self.undo(cut_off.undo, progress)
        return response.unfinished.take_back(self._postfix, self._gate, cut_off, progress)

    def leave(self, cut_off: Entry) -> None:
        """Leave an action that was cut off as it is, and let go of what it had only begun to deal with.

        Raises `Refused` where the journal cannot take that.
        """
        self._gate.refuse_read_only(f"leave the {cut_off.action} so")
        with self._gate.alone():
            response.unfinished.leave(self._postfix, self._gate, self._copies(), cut_off)
            left = cut_off.number not in {entry.number for entry in self.unfinished()}
        if not left:
            raise Refused("That it was left so could not be written into the journal: make room; it is asked again.")


def describe(plan: Plan) -> str:
    """Return whom the plan is about, in a few words, for the journal."""
    return _whom(plan.filter)


def _whom(wanted: Filter) -> str:
    if wanted.login is not None:
        return wanted.login
    if wanted.clients:
        return ", ".join(map(response.known.short, wanted.clients))
    return ", ".join(f"{name} {value}" for name, value in wanted.as_dict().items() if name != "id") or "chosen ids"
