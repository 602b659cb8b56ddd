"""Hold and release: instant, and each takes the other back."""

from pathlib import Path

from bmtop.checked import QueueId
from bmtop.postfix.instance import Postfix
from bmtop.response.gate import Gate
from bmtop.response.messages import in_queue, locate, postsuper, unchanged
from bmtop.response.plan import Outcome, Plan, Progress

_WORDS = {
    "hold": ("-h", "was on hold already", "put on hold"),
    "release": ("-H", "was not on hold", "released"),
}


def hold_or_release(postfix: Postfix, gate: Gate, plan: Plan, target: str, progress: Progress) -> Outcome:
    """Put the plan's messages on hold, or release them; what became another message is left out.

    Raises `Refused` or `CommandFailed`.
    """
    option, already, done_word = _WORDS[plan.action]
    queue = postfix.queue_directory
    with gate.action(plan.action, target, filter=plan.filter.as_dict(), ids=plan.ids) as step:
        progress(0, len(plan.messages), "checking")
        where = locate(queue, plan.ids)
        still, left_out = unchanged(plan.messages, where)
        for message in still:
            if in_queue(queue, where[message.id], "hold") == (plan.action == "hold"):
                left_out[message.id] = already
        wanted = [message.id for message in still if message.id not in left_out]
        command: tuple[str, ...] = ()
        if wanted:
            progress(0, len(wanted), "postsuper")
            command = step.ran(postsuper(postfix, option, wanted)).command
        done = _done(queue, plan, wanted)
        left_out.update(dict.fromkeys(set(wanted) - set(done), "had left the queue"))
        step.sentence = f"{len(done):,} of {len(plan.messages):,} messages {done_word}."
        return Outcome(plan, done, left_out, command=command)


def _done(queue: Path, plan: Plan, wanted: list[QueueId]) -> tuple[QueueId, ...]:
    now = locate(queue, wanted)
    held = {id for id, path in now.items() if in_queue(queue, path, "hold")}
    if plan.action == "hold":
        return tuple(id for id in wanted if id in held)
    return tuple(id for id in wanted if id not in held)
