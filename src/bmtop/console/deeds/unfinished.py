"""What an earlier run of bmtop began and did not end: finish it, take it back, or leave it."""

from functools import partial

from bmtop.console import results
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.cut_off import CutOff
from bmtop.response.journal import Entry
from bmtop.response.plan import Outcome


async def settle(runner: Runner, entry: Entry) -> None:
    """Ask what is to become of it, and do that."""
    choice = await runner.ask(CutOff(entry, runner.clock(), read_only=runner.responder.read_only))
    heading = f"Cut off: {entry.action} {entry.target}"
    if choice == "leave":
        await runner.act(heading, lambda progress: runner.responder.leave(entry))
    elif choice is not None:
        act = runner.responder.finish if choice == "finish" else runner.responder.take_back
        result = await runner.change_queue(heading, partial(act, entry))
        lines = results.outcome(result) if isinstance(result, Outcome) else results.restored(result)
        await runner.tell(heading, lines)
