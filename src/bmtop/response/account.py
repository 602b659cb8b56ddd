"""Actions on an account: its sessions, its password, and whether it may log in at all; by BlueMind, or by the
commands in the settings."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from bmtop.bluemind.bluemind import BlueMind
from bmtop.bluemind.bmcli import BmCli
from bmtop.bluemind.bmcli import OnlyInArgv as OnlyInArgv
from bmtop.bluemind.passwords import Password, make, refuse_bad
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import Service
from bmtop.bluemind.session import CannotList, Session
from bmtop.checked import Login
from bmtop.config import Settings
from bmtop.response.gate import Gate
from bmtop.response.other_servers import OtherServer
from bmtop.response.plan import Done
from bmtop.server import Server


class Answer(Protocol):
    """What became of an action: see `bluemind.Answer`."""

    @property
    def ok(self) -> bool: ...
    @property
    def sentence(self) -> str: ...
    @property
    def command(self) -> tuple[str, ...]: ...
    @property
    def status(self) -> int | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class AccountServer(Protocol):
    """Who acts on accounts. All block, and raise `Refused` or `CommandFailed`."""

    def logout(self, login: Login) -> Answer: ...
    def set_password(self, login: Login, password: str, allow_argv: bool = False) -> Answer: ...
    def suspend(self, login: Login) -> Answer: ...
    def reactivate(self, login: Login) -> Answer: ...
    def sessions(self, login: Login) -> Sequence[Session | str]: ...


def bluemind_of(settings: Settings, server: Server) -> BlueMind:
    """Return the BlueMind that the settings name."""
    service = Service(settings.bm_api, settings.bm_token, settings.bm_ca)
    # Where everybody may make files, anybody could hold the lock.
    lock = Path("/run/bmtop") if os.geteuid() == 0 else settings.state
    return BlueMind(Rest(service), BmCli(server, settings.bm_cli, folder=None if settings.read_only else lock))


def account_server(settings: Settings, server: Server) -> AccountServer:
    """Return who acts on accounts here: BlueMind, unless the settings have commands for it."""
    if settings.accounts is None:
        return bluemind_of(settings, server)
    return OtherServer(server, settings.accounts)


def planned(settings: Settings, server: Server, action: str, login: Login) -> tuple[str, ...]:
    """Return the command that an action will run, as far as that can be told before, never with a password."""
    if settings.accounts is not None:
        return OtherServer(server, settings.accounts).planned(action, login)
    call = {"logout": ("DELETE", "sessionsmgmt/UID/logout"), "password": ("POST", "users/DOMAIN/UID/password_")}
    method, path = call.get(action, ("POST", "users/DOMAIN/UID"))
    return (method, f"{settings.bm_api}/{path}")


def logout(gate: Gate, accounts: AccountServer, login: Login) -> Done:
    """End the account's sessions. Raises `Refused` or `CommandFailed`."""
    return _act(gate, "logout", login, lambda: accounts.logout(login))


def set_password(gate: Gate, accounts: AccountServer, login: Login, password: str, *, allow_argv: bool) -> Done:
    """Set the account's password, which no journal line, result or error holds.

    Raises `OnlyInArgv` where that needs `allow_argv`; else `Refused` or `CommandFailed`.
    """
    refuse_bad(password)
    secret = Password(password)
    return _act(gate, "password", login, lambda: accounts.set_password(login, secret, allow_argv))


def make_password() -> str:
    """Return a new password that BlueMind takes."""
    return make()


def suspend(gate: Gate, accounts: AccountServer, login: Login) -> Done:
    """Let nobody log in to the account any more; its mail stays. Raises `Refused` or `CommandFailed`."""
    return _act(gate, "suspend", login, lambda: accounts.suspend(login))


def reactivate(gate: Gate, accounts: AccountServer, login: Login) -> Done:
    """Let a suspended account in again. Raises `Refused` or `CommandFailed`."""
    return _act(gate, "reactivate", login, lambda: accounts.reactivate(login))


def sessions(accounts: AccountServer, login: Login) -> tuple[float | None, ...] | None:
    """Return when each open session began, in epoch seconds where that is known; None where none can be listed.

    Raises `CommandFailed`.
    """
    if isinstance(accounts, OtherServer) and not accounts.planned("sessions", login):
        return None
    try:
        return tuple(getattr(session, "created", None) for session in accounts.sessions(login))
    except CannotList:
        return None


def _act(gate: Gate, action: str, login: Login, act: Callable[[], Answer]) -> Done:
    with gate.action(action, login) as step:
        answer = act()
        step.ok = answer.ok
        step.sentence = answer.sentence
        step.details["command"] = list(answer.command)
        step.details["status"] = answer.status
    notes = (*answer.notes, *step.unwritten)
    return Done(action, login, answer.ok, answer.sentence, answer.command, answer.status, notes)
