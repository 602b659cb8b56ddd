"""Which messages of a frozen list an action will be about: narrowed, unticked, with what is left of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bmtop.checked import QueueId
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter
from bmtop.response.plan import MessageAction, Plan


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages are chosen, their size in bytes, and how many of them are on hold."""

    messages: int
    bytes: int
    on_hold: int

    def of(self, action: MessageAction) -> int:
        """How many of them `action` would change."""
        if action == "hold":
            return self.messages - self.on_hold
        return self.on_hold if action == "release" else self.messages


class Choice:
    """`frozen` is all that there was when the dialog opened; nothing that comes in later is ever added.

    `bounces` is a group of its own, not part of it unless asked for.
    """

    def __init__(self, wanted: Filter, frozen: Sequence[Message], bounces: Sequence[Message]) -> None:
        self.wanted = wanted
        self.frozen = frozen
        self.bounces = bounces
        self.with_bounces = False
        self._kept = frozen
        self._unticked: set[QueueId] = set()

    @property
    def listed(self) -> Sequence[Message]:
        """What the list shows, ticked or not."""
        return [*self._kept, *self.bounces] if self.with_bounces else self._kept

    @property
    def oldest(self) -> int:
        """When the first of what is listed came in, in epoch seconds; a bounce may be older than all that is there."""
        firsts = (self._kept[:1], self.bounces[:1] if self.with_bounces else ())
        return min(first.arrival for group in firsts for first in group)

    @property
    def total(self) -> int:
        """How many could be chosen."""
        return len(self.frozen) + (len(self.bounces) if self.with_bounces else 0)

    @property
    def _chosen(self) -> Sequence[Message]:
        unticked = self._unticked
        return [m for m in self.listed if m.id not in unticked] if unticked else self.listed

    def narrow(self, wanted: Filter, kept: Sequence[Message], bounces: Sequence[Message]) -> None:
        """Keep only what `wanted` leaves of the frozen list, and of the bounces."""
        self.wanted, self._kept, self.bounces = wanted, kept, bounces

    def ticked(self, message: Message) -> bool:
        return message.id not in self._unticked

    def toggle(self, message: Message) -> None:
        self._unticked ^= {message.id}

    def toggle_all(self) -> None:
        """Untick all that is listed; tick all of it, where nothing was ticked."""
        listed = {m.id for m in self.listed}
        if listed <= self._unticked:
            self._unticked -= listed
        else:
            self._unticked |= listed

    def tally(self) -> Tally:
        chosen = self._chosen
        return Tally(len(chosen), sum([m.size for m in chosen]), [m.queue for m in chosen].count("hold"))

    def plan(self, action: MessageAction) -> Plan:
        """Return the plan for `action`, of exactly the ticked messages that it changes."""
        chosen = self._chosen
        unticked = len(self.listed) - len(chosen)
        if action == "hold":
            chosen = [m for m in chosen if m.queue != "hold"]
        elif action == "release":
            chosen = [m for m in chosen if m.queue == "hold"]
        return Plan(action, self.wanted, tuple(chosen), unticked)


def find(messages: Sequence[Message], needle: str, start: int) -> int | None:
    """Return the index of the next message at or after `start`, around the end, that names `needle`."""
    wanted = needle.casefold()
    for step in range(len(messages)):
        index = (start + step) % len(messages)
        m = messages[index]
        text = " ".join((m.id, m.queue, m.sender, m.client or "", m.login or "", *m.recipients))
        if wanted in text.casefold():
            return index
    return None
