"""What came of a step of the runbook, in words."""

from collections import Counter
from dataclasses import dataclass

from bmtop.response.plan import Done, Outcome


@dataclass(frozen=True, slots=True)
class StepResult:
    """Whether it was done, and what there is to say of it."""

    ok: bool
    sentence: str
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def of(done: Done) -> StepResult:
    return StepResult(done.ok, done.sentence, done.command, done.notes)


def held(outcome: Outcome) -> StepResult:
    """Return what came of holding what was queued, while keep holding is on."""
    sentence = f"{_counted(outcome)} held; what comes in is held as well."
    return StepResult(not outcome.failure, sentence, outcome.command, _notes(outcome))


def deleted(outcome: Outcome) -> StepResult:
    """Return what came of a purge."""
    sentence = f"{_counted(outcome)} deleted."
    if outcome.undo:
        sentence += f" To bring them back: bmtop undo {outcome.undo}"
    # What had left before cannot be deleted any more: that is no failure.
    return StepResult(not outcome.failure, sentence, outcome.command, _notes(outcome))


def _counted(outcome: Outcome) -> str:
    return f"{len(outcome.done):,} of {len(outcome.plan.ids):,} messages"


def _notes(outcome: Outcome) -> tuple[str, ...]:
    """Return how many messages were left out for each reason, and the notes."""
    left_out = (f"{count:,} left out: {reason}." for reason, count in Counter(outcome.left_out.values()).items())
    return (*left_out, *outcome.notes)
