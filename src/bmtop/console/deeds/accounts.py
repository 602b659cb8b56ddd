"""Logout and password."""

import asyncio

from bmtop.bluemind.bmcli import OnlyInArgv
from bmtop.checked import Login
from bmtop.console import results
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.dialogs.password import PasswordDialog
from bmtop.console.dialogs.result import PasswordResult
from bmtop.console.secret import Secret
from bmtop.console.target import Target
from bmtop.console.text import Cell
from bmtop.response.plan import Done

_LOGOUT = (
    "Ends the account's sessions (web, phones). Its password stays, and an open SMTP connection goes on:",
    "set a new password as well.",
)


async def logout(runner: Runner, target: Target) -> None:
    """End the sessions of the target's login."""
    login = Login(target.the_login(runner.monitor.accounts))
    runner.refuse_when_read_only()
    heading = f"Log out {login}"
    if await runner.ask(Confirm(heading, _LOGOUT, "Log out")):
        done = await runner.act(heading, lambda progress: runner.responder.logout(login))
        await runner.tell(heading, results.account(done), alarm=not done.ok)


async def password(runner: Runner, target: Target) -> None:
    """Set a new password for the target's login. It is in no sentence and no repr, and wiped in the end."""
    login = Login(target.the_login(runner.monitor.accounts))
    runner.refuse_when_read_only()
    choice = await runner.ask(PasswordDialog(login))
    if choice is None:
        return
    secret = Secret(await asyncio.to_thread(runner.responder.make_password)) if choice == "make" else choice
    heading = f"New password for {login}"
    try:
        done = await _set(runner, heading, login, secret)
        if done is None:
            return
        if done.ok and choice == "make":
            await runner.ask(PasswordResult(heading, results.account(done), secret))
        else:
            await runner.tell(heading, results.account(done), alarm=not done.ok)
    finally:
        secret.wipe()


async def _set(runner: Runner, heading: str, login: Login, secret: Secret) -> Done | None:
    """Set it; where the list of processes would show it, ask whether to go on."""
    set_password = runner.responder.set_password
    try:
        return await runner.act(heading, lambda progress: set_password(login, secret.reveal()))
    except OnlyInArgv as error:
        if not await runner.ask(Confirm(heading, [Cell(str(error), "alarm")], "Set it all the same")):
            return None
    return await runner.act(heading, lambda progress: set_password(login, secret.reveal(), allow_argv=True))
