"""What came of a step of the runbook, in words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmtop.incident.selection import Filter
from bmtop.response.plan import Done, Outcome

A_PART = "The rest of its mail was left out by choice."


@dataclass(frozen=True, slots=True)
class StepResult:
    """Whether it was done, and what there is to say of it. `partly`: as was chosen, and there may be more to do."""

    ok: bool
    sentence: str
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    partly: bool = False


def of(done: Done) -> StepResult:
    return StepResult(done.ok, done.sentence, done.command, done.notes)


def held(outcome: Outcome) -> StepResult:
    """Return what came of holding what was queued, while keep holding is on."""
    sentence = f"{_counted(outcome)} held; what comes in is held as well."
    return StepResult(not outcome.failure, sentence, outcome.command, _notes(outcome))


def deleted(outcome: Outcome, wanted: Filter) -> StepResult:
    """Return what came of a purge of all, or a part, of what `wanted` means.

    What had left before cannot be deleted any more: that is no failure.
    """
    partly = is_a_part(outcome.plan.chosen_by, wanted)
    back = f"To bring them back: bmtop undo {outcome.undo}" if outcome.undo else ""
    sentence = " ".join(filter(None, (f"{_counted(outcome)} deleted.", A_PART if partly else "", back)))
    return StepResult(not outcome.failure, sentence, outcome.command, _notes(outcome), partly)


def is_a_part(chosen_by: Mapping[str, Any], wanted: Filter) -> bool:
    """Tell whether an action on the same target, chosen so, was not simply on all that `wanted` means.

    The same account has several forms of a login.
    """
    return {**chosen_by, "login": None} != {**wanted.as_dict(), "login": None}


def _counted(outcome: Outcome) -> str:
    return f"{len(outcome.done):,} of {len(outcome.plan.ids):,} messages"


def _notes(outcome: Outcome) -> tuple[str, ...]:
    """Return how many messages were left out for each reason, and the notes."""
    left_out = (f"{count:,} left out: {reason}." for reason, count in Counter(outcome.left_out.values()).items())
    return (*left_out, *outcome.notes)
