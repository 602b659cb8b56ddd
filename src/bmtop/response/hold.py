"""Hold and release: instant, and each takes the other back."""

from contextlib import AbstractContextManager

from bmtop.checked import QueueId
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.response.gate import Step
from bmtop.response.messages import (
    DELIVERED,
    NOT_DONE,
    acted_on,
    deliveries,
    in_queue,
    locate,
    not_done,
    postsuper,
    unchanged,
)
from bmtop.response.plan import MessageAction, Outcome, Plan, Progress
from bmtop.response.verify import CHANGED
from bmtop.server import CommandFailed

_WORDS = {
    "hold": ("-h", "was on hold already", "put on hold"),
    "release": ("-H", "was not on hold", "released"),
}


def hold_or_release(postfix: Postfix, plan: Plan, progress: Progress, action: AbstractContextManager[Step]) -> Outcome:
    """Put the plan's messages on hold, or release them, within `action`; what became another message is left out.

    Raises `Refused` or `CommandFailed`; where postsuper(1) breaks off in the middle, that is the outcome's failure.
    """
    _, already, done_word = _WORDS[plan.action]
    with action as step:
        progress(0, len(plan.messages), "checking")
        where = locate(postfix.queue_directory, plan.ids)
        still, left_out = unchanged(plan.messages, where)
        left_out.update({m.id: already for m in still if _is_so(postfix, plan.action, where[m.id])})
        wanted = [message for message in still if message.id not in left_out]
        failure, notes = "", tuple[str, ...]()
        if wanted:
            progress(0, len(wanted), "postsuper")
            failure = _move(postfix, plan.action, wanted, left_out, step)
            if plan.action == "hold":
                held = [m for m in wanted if m.id not in left_out]
                active = [m.id for m in held if in_queue(postfix.queue_directory, where[m.id], "active")]
                notes = _look_again(postfix, held, active, left_out)
        done = tuple(m.id for m in wanted if m.id not in left_out)
        if failure and not done:
            raise CommandFailed(failure)
        failure = failure or not_done(plan.action, left_out)
        step.ok = not failure
        notes = tuple(filter(None, (*notes, failure)))
        step.sentence = " ".join((f"{len(done):,} of {len(plan.messages):,} messages {done_word}.", *notes))
    command = tuple(step.details.get("command", ()))
    return Outcome(plan, done, left_out, command=command, notes=(*notes, *step.unwritten), failure=failure)


def _is_so(postfix: Postfix, action: MessageAction, path: str) -> bool:
    """Tell whether the message at `path` is as the action would leave it."""
    return in_queue(postfix.queue_directory, path, "hold") == (action == "hold")


def _move(
    postfix: Postfix, action: MessageAction, messages: list[Message], left_out: dict[QueueId, str], step: Step
) -> str:
    """Run postsuper, and add what it did not move to `left_out`; return why it broke off, if it did."""
    failure, moved = "", frozenset[str]()
    try:
        moved = acted_on(step.ran(postsuper(postfix, _WORDS[action][0], [m.id for m in messages])))
    except CommandFailed as error:
        failure = str(error)
        if error.result is not None:
            moved = acted_on(step.ran(error.result))
    doubtful = [m for m in messages if m.id not in moved]
    if doubtful:
        where = locate(postfix.queue_directory, [m.id for m in doubtful])
        still, gone = unchanged(doubtful, where)
        left_out.update(gone)
        left_out.update({m.id: NOT_DONE[action] for m in still if not _is_so(postfix, action, where[m.id])})
    return failure


def _look_again(
    postfix: Postfix, held: list[Message], active: list[QueueId], left_out: dict[QueueId, str]
) -> tuple[str, ...]:
    """See whether what is on hold now is what was to be held; return what there is to say of it."""
    where = locate(postfix.queue_directory, [m.id for m in held])
    _, changed = unchanged(held, where)
    left_out.update(changed)
    found = deliveries(where, [id for id in active if id not in left_out])
    left_out.update(dict.fromkeys(found.delivered, DELIVERED))
    # An id that became another message in the very moment, and what has no recipient left: both go on their way.
    others = [*found.delivered, *(id for id, reason in changed.items() if reason == CHANGED)]
    if others:
        postsuper(postfix, "-H", others)
    return found.said
