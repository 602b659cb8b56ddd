"""Untrust a relay client, and what goes with it; and mark the honest ones."""

import asyncio
from collections.abc import Sequence

from bmtop.checked import Client, Refused
from bmtop.console import results
from bmtop.console.deeds.messages import messages
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.dialogs.follow_up import FollowUp
from bmtop.console.figures import plural
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line
from bmtop.incident.selection import network, select
from bmtop.response.untrust import Change, Changed, NotTrusted


def _client(target: Target, what: str) -> Client:
    if target.client is None:
        raise Refused(f"{target.name} is a login; choose a client to {what}, among the relay clients.")
    return Client(target.client)


def before_and_after(change: Change) -> list[Line]:
    """Return what mynetworks is and will be, an entry a line where something changes."""
    where = "BlueMind's setting mynetworks" if change.through == "bluemind" else "mynetworks"
    if change.made:
        return [(Cell(f"{where} has it already, by one that was cut off; what is left is to have Postfix read it."),)]
    told: list[Line] = [
        (Cell(f"{where} before", "dim"),),
        (Cell(f"  {change.before or '(empty)'}"),),
        (Cell("and after", "dim"),),
        (Cell(f"  {change.after or '(empty)'}", "strong"),),
        (),
    ]
    for entry, instead in change.replaced:
        into = f"is split into {plural(len(instead), 'range')} around it" if instead else "is taken out"
        told.append((Cell(f"{entry} {into}."),))
    return told


async def untrust(runner: Runner, target: Target) -> None:
    """Take the client out of mynetworks; where that was done before, offer to take it back."""
    client = _client(target, "untrust")
    runner.refuse_when_read_only()
    try:
        change = await asyncio.to_thread(runner.responder.prepare_untrust, client)
    except NotTrusted as error:
        await _trust_again(runner, client, error)
        return
    heading = f"Untrust {client}"
    if await runner.ask(Confirm(heading, before_and_after(change), "Untrust")):
        changed = await runner.act(heading, lambda progress: runner.responder.change_trust(change))
        await _follow_up(runner, heading, Target(client=client), changed)


def _told(changed: Changed) -> list[Line]:
    told: list[Line] = [(Cell(changed.sentence, "good" if changed.ok else "alarm"),)]
    told += [(Cell(note, "warn"),) for note in changed.notes]
    return told + results.command(changed.command)


async def _follow_up(runner: Runner, heading: str, target: Target, changed: Changed) -> None:
    """Tell what came of it, and offer what it leaves: the client's queue and its open connections."""
    told = _told(changed)
    left: dict[str, str] = {"end": "End its connections", "undo": "Undo"}
    queue, accounts = tuple(runner.monitor.messages.values()), runner.monitor.accounts
    try:
        queued = await asyncio.to_thread(select, queue, target.filter, accounts)
    except Refused as error:
        queued = ()
        told.append((Cell(f"What it has in the queue is not known: {error}", "warn"),))
    if any(m.queue != "hold" for m in queued):
        left = {"hold": f"Hold its {plural(len(queued), 'message')}…", **left}
    while choice := await runner.ask(FollowUp(heading, told, tuple(left.items()), alarm=not changed.ok)):
        del left[choice]
        if choice == "hold":
            await messages(runner, "hold", target)
        elif choice == "end":
            done = await runner.act(heading, lambda progress: runner.responder.end_connections(target.filter))
            told = [*told, (), *results.account(done)]
        else:
            await _trust_again(runner, Client(target.name))
            return


async def _trust_again(runner: Runner, client: Client, otherwise: Refused | None = None) -> None:
    """Put the old value of mynetworks back; raises `otherwise` where nothing is to be taken back."""
    try:
        change = await asyncio.to_thread(runner.responder.prepare_trust_again, client)
    except Refused as error:
        raise otherwise or error from None
    heading = f"Trust {client} again"
    if await runner.ask(Confirm(heading, before_and_after(change), "Put it back")):
        changed = await runner.act(heading, lambda progress: runner.responder.change_trust(change))
        await runner.tell(heading, _told(changed), alarm=not changed.ok)


async def _is_honest(runner: Runner, client: str) -> bool:
    """Ask where the client is suspected: the mark takes it out of the alarm."""
    relays = runner.monitor.picture(runner.clock()).relays
    reasons = next((relay.reasons for relay in relays if relay.client == client and relay.suspected), None)
    if reasons is None:
        return True
    lines: list[str | Cell | Line] = [
        Cell("It is suspected:", "dim"),
        *(Cell(f"  {reason}", "alarm") for reason in reasons),
        "Marked as an honest relay it is out of the alarm, and goes on sending; k takes the mark back.",
    ]
    answer = await runner.ask(Confirm(f"Mark {client} as known", lines, "Mark as known"))
    return answer is True


async def known(runner: Runner, target: Target) -> None:
    """Mark the client as an honest relay, or take the mark back; a suspected one is asked about before."""
    client = _client(target, "mark")
    runner.refuse_when_read_only()
    # The list itself is asked: the row may be older.
    listed = await asyncio.to_thread(runner.responder.known_relays)
    address = network(client).network_address
    marked = any(address in known for known in listed)
    if not marked and not await _is_honest(runner, target.name):
        return
    act = runner.responder.unmark_known if marked else runner.responder.mark_known
    sentence = await runner.act("Known relays", lambda progress: act(client))
    lines: Sequence[str] = [sentence, "k again takes it back." if not marked else ""]
    runner.say(" ".join(filter(None, lines)))
