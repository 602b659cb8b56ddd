"""Hold and release: instant, and each takes the other back."""

from contextlib import AbstractContextManager

from bmtop.checked import QueueId
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.response.gate import Step
from bmtop.response.messages import DELIVERED, acted_on, deliveries, in_queue, locate, postsuper, unchanged
from bmtop.response.plan import Outcome, Plan, Progress
from bmtop.response.verify import CHANGED, GONE

_WORDS = {
    "hold": ("-h", "was on hold already", "put on hold"),
    "release": ("-H", "was not on hold", "released"),
}


def hold_or_release(postfix: Postfix, plan: Plan, progress: Progress, action: AbstractContextManager[Step]) -> Outcome:
    """Put the plan's messages on hold, or release them, within `action`; what became another message is left out.

    Raises `Refused` or `CommandFailed`.
    """
    option, already, done_word = _WORDS[plan.action]
    queue = postfix.queue_directory
    with action as step:
        progress(0, len(plan.messages), "checking")
        where = locate(queue, plan.ids)
        still, left_out = unchanged(plan.messages, where)
        for message in still:
            if in_queue(queue, where[message.id], "hold") == (plan.action == "hold"):
                left_out[message.id] = already
        wanted = tuple(message for message in still if message.id not in left_out)
        command: tuple[str, ...] = ()
        notes: tuple[str, ...] = ()
        if wanted:
            progress(0, len(wanted), "postsuper")
            result = step.ran(postsuper(postfix, option, [m.id for m in wanted]))
            command, acted = result.command, acted_on(result)
            left_out.update({m.id: GONE for m in wanted if m.id not in acted})
            if plan.action == "hold":
                active = [m.id for m in wanted if in_queue(queue, where[m.id], "active")]
                notes = _look_again(postfix, [m for m in wanted if m.id in acted], active, left_out)
        done = tuple(m.id for m in wanted if m.id not in left_out)
        step.sentence = " ".join((f"{len(done):,} of {len(plan.messages):,} messages {done_word}.", *notes))
    return Outcome(plan, done, left_out, command=command, notes=(*notes, *step.unwritten))


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
