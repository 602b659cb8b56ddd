"""What came of an action, in lines that a person can check. Pure."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bmtop.checked import QueueId
from bmtop.console.figures import plural
from bmtop.console.text import Cell, Line
from bmtop.response.plan import Done, MessageAction, Outcome, Restored

_DONE: dict[MessageAction, str] = {"purge": "Deleted", "hold": "Put on hold", "release": "Released"}
NAMED = 5


def command(arguments: Sequence[str], given: int = 0) -> list[Line]:
    """Return the command that was run as it would be typed."""
    if not arguments:
        return []
    standard_input = f"   ({plural(given, 'id')} on standard input)" if given and arguments[-1] == "-" else ""
    return [(Cell("command  ", "dim"), Cell(shlex.join(arguments)), Cell(standard_input, "dim"))]


def by_reason(reasons: Mapping[QueueId, str]) -> list[Line]:
    """Return a line a reason: how many, which, and why."""
    groups: defaultdict[str, list[QueueId]] = defaultdict(list)
    for queue_id, reason in reasons.items():
        groups[reason].append(queue_id)
    return [
        (Cell(f"{len(ids):,} left out: {reason}", "warn"), Cell("   " + _some(ids), "dim"))
        for reason, ids in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def _some(ids: Sequence[QueueId]) -> str:
    more = f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def outcome(result: Outcome) -> list[Line]:
    done, meant = len(result.done), len(result.plan.messages)
    told: list[Line] = [
        (Cell(f"{_DONE[result.plan.action]} {done:,} of {meant:,}.", "good" if done == meant else "warn"),)
    ]
    told += by_reason(result.left_out)
    told += [(Cell(note, "alarm" if note == result.failure else ""),) for note in result.notes]
    told += command(result.command, done + len(result.left_out))
    if result.undo is not None:
        told.append(
            (Cell("undo     ", "dim"), Cell(result.undo), Cell("   u brings them back, on hold, for 24 hours", "dim"))
        )
    if result.plan.action == "hold":
        told.append((Cell("undo     ", "dim"), Cell("h again, and Release", "dim")))
    return told


def restored(result: Restored) -> list[Line]:
    failed = len(result.failed)
    told: list[Line] = [
        (
            Cell(
                f"Brought back {len(result.ids):,} of {len(result.ids) + failed:,}, on hold.",
                "warn" if failed else "good",
            ),
        )
    ]
    told += by_reason(result.failed)
    if result.renamed:
        pairs = list(result.renamed.items())
        told.append((Cell(f"{plural(len(pairs), 'message has a new id', 'messages have new ids')}:"),))
        told += [(Cell(f"  {old} is now {new}"),) for old, new in pairs[:NAMED]]
        if len(pairs) > NAMED:
            told.append((Cell(f"  and {len(pairs) - NAMED:,} more; the journal has them", "dim"),))
    elif result.ids:
        told.append((Cell("All have their old ids.", "dim"),))
    told += [(Cell(note, "warn"),) for note in result.notes]
    told.append((Cell("They stay on hold until they are released: h, then Release.", "dim"),))
    return told


def account(result: Done) -> list[Line]:
    told: list[Line] = [(Cell(result.sentence, "good" if result.ok else "alarm"),)]
    told += [(Cell(note, "warn"),) for note in result.notes]
    told += command(result.command)
    if result.status is not None:
        told.append((Cell("status   ", "dim"), Cell(f"exit status {result.status}")))
    return told
