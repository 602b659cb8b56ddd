"""Hold, release, purge, and undo."""

import asyncio
from collections.abc import Sequence
from functools import partial

from bmtop.checked import Refused
from bmtop.console import results
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.dialogs.messages import Errand, Messages, left_alone
from bmtop.console.dialogs.result import MessagesResult
from bmtop.console.dialogs.undo import UndoDialog
from bmtop.console.figures import clock, plural, size
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter, came_later, select
from bmtop.response.copies import NoRoom
from bmtop.response.plan import MessageAction, Outcome, Plan
from bmtop.server import CommandFailed

_HEADINGS: dict[MessageAction, str] = {"purge": "Purge", "hold": "Hold", "release": "Release"}


async def messages(runner: Runner, action: MessageAction, target: Target) -> None:
    """Hold, release or purge what the target has in the queue as it is now."""
    wanted = target.filter
    found = await _selected(runner, wanted)
    if not found:
        # The newest listing may be from before they came.
        await runner.list_queue()
        found = await _selected(runner, wanted)
    if not found:
        if runner.monitor.picture(runner.clock()).listed is None:
            raise Refused(
                f"What {target.name} has in the queue is not known: it was not listed yet;"
                " see the problems above the panes."
            )
        raise Refused(_nothing(target.name, wanted, await _spared(runner, wanted)))
    await _on(runner, action, target.name, wanted, found)


async def _selected(runner: Runner, wanted: Filter) -> tuple[Message, ...]:
    queue, accounts = tuple(runner.monitor.messages.values()), runner.monitor.accounts
    return await asyncio.to_thread(select, queue, wanted, accounts)


async def _spared(runner: Runner, wanted: Filter) -> int:
    """Return how many messages with a login the same clients have in the queue, where those are not meant."""
    if not wanted.without_login:
        return 0
    queue, accounts = tuple(runner.monitor.messages.values()), runner.monitor.accounts
    theirs = Filter(clients=wanted.clients, not_clients=wanted.not_clients)
    return sum(m.login is not None for m in await asyncio.to_thread(theirs.keep, queue, accounts))


def _nothing(name: str, wanted: Filter, spared: int) -> str:
    without = " without a login" if wanted.without_login else ""
    others = f"; {left_alone(spared)}: choose that login among the senders" if spared else ""
    return f"{name} has no message{without} in the queue as it was last listed{others}."


def _as_of(runner: Runner, found: Sequence[Message]) -> float:
    """Return the moment that `found`, oldest first, is as of: what came in during the listing may be in it, too."""
    return min(runner.clock(), max(runner.monitor.as_of, *(m.arrival for m in found[-1:])))


async def errand(runner: Runner, action: MessageAction, name: str, wanted: Filter, found: Sequence[Message]) -> Errand:
    """Return what the dialog of messages is opened for."""
    return Errand(
        action=action,
        name=name,
        wanted=wanted,
        messages=found,
        spared=await _spared(runner, wanted),
        frozen_at=_as_of(runner, found),
        accounts=runner.monitor.accounts,
        subjects=runner.responder.subjects,
        with_subject=runner.responder.with_subject,
        bounces=runner.monitor.bounces,
        save=partial(runner.save, "messages", "txt"),
        read_only=runner.responder.read_only,
    )


async def _on(runner: Runner, action: MessageAction, name: str, wanted: Filter, found: Sequence[Message]) -> None:
    plan = await runner.ask(Messages(await errand(runner, action, name, wanted, found)))
    if plan is None:
        return
    heading = f"{_HEADINGS[plan.action]}: {name}"
    outcome = await _carry_out(runner, heading, plan)
    if outcome is None:
        return
    told = results.outcome(outcome)
    try:
        later = await _later(runner, plan, found)
    except (Refused, CommandFailed) as error:
        later = ()
        told.append((Cell(f"Whether more came in meanwhile is not known: {error}", "warn"),))
    if await runner.ask(MessagesResult(heading, told, len(later), plan.action)):
        await _on(runner, plan.action, name, plan.filter, later)


async def _later(runner: Runner, plan: Plan, found: Sequence[Message]) -> Sequence[Message]:
    """Return what the plan's filter means by now, and was not in the list that was looked at."""
    queue, accounts = tuple(runner.monitor.messages.values()), runner.monitor.accounts
    later = await asyncio.to_thread(came_later, queue, plan.filter, accounts, [*found, *plan.messages])
    return await asyncio.to_thread(runner.responder.with_subject, later, plan.filter)


async def _carry_out(runner: Runner, heading: str, plan: Plan) -> Outcome | None:
    """Run the plan; where a purge has no room for its undo copy, ask whether to go on without one."""
    responder = runner.responder
    act = {"purge": responder.purge, "hold": responder.hold, "release": responder.release}[plan.action]
    try:
        return await runner.change_queue(heading, partial(act, plan))
    except NoRoom as error:
        if not await runner.ask(without_undo(heading, str(error))):
            return None
    return await runner.change_queue(heading, partial(responder.purge, plan, without_undo=True))


def without_undo(heading: str, sentence: str) -> Confirm:
    """Ask whether to purge although no copy can be kept, which the sentence says."""
    lines: list[str | Cell | Line] = [
        Cell(sentence, "alarm"),
        "Without a copy, this purge cannot be undone. Hold needs no room.",
    ]
    return Confirm(heading, lines, "Purge without undo")


async def undo(runner: Runner) -> None:
    """Bring back the messages of a purge that is chosen from those that can be taken back."""
    runner.refuse_when_read_only()
    copies = await asyncio.to_thread(runner.responder.undos)
    if not copies:
        raise Refused("There is no purge to take back: copies are kept for 24 hours.")
    copy = await runner.ask(UndoDialog(copies, runner.clock()))
    if copy is None:
        return
    lines = [
        f"{plural(copy.messages, 'message')}, {size(copy.bytes)}, purged at {clock(copy.made, runner.clock())}.",
        "They come back on hold: none is sent before it is released.",
    ]
    if await runner.ask(Confirm("Undo a purge", lines, f"Bring back {copy.messages:,}")):
        restored = await runner.change_queue("Undo a purge", partial(runner.responder.undo, copy.undo))
        await runner.tell("Undo a purge", results.restored(restored), alarm=bool(restored.failed))
