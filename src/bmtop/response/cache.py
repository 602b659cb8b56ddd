"""The SASL cache: a service that remembers good passwords, and goes on accepting one that was changed.

BlueMind's is bm-ysnp: ten minutes, renewed at each use.
"""

import shlex

from bmtop.checked import Login
from bmtop.config import Settings
from bmtop.response.gate import Gate
from bmtop.response.other_servers import OtherServer, filled
from bmtop.response.plan import Done
from bmtop.server import Server

# So Postfix does with Cyrus SASL as long as the service is away.
MEANWHILE = (
    "For a second or two every login is answered with 454, try again later; mail programs do that by themselves."
)


def command(settings: Settings, server: Server, login: str) -> tuple[str, ...]:
    """Return what makes the server forget the passwords that it remembers; some can for one login alone.

    Raises `Refused` where that needs a full address, and `login` is none.
    """
    if settings.sasl_restart:
        places = {"service": settings.sasl_service}
        if "{login}" in "".join(settings.sasl_restart):
            places["login"] = Login(login)
        return tuple(filled(argument, **places) for argument in settings.sasl_restart)
    if settings.accounts is not None and settings.accounts.cache:
        return OtherServer(server, settings.accounts).planned("cache", Login(login))
    return ("systemctl", "restart", settings.sasl_service)


def empty(gate: Gate, server: Server, command: tuple[str, ...], target: str) -> Done:
    """Run `command`, so that every password is forgotten. Raises `Refused` or `CommandFailed`."""
    with gate.action("cache", target) as step:
        result = step.ran(server.run(*command))
        result.check("The old password may still be remembered; see why, then try again.")
        step.sentence = f"No password is remembered any more: {shlex.join(command)} ended well."
    return Done("cache", target, True, step.sentence, command, result.status, step.unwritten)
