"""Keep holding: on, and off again."""

import asyncio

from bmtop.console import results
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line


async def keep_holding(runner: Runner, target: Target) -> None:
    """Switch it on for the target; off, where it is on."""
    runner.refuse_when_read_only()
    meant = Target(login=target.login) if target.login is not None else target
    heading = f"Keep holding {meant.name}"
    holding = runner.containments.holding(meant)
    if holding is not None:
        end = holding.end_holding
        done = await runner.act(heading, lambda progress: end())
        if done is not None:
            await runner.tell(heading, results.account(done))
    elif await runner.ask(Confirm(heading, _meaning(meant), "Keep holding")):
        found = runner.containments.known(meant)
        keep = found.keep if found is not None else None
        if keep is None:
            keep = await asyncio.to_thread(runner.responder.keep_holding, meant.filter)
        begin = keep.begin
        await runner.act(heading, lambda progress: begin())
        runner.containments.of(meant).keep = keep
        for sentence in (f"What {meant.name} newly queues is put on hold from now on; H ends it.", *keep.notes):
            runner.say(sentence)


def _meaning(target: Target) -> list[str | Cell | Line]:
    """Return what keep holding will do; raises `Refused` where the client is no address."""
    without = " without a login" if target.filter.without_login else ""
    return [
        f"Every message{without} that it newly queues is put on hold within a second, until H is pressed again or"
        " bmtop ends.",
        Cell("What is in the queue already stays as it is: h holds that.", "dim"),
    ]
