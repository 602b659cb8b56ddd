"""What to do with an action on messages that was cut off: finish it, take it back, or leave it as it is."""

import os
from collections.abc import Iterable
from dataclasses import replace

from bmtop.checked import Refused
from bmtop.incident.selection import Filter
from bmtop.postfix.instance import Postfix
from bmtop.response.copies import Copies, same_file
from bmtop.response.gate import Gate
from bmtop.response.hold import hold_or_release
from bmtop.response.journal import Entry
from bmtop.response.messages import locate
from bmtop.response.plan import MessageAction, Outcome, Plan, Progress, Restored
from bmtop.response.purge import purge
from bmtop.response.undo import undo

FINISHED = "It was cut off, and then finished."
TAKEN_BACK = "It was cut off, and then taken back."
LEFT = "It was cut off, and left so."

_OPPOSITE: dict[str, MessageAction] = {"hold": "release", "release": "hold"}


def finish(
    postfix: Postfix, gate: Gate, copies: Copies, cut_off: Entry, progress: Progress, *, in_use: Iterable[str] = ()
) -> Outcome | Restored:
    """Do what is left of it. Raises `Refused` where it is no action on messages, or is not known any more."""
    action = gate.resume(cut_off, FINISHED)
    match cut_off.action:
        case "purge":
            plan = _plan(gate, cut_off, "purge")
            return purge(postfix, copies, plan, progress, action, undo=cut_off.undo, in_use=in_use)
        case "hold" | "release":
            return hold_or_release(postfix, _plan(gate, cut_off, cut_off.action), progress, action)
        case "undo" if cut_off.undo is not None:
            return undo(postfix, copies, cut_off.undo, progress, action)
    raise Refused(f"bmtop cannot finish this {cut_off.action}; do it again.")


def take_back(postfix: Postfix, gate: Gate, cut_off: Entry, progress: Progress) -> Outcome:
    """Release what it held, or hold what it released. Raises `Refused` for every other action."""
    if cut_off.action not in _OPPOSITE:
        raise Refused(f"bmtop cannot take this {cut_off.action} back: it kept no copy.")
    plan = _plan(gate, cut_off, _OPPOSITE[cut_off.action])
    # What was on hold before stays so; what was not stays out of it.
    changed = tuple(m for m in plan.messages if (m.queue == "hold") == (cut_off.action == "release"))
    action = gate.resume(cut_off, TAKEN_BACK, "failed")
    return hold_or_release(postfix, replace(plan, messages=changed), progress, action)


def leave(postfix: Postfix, gate: Gate, copies: Copies, cut_off: Entry) -> None:
    """Write that it is done with. What a purge had kept a copy of, and not deleted, may leave the queue again."""
    with gate.resume(cut_off, LEFT, "failed"):
        if cut_off.action != "purge" or cut_off.undo is None:
            return
        if not copies.is_there(cut_off.undo):
            copies.drop(cut_off.undo)
            return
        shelf = copies.shelf(cut_off.undo)
        kept = list(shelf.kept())
        where = locate(postfix.queue_directory, [copy.id for copy in kept])
        for copy in kept:
            if copy.id in where and (not shelf.linked or same_file(copy.path, where[copy.id])):
                os.unlink(copy.path)
        copies.settle(cut_off.undo)


def _plan(gate: Gate, cut_off: Entry, action: MessageAction) -> Plan:
    messages = gate.messages(cut_off)
    return Plan(action, Filter(ids=tuple(m.id for m in messages)), messages)
