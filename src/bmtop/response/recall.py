"""What the journal has of a containment that was begun before."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bmtop.incident.selection import Filter
from bmtop.response.journal import Entry
from bmtop.response.step_result import A_PART, is_a_part

# What the journal calls the steps whose action has another name, and what takes a step back.
_STEP_OF = {"logout": "sessions", "keep holding": "hold"}
_TAKES_BACK = {"reactivate": "suspend", "trust again": "untrust", "undo": "purge"}


def recalled(entries: Iterable[Entry], is_ours: Callable[[str], bool]) -> dict[str, Entry]:
    """Return the newest entry of each step since it was contained last, without the steps that were taken back.

    `is_ours` tells whether an action was on whom the containment is about, by its target. Entries come oldest first;
    those returned have the filter that their action began with.
    """
    filters: dict[str, Mapping[str, Any]] = {}
    last: dict[str, Entry] = {}
    undos: set[str] = set()
    for entry in entries:
        # The target of an undo is the copy, whosever messages are in it.
        if not (entry.undo in undos if entry.action == "undo" else is_ours(entry.target)):
            continue
        if entry.state == "begun":
            filters[entry.number] = entry.filter
        if entry.action == "purge" and entry.undo is not None:
            undos.add(entry.undo)
        if entry.action == "watch" and entry.state == "done":
            last.clear()
        elif entry.action not in _TAKES_BACK:
            step = _STEP_OF.get(entry.action, entry.action)
            last[step] = replace(entry, filter=filters.get(entry.number, {}))
        elif entry.state == "done":
            last.pop(_TAKES_BACK[entry.action], None)
    return last


def to_do_again(step: str, entry: Entry, wanted: Filter, *, holding: bool, queued: Callable[[], str]) -> str:
    """Return why a step is still to do, though its action was done, in a sentence; else empty.

    `holding` tells whether what is new is held; `queued` lists the queue, and says what is there again, if anything.
    """
    match step:
        case "hold":
            return "What comes in is held." if holding else "What comes in is not held at present."
        case "connections":
            return "It may have connected again."
        case "purge":
            return A_PART if is_a_part(entry.filter, wanted) else queued()
    return ""
