"""BlueMind: by REST where it can be reached so, else by bm-cli; each action ends in what can be checked."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from bmtop.bluemind.bmcli import BmCli
from bmtop.bluemind.networks import lost_and_added, networks
from bmtop.bluemind.passwords import Password
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import Unreachable
from bmtop.bluemind.session import CannotList, Session
from bmtop.checked import Login
from bmtop.server import CommandFailed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an action: a sentence, the command that was run, without any password, and its status.

    `command` is an argument list, or for REST the method and the address; `status` is an exit status or
    an HTTP status, None where nothing had to be run. `ok` is False where BlueMind took the action, and a
    look afterwards shows that it is not so; for a suspension also where that look fails.
    """

    ok: bool
    how: Literal["rest", "bm-cli"]
    sentence: str
    command: tuple[str, ...] = ()
    status: int | None = None
    notes: tuple[str, ...] = ()


class BlueMind:
    """The actions on accounts. All block, and raise `CommandFailed` or `Refused` where they were not done.

    bm-cli is asked only where REST cannot be had: no key, or nothing that answers. An answer of REST's that
    is an error, such as an unknown user, is the answer.
    """

    def __init__(self, rest: Rest, cli: BmCli) -> None:
        self.rest = rest
        self.cli = cli

    def present(self) -> bool:
        """Tell whether there is a BlueMind to be asked: a key for its REST service, or bm-cli."""
        return os.path.exists(self.rest.service.token) or self.cli.exists()

    def logout(self, login: Login) -> Answer:
        """End the account's sessions (webmail, EAS, …), and count them before and after."""
        return self._act(lambda: self._logout_by_rest(login), lambda: self._logout_by_cli(login))

    def set_password(self, login: Login, password: str, allow_argv: bool = False) -> Answer:
        """Set the account's password. Raises `OnlyInArgv` where that needs `allow_argv`."""
        password = Password(password)
        sentence = f"BlueMind has the new password of {login}."

        def by_rest() -> Answer:
            reply = self.rest.set_password(self.rest.account(login), password)
            return Answer(True, "rest", sentence, reply.command, reply.status)

        def by_cli() -> Answer:
            result = self.cli.set_password(login, password, allow_argv=allow_argv)
            shown = any(argument.startswith("--password=") for argument in result.command)
            notes = ("It stood in the list of processes meanwhile.",) if shown else ()
            return Answer(True, "bm-cli", sentence, result.command, result.status, notes)

        return self._act(by_rest, by_cli)

    def sessions(self, login: Login) -> tuple[Session, ...]:
        """Return the account's sessions; raises `CannotList` where BlueMind is too old to list them."""
        return self._first(lambda: self.rest.sessions(self.rest.account(login)), self._listed_by_cli(login))[0]

    def suspend(self, login: Login) -> Answer:
        """Suspend the account: nobody logs in to it any more, and it keeps its mail. By REST only."""
        return self._set_archived(login, True, "suspended")

    def reactivate(self, login: Login) -> Answer:
        """Let a suspended account in again. By REST only."""
        return self._set_archived(login, False, "active")

    def mynetworks(self) -> str:
        """Return BlueMind's setting of the trusted networks."""
        return self._first(self.rest.mynetworks, self.cli.mynetworks)[0]

    def set_mynetworks(self, text: str) -> Answer:
        """Set the trusted networks, and look at what BlueMind made of them."""
        asked = networks(text)

        def by_rest() -> Answer:
            reply = self.rest.set_mynetworks(text)
            return Answer(True, "rest", "", reply.command, reply.status)

        def by_cli() -> Answer:
            result = self.cli.set_mynetworks(text)
            return Answer(True, "bm-cli", "", result.command, result.status)

        answer = self._act(by_rest, by_cli)
        try:
            setting = self.mynetworks()
        except CommandFailed as error:
            return replace(
                answer, sentence=f"BlueMind took the trusted networks, but was not seen to have them: {error}"
            )
        lost, added = lost_and_added(asked, setting)
        if added:
            answer = replace(answer, notes=(*answer.notes, f"BlueMind added {', '.join(added)}."))
        if lost:
            return replace(answer, ok=False, sentence=f"BlueMind left out {', '.join(lost)}; see its web console.")
        return replace(answer, sentence=f"BlueMind's trusted networks are now {setting}.")

    def _logout_by_rest(self, login: Login) -> Answer:
        account = self.rest.account(login)
        before = _count(lambda: self.rest.sessions(account))
        reply = self.rest.logout(account, can_list=not isinstance(before, CannotList))
        after = _count(lambda: self.rest.sessions(account))
        return _logged_out(Answer(True, "rest", "", reply.command, reply.status), before, after)

    def _logout_by_cli(self, login: Login) -> Answer:
        listed = self._listed_by_cli(login)
        before = _count(listed)
        result = self.cli.logout(login)
        after = _count(listed)
        return _logged_out(Answer(True, "bm-cli", "", result.command, result.status), before, after)

    def _listed_by_cli(self, login: Login) -> Callable[[], tuple[Session, ...]]:
        """Return what lists the account's sessions.

        They stand under its main address: where none has the login as that, it may be an alias, and bm-cli
        is asked once whose.
        """
        uid = ""

        def sessions() -> tuple[Session, ...]:
            nonlocal uid
            listed = self.cli.sessions(login.partition("@")[2])
            uids = {session.user_uid for session in listed if session.email.lower() == login.lower()}
            uid = uid or (uids.pop() if len(uids) == 1 else self.cli.uid(login))
            return tuple(session for session in listed if session.user_uid == uid)

        return sessions

    def _set_archived(self, login: Login, archived: bool, word: str) -> Answer:
        try:
            account = self.rest.account(login)
            if self.rest.is_archived(account) == archived:
                return Answer(True, "rest", f"{login} was {word} already.")
            reply = self.rest.set_archived(account, archived)
        except Unreachable as error:
            raise Unreachable(f"{error} bm-cli cannot do this; BlueMind's web console can.") from None
        answer = Answer(True, "rest", f"{login} is {word} now.", reply.command, reply.status)
        try:
            if self.rest.is_archived(account) == archived:
                return answer
        except CommandFailed as error:
            unseen = f"BlueMind took it, but {login} was not seen to be {word}; see its web console: {error}"
            # Nobody is to be told that the account is shut on a mere promise.
            return replace(answer, ok=not archived, sentence=unseen)
        return replace(
            answer, ok=False, sentence=f"{login} is not {word}, though BlueMind took it; see its web console."
        )

    def _act(self, by_rest: Callable[[], Answer], by_cli: Callable[[], Answer]) -> Answer:
        answer, why = self._first(by_rest, by_cli)
        return replace(answer, notes=(*answer.notes, f"By bm-cli, not by REST: {why}")) if why else answer

    def _first(self, by_rest: Callable[[], T], by_cli: Callable[[], T]) -> tuple[T, str]:
        """Return what REST gives and nothing, or what bm-cli gives, and why REST could not be had."""
        try:
            return by_rest(), ""
        except Unreachable as error:
            why = str(error)
        try:
            return by_cli(), why
        except CannotList:
            raise
        except CommandFailed as error:
            raise type(error)(f"{error} By REST it could not be done either: {why}", error.result) from None


def _count(sessions: Callable[[], tuple[Session, ...]]) -> int | CommandFailed:
    """Return the number of sessions, or why they cannot be counted: that must not stand in a logout's way."""
    try:
        return len(sessions())
    except CommandFailed as error:
        return error


def _logged_out(answer: Answer, before: int | CommandFailed, after: int | CommandFailed) -> Answer:
    if isinstance(after, CommandFailed):
        return replace(answer, sentence=f"BlueMind took the logout; whether a session is left was not seen: {after}")
    if after:
        was = "" if isinstance(before, CommandFailed) else f" (before: {before})"
        sentence = f"Sessions open after the logout: {after}{was}; set a new password, then log out again."
        return replace(answer, ok=False, sentence=sentence)
    if isinstance(before, CommandFailed):
        return replace(answer, sentence="No session is open now.")
    if not before:
        return replace(answer, sentence="No session was open, and none is.")
    return replace(answer, sentence=f"{before} {'session was' if before == 1 else 'sessions were'} open, none is now.")
