"""Actions on an account: its sessions and its password, by BlueMind."""

from pathlib import Path

from bmtop.bluemind import Answer, BlueMind, BmCli, Password, Rest, Service, refuse_bad
from bmtop.checked import Login
from bmtop.config import Settings
from bmtop.response.gate import Gate, Step
from bmtop.response.plan import Done
from bmtop.server import Server


def bluemind_of(settings: Settings, server: Server) -> BlueMind:
    """Return the BlueMind that the settings name."""
    service = Service(settings.bm_api, settings.bm_token, settings.bm_ca)
    lock = Path("/run/lock") if Path("/run/lock").is_dir() else settings.state
    return BlueMind(Rest(service), BmCli(server, settings.bm_cli, folder=lock))


def logout(gate: Gate, bluemind: BlueMind, login: Login) -> Done:
    """End the account's sessions. Raises `Refused` or `CommandFailed`."""
    with gate.action("logout", login) as step:
        return _done(step, "logout", login, bluemind.logout(login))


def set_password(gate: Gate, bluemind: BlueMind, login: Login, password: str, *, allow_argv: bool) -> Done:
    """Set the account's password, which no journal line, result or error holds.

    Raises `OnlyInArgv` where that needs `allow_argv`; else `Refused` or `CommandFailed`.
    """
    refuse_bad(password)
    with gate.action("password", login) as step:
        return _done(step, "password", login, bluemind.set_password(login, Password(password), allow_argv=allow_argv))


def _done(step: Step, action: str, login: Login, answer: Answer) -> Done:
    step.ok = answer.ok
    step.sentence = answer.sentence
    step.details["command"] = list(answer.command)
    step.details["status"] = answer.status
    return Done(action, login, answer.ok, answer.sentence, answer.command, answer.status, answer.notes)
