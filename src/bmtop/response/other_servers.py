"""Account actions on a mail server that is no BlueMind: programs, each an argument list in the settings.

No shell is involved. The account goes into an argument where it says `{login}`, `{local}` or `{domain}`; a new
password never does: it is given on standard input, and only to a program that is said to read it there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from bmtop.checked import Login, Refused
from bmtop.server import CommandFailed, Server
from bmtop.visible import visible

_PLACE = re.compile(r"\{([a-z_]+)\}")
_KNOWN = ("login", "local", "domain")
# doveadm(1), and others, take these for patterns: `*@example.com` is everybody there.
_PATTERN = re.compile(r"[*?]")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class AccountCommands:
    """The programs: those that act exit with 0 when it is done; `sessions` prints a line a session.

    `password_stdin` is what the program reads, with `{password}` in its place. `cache` makes the server forget
    the passwords that it remembers. An empty list stands for what the server cannot do.
    """

    logout: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    password: tuple[str, ...] = ()
    password_stdin: str = ""
    suspend: tuple[str, ...] = ()
    reactivate: tuple[str, ...] = ()
    cache: tuple[str, ...] = ()


READY: Mapping[str, AccountCommands] = {
    "dovecot": AccountCommands(
        logout=("doveadm", "kick", "{login}"),
        sessions=("doveadm", "-f", "flow", "who", "-1", "{login}"),
        cache=("doveadm", "auth", "cache", "flush", "{login}"),
    ),
}


def account_commands(value: Any) -> AccountCommands | None:
    """Return what the setting `accounts` says, None for BlueMind: the name of a ready set, or a table of argument
    lists, which may begin from a ready set (`like`). Raises `ValueError` for anything else."""
    if isinstance(value, str):
        if value == "bluemind":
            return None
        if value in READY:
            return READY[value]
        raise ValueError(f"there is no ready set {value[:40]!a}; there are bluemind and {', '.join(READY)}")
    if not isinstance(value, Mapping):
        raise ValueError("it is neither a name nor a table of commands")
    table = dict(value)
    like = table.pop("like", None)
    ready = AccountCommands() if like is None else account_commands(str(like))
    if ready is None:
        raise ValueError("BlueMind has no commands to begin from")
    unknown = set(table) - {f.name for f in fields(AccountCommands)}
    if unknown:
        raise ValueError(f"it has no action {sorted(unknown)[0][:40]!a}")
    given = table.pop("password_stdin", None)
    changes: dict[str, Any] = {name: argument_list(command) for name, command in table.items()}
    if given is not None:
        changes["password_stdin"] = _stdin(given)
    found = replace(ready, **changes)
    if found.password and not found.password_stdin:
        raise ValueError("the password command needs password_stdin = true: a password is in no argument")
    return found


def argument_list(value: Any, known: tuple[str, ...] = _KNOWN) -> tuple[str, ...]:
    """Return a command as the settings have it; raises `ValueError` where it is none, or has an unknown `{place}`."""
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise ValueError('a command is a list such as ["doveadm", "kick", "{login}"]')
    for place in _PLACE.findall(" ".join(value)):
        if place == "password":
            raise ValueError("a password in an argument could be read by every user; use password_stdin")
        if place not in known:
            raise ValueError(f"it names {{{place}}}; known are {', '.join(f'{{{name}}}' for name in known)}")
    if _PLACE.search(value[0]):
        raise ValueError("a program's own name is fixed")
    return tuple(value)


def _stdin(value: Any) -> str:
    if value is True:
        return "{password}\n"
    if isinstance(value, str) and "{password}" in value:
        return value
    raise ValueError('password_stdin is true, or a text such as "{login}:{password}\\n"')


def filled(template: str, **places: str) -> str:
    """Return `template` with each `{place}` replaced, in one go: a value is never looked into."""
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), template)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an action: a sentence, and the command with its exit status."""

    ok: bool
    sentence: str
    command: tuple[str, ...] = ()
    status: int | None = None
    notes: tuple[str, ...] = ()


class OtherServer:
    """The actions on accounts, by programs on `server`. All block, and raise `CommandFailed` or `Refused`."""

    def __init__(self, server: Server, commands: AccountCommands) -> None:
        self._server = server
        self._commands = commands

    def planned(self, action: str, login: Login) -> tuple[str, ...]:
        """Return the command for an action, named as in `AccountCommands`; empty where the server has none."""
        _refuse_pattern(login)
        local, _, domain = login.partition("@")
        return tuple(
            filled(argument, login=login, local=local, domain=domain) for argument in getattr(self._commands, action)
        )

    def logout(self, login: Login) -> Answer:
        """End the account's sessions, and count them before and after where there is a command for that."""
        if not self._commands.sessions:
            return self._run("logout", login, f"{login} was logged out; whether a session is left was not seen.")
        before = len(self.sessions(login))
        if not before:
            return Answer(True, "No session was open, and none is.")
        answer = self._run("logout", login, "")
        after = len(self.sessions(login))
        if after:
            sentence = f"Sessions open after the logout: {after} (before: {before}); set a new password, then again."
            return replace(answer, ok=False, sentence=sentence)
        were = "session was" if before == 1 else "sessions were"
        return replace(answer, sentence=f"{before} {were} open, none is now.")

    def sessions(self, login: Login) -> tuple[str, ...]:
        """Return the account's sessions, each as the server's own command describes it."""
        result = self._server.run(*self._wanted("sessions", login))
        result.check("See whether the mail server runs.")
        return tuple(visible(line) for line in result.out.decode("utf-8", "replace").splitlines() if line.strip())

    def set_password(self, login: Login, password: str, allow_argv: bool = False) -> Answer:
        """Set the account's password, given on standard input alone: `allow_argv` has nothing to allow."""
        command = self._wanted("password", login)
        local, _, domain = login.partition("@")
        given = filled(self._commands.password_stdin, password=password, login=login, local=local, domain=domain)
        return self._run("password", login, f"{command[0]} has set the new password of {login}.", given, password)

    def suspend(self, login: Login) -> Answer:
        return self._run("suspend", login, f"{login} is suspended now.")

    def reactivate(self, login: Login) -> Answer:
        return self._run("reactivate", login, f"{login} is active again.")

    def _wanted(self, action: str, login: Login) -> tuple[str, ...]:
        command = self.planned(action, login)
        if not command:
            raise Refused(f"The settings name no {action} command; add one under [accounts], or do it by hand.")
        return command

    def _run(self, action: str, login: Login, sentence: str, given: str = "", secret: str = "") -> Answer:
        command = self._wanted(action, login)
        result = self._server.run(*command, give=given.encode())
        if result.status != 0:
            said = result.out.decode("utf-8", "replace").strip() if not result.err.strip() else ""
            said = said.rpartition("\n")[2] or result.last_words
            # A program may repeat what it was given.
            said = visible(said.replace(secret, "…") if secret else said)[:_LONGEST].rstrip(".")
            raise CommandFailed(f"{command[0]} failed: {said}. See whether the mail server runs, then try again.")
        return Answer(True, sentence, result.command, result.status)


def _refuse_pattern(login: Login) -> None:
    if _PATTERN.search(login):
        raise Refused(f"{login} holds a * or ?, which may stand for many accounts; act on that account by hand.")
