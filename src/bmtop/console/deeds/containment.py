"""The runbook of a login or client: opened, and its steps run, each asked for before it changes what people notice."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable
from functools import partial

from bmtop.checked import Client, Refused
from bmtop.console import results
from bmtop.console.containments import Containment
from bmtop.console.deeds.messages import errand, without_undo
from bmtop.console.deeds.relays import before_and_after
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.dialogs.messages import Messages
from bmtop.console.dialogs.password import PasswordDialog
from bmtop.console.dialogs.result import PasswordResult
from bmtop.console.runbook import RunbookScreen, unanswered
from bmtop.console.secret import Secret
from bmtop.console.steps import Steps
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line
from bmtop.incident.message import Message
from bmtop.response.plan import Plan
from bmtop.response.runbook import Runbook, Step
from bmtop.server import CommandFailed

_LISTED_WITHIN = 120.0
# These change nothing that people notice, and are done at once.
_UNASKED = frozenset({"hold", "watch"})


async def contain(runner: Runner, target: Target) -> None:
    """Show the runbook of the target: the one that there is, with all that was done, or a new one."""
    runner.refuse_when_read_only()
    meant = _meant(runner, target)
    containment = runner.containments.known(meant)
    if containment is None or containment.runbook is None:
        runbook = await _runbook(runner, meant, containment)
        containment = runner.containments.of(meant)
        containment.take(runbook)
    await runner.show(RunbookScreen(containment, runner, step=step, all_steps=all_steps, anew=anew))


async def anew(runner: Runner, containment: Containment) -> None:
    """Begin a new runbook on a target that was contained; what is being held is held on."""
    containment.take(await _runbook(runner, containment.target, containment))


def _meant(runner: Runner, target: Target) -> Target:
    """Return the login that a client got in with, or the target itself."""
    if target.login is None and not target.logins:
        return Target(client=Client(target.client or ""))
    return Target(login=target.the_login(runner.monitor.accounts))


async def _runbook(runner: Runner, target: Target, going_on: Containment | None) -> Runbook:
    """Return a new runbook; what is being held already is held on."""
    loop = asyncio.get_running_loop()

    async def listed() -> tuple[Message, ...]:
        problem = await runner.monitor.refresh()
        if problem:
            raise CommandFailed(problem)
        return tuple(runner.monitor.messages.values())

    def messages() -> Iterable[Message]:
        listing = asyncio.run_coroutine_threadsafe(listed(), loop)
        try:
            return listing.result(_LISTED_WITHIN)
        except concurrent.futures.TimeoutError:
            listing.cancel()
            raise CommandFailed(
                f"The queue was not listed within {_LISTED_WITHIN:.0f} seconds; see whether the server is overloaded."
            ) from None

    client = None if target.client is None else Client(target.client)
    make = partial(
        runner.responder.runbook,
        messages,
        login=target.login,
        client=client,
        keep=going_on.keep if going_on else None,
        clock=runner.clock,
    )
    # Where something was purged before, the queue is listed, to see whether there is more.
    return await runner.act(f"Contain {target.name}", lambda _: make())


async def step(runner: Runner, containment: Containment, name: str) -> None:
    """Run one step, whatever became of the others."""
    await _tell(runner, containment, await _one(runner, containment, name, agreed=False))


async def all_steps(runner: Runner, containment: Containment) -> None:
    """Run the steps that are still to do or have failed, in order; a failure stops no other.

    The watch begins before the purge, whose list may be looked at for long.
    """
    steps = unanswered(_book(containment).steps)
    if not steps:
        raise Refused("Every step is done or left out; choose one and press enter to do it again.")
    lines: list[str | Cell | Line] = ["These steps are done in order; one that fails stops no other:", ""]
    for one in steps:
        lines.append((Cell(f"  {one.title}"),))
        lines += [(Cell(f"    {one.meanwhile}", "warn"),)] if one.meanwhile else []
    lines += ["", Cell("The list of the purge is shown before anything is deleted.", "dim")]
    if not await runner.ask(Confirm(f"Contain {containment.name}", lines, "Do all of it")):
        return
    secret = None
    for one in sorted(steps, key=lambda one: one.name == "purge"):
        secret = await _one(runner, containment, one.name, agreed=True) or secret
    await _tell(runner, containment, secret)


def _book(containment: Containment) -> Runbook:
    assert containment.runbook is not None
    return containment.runbook


async def _one(runner: Runner, containment: Containment, name: str, *, agreed: bool) -> Secret | None:
    """Run one step, after what has to be asked; return the password that was made and set."""
    runbook = _book(containment)
    if name == "password":
        return await _password(runner, containment, agreed=agreed)
    if name == "purge":
        await _purge(runner, containment)
    elif name == "untrust":
        await _untrust(runner, containment)
    elif name == "suspend" and _step(runbook, name).state == "done":
        await _let_in_again(runner, containment)
    elif agreed or name in _UNASKED or await _is_wanted(runner, _asked(containment, runbook, name)):
        await _run(runner, containment, lambda progress: runbook.run(name, progress=progress.report))
    return None


async def _is_wanted(runner: Runner, question: Confirm) -> bool:
    answer = await runner.ask(question)
    return answer is True


def _asked(containment: Containment, runbook: Runbook, name: str) -> Confirm:
    found = _step(runbook, name)
    # What it ran before, if it did, is not what it would run.
    lines: list[str | Cell | Line] = [Cell(found.title, "strong"), *results.command(runbook.planned(name))]
    lines += [Cell(found.meanwhile, "warn")] if found.meanwhile else []
    return Confirm(f"Contain {containment.name}", lines, "Do it")


def _step(runbook: Runbook, name: str) -> Step:
    return next(one for one in runbook.steps if one.name == name)


async def _let_in_again(runner: Runner, containment: Containment) -> None:
    """Take a suspension back."""
    runbook = _book(containment)
    command = runner.responder.planned("reactivate", runbook.account())
    lines: list[str | Cell | Line] = [Cell(f"Let {runbook.account()} in again", "strong"), *results.command(command)]
    if await _is_wanted(runner, Confirm(f"Contain {containment.name}", lines, "Do it")):
        await _run(runner, containment, lambda progress: runbook.run("suspend", back=True))


async def _run(runner: Runner, containment: Containment, work: Callable[[Steps], Step]) -> Step:
    """Run it in a thread; how far it is, and what came of it, stands in the runbook."""
    progress = containment.progress = Steps()
    done = await asyncio.to_thread(work, progress)
    if done.name in ("hold", "purge"):
        runner.list_again()
    return done


async def _purge(runner: Runner, containment: Containment) -> None:
    """Purge what is confirmed in the list, and nothing else; where hold is chosen there, hold it."""
    runbook = _book(containment)
    try:
        plan = await asyncio.to_thread(runbook.plan, "purge")
    except (Refused, CommandFailed) as error:
        runbook.fail("purge", str(error))
        return
    if plan.messages:
        chosen = await runner.ask(Messages(await errand(runner, "purge", containment.name, plan.filter, plan.messages)))
        if chosen is None:
            return
        if chosen.action == "hold":
            await _hold_instead(runner, containment, chosen)
            return
        plan = chosen
    done = await _run(runner, containment, lambda progress: runbook.run("purge", plan=plan, progress=progress.report))
    if done.consent and await _is_wanted(runner, without_undo(f"Purge: {containment.name}", done.sentence)):
        await _run(
            runner,
            containment,
            lambda progress: runbook.run("purge", plan=plan, without_undo=True, progress=progress.report),
        )


async def _hold_instead(runner: Runner, containment: Containment, plan: Plan) -> None:
    """Hold what was listed for the purge, and tell what came of it: the steps go on, whatever that is."""
    heading = f"Hold: {containment.name}"
    try:
        outcome = await runner.change_queue(heading, partial(runner.responder.hold, plan))
    except (Refused, CommandFailed) as error:
        _book(containment).fail("purge", f"Neither deleted nor held: {error}")
    else:
        await runner.tell(heading, results.outcome(outcome), alarm=bool(outcome.failure))


async def _untrust(runner: Runner, containment: Containment) -> None:
    """Make the change of mynetworks that is confirmed, and no other."""
    runbook = _book(containment)
    assert runbook.client is not None
    try:
        change = await asyncio.to_thread(runner.responder.prepare_untrust, runbook.client)
    except (Refused, CommandFailed) as error:
        runbook.fail("untrust", str(error))
        return
    if await runner.ask(Confirm(f"Untrust {runbook.client}", before_and_after(change), "Untrust")):
        await _run(
            runner, containment, lambda progress: runbook.run("untrust", change=change, progress=progress.report)
        )


async def _password(runner: Runner, containment: Containment, *, agreed: bool) -> Secret | None:
    """Set a new password, a made one where that is `agreed`; return the made one, which is to be shown and wiped."""
    runbook = _book(containment)
    try:
        account = runbook.account()
    except Refused:
        await _run(runner, containment, lambda progress: runbook.run("password"))
        return None
    choice = "make" if agreed else await runner.ask(PasswordDialog(account))
    if choice is None:
        return None
    secret = Secret(await asyncio.to_thread(runner.responder.make_password)) if choice == "make" else choice
    shown = False
    try:
        done = await _run(runner, containment, lambda progress: runbook.run("password", password=secret.reveal()))
        consent = Confirm(f"New password for {account}", [Cell(done.sentence, "alarm")], "Set it all the same")
        if done.consent and await _is_wanted(runner, consent):
            done = await _run(
                runner,
                containment,
                lambda progress: runbook.run("password", password=secret.reveal(), allow_argv=True),
            )
        shown = done.state == "done" and choice == "make"
        return secret if shown else None
    finally:
        if not shown:
            secret.wipe()


async def _tell(runner: Runner, containment: Containment, secret: Secret | None) -> None:
    """Offer the password that was made to be looked at, and wipe it."""
    if secret is not None:
        try:
            lines: list[Line] = [(Cell("It was made by bmtop, and is kept nowhere: note it down now.", "warn"),)]
            await runner.ask(PasswordResult(f"New password for {containment.name}", lines, secret))
        finally:
            secret.wipe()
