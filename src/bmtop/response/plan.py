"""What an action will do, frozen when its dialog opens, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from bmtop.checked import QueueId
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter

MessageAction = Literal["purge", "hold", "release"]

# Called with what is done, the total (0: not known), and a word for the step.
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, step: str) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Plan:
    """An action on exactly these messages. What comes in later is not part of it.

    `unticked` counts what the filter means as well, and was left out by choice.
    """

    action: MessageAction
    filter: Filter
    messages: tuple[Message, ...]
    unticked: int = 0

    @cached_property
    def ids(self) -> tuple[QueueId, ...]:
        return tuple(m.id for m in self.messages)

    @cached_property
    def chosen_by(self) -> Mapping[str, Any]:
        """How these messages were chosen, as JSON values, for the journal."""
        return {**self.filter.as_dict(), **({"unticked": self.unticked} if self.unticked else {})}

    @cached_property
    def bytes(self) -> int:
        return sum(m.size for m in self.messages)


@dataclass(frozen=True)
class Outcome:
    """What became of a plan. `undo` names the copy that can be given back; `notes` are sentences for the user.

    `command` is the argument list that was run; the ids went in on standard input. `failure` is the note that says
    why it is not done, though nothing had left by itself; else empty.
    """

    plan: Plan
    done: tuple[QueueId, ...]
    left_out: Mapping[QueueId, str] = field(default_factory=dict)
    undo: str | None = None
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `bmtop purge --json` prints."""
        return {
            "action": self.plan.action,
            "dry_run": self.dry_run,
            "filter": self.plan.filter.as_dict(),
            "selected": list(self.plan.ids),
            "done": list(self.done),
            "left_out": dict(self.left_out),
            "bytes": self.plan.bytes,
            "undo": self.undo,
            "command": list(self.command),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Restored:
    """What came of an undo: `ids` are back on hold, `renamed` maps an old id to the one it has now.

    `notes` are sentences for the user.
    """

    undo: str
    ids: tuple[QueueId, ...]
    renamed: Mapping[QueueId, QueueId] = field(default_factory=dict)
    failed: Mapping[QueueId, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `bmtop undo --json` prints."""
        return {
            "undo": self.undo,
            "restored": list(self.ids),
            "renamed": dict(self.renamed),
            "failed": dict(self.failed),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class UndoCopy:
    """A purge that can be taken back: `made` and `until` are epoch seconds."""

    undo: str
    made: float
    until: float
    messages: int
    bytes: int
    filter: Mapping[str, Any]
    who: str


@dataclass(frozen=True)
class Done:
    """What came of an action on an account: one sentence, and the command with its exit status."""

    action: str
    target: str
    ok: bool
    sentence: str
    command: tuple[str, ...] = ()
    status: int | None = None
    notes: tuple[str, ...] = ()
