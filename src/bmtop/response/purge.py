"""Purge: check every id again, keep an undo copy, delete, and say what became of each.

The undo copy is a hard link, made first and checked after: it pins the inode, so that what was checked is
what is deleted. The queue manager leaves a file with two links alone.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.response.copies import Copies, Shelf
from bmtop.response.gate import Step
from bmtop.response.messages import (
    DELIVERED,
    MOVES,
    MOVING,
    NOT_DONE,
    acted_on,
    deliveries,
    locate,
    not_done,
    on_the_move,
    postsuper,
    unchanged,
)
from bmtop.response.plan import Outcome, Plan, Progress
from bmtop.response.verify import CHANGED, GONE, file_is_still
from bmtop.server import CommandFailed, Result

# A message may move on between two looks at the queue; then it is looked for again.
_ROUNDS = 4
_REPORT_EVERY = 500


def purge(
    postfix: Postfix,
    copies: Copies,
    plan: Plan,
    progress: Progress,
    action: AbstractContextManager[Step],
    *,
    undo: str | None,
    in_use: Iterable[str] = (),
) -> Outcome:
    """Delete exactly the plan's messages within `action`, after a copy of each under the name `undo`, if any.

    `progress` may raise to cancel, as long as nothing is deleted. Undo copies `in_use` are not dropped to make
    room. Raises `Refused` (`NoRoom` among them) or `CommandFailed`.
    """
    with action as step:
        if undo is not None:
            copies.refuse_too_much(plan.bytes)
        run = _Purge(postfix, copies, plan, undo, progress)
        try:
            run.keep_all(step)
            command = run.delete(step)
        finally:
            run.settle()
            step.sentence = run.sentence
        dropped = () if undo is None else copies.tidy({undo, *in_use})
        failure = run.failure or not_done("purge", run.left_out)
        step.ok = not failure
        notes = tuple(filter(None, (*run.notes, *dropped, failure)))
        step.sentence = " ".join((run.sentence, *notes))
    notes += step.unwritten
    kept = undo if run.done else None
    return Outcome(plan, run.done, run.left_out, undo=kept, command=command, notes=notes, failure=failure)


class _Purge:
    """One purge under way: which messages are kept for undo, which are deleted, and why others are left out."""

    def __init__(self, postfix: Postfix, copies: Copies, plan: Plan, undo: str | None, progress: Progress) -> None:
        self.left_out: dict[QueueId, str] = {}
        self.notes: tuple[str, ...] = ()
        self.failure = ""
        self._kept: dict[QueueId, str] = {}
        self._deleted: set[QueueId] = set()
        self._held: set[QueueId] = set()
        self._postfix = postfix
        self._queue = postfix.queue_directory
        self._copies = copies
        self._plan = plan
        self._undo = undo
        self._shelf: Shelf | None = None
        self._progress = progress

    @property
    def done(self) -> tuple[QueueId, ...]:
        """What was deleted, by now or by an earlier run that was cut off."""
        return tuple(id for id in self._plan.ids if id in self._deleted)

    @property
    def sentence(self) -> str:
        done, meant = len(self._deleted), len(self._plan.messages)
        return f"Deleted {done:,} of {meant:,} messages" + (f"; {meant - done:,} left out." if done < meant else ".")

    def keep_all(self, step: Step) -> None:
        """Keep a copy of every message that is still the one shown; where that cannot be, raise, and keep none."""
        try:
            where = locate(self._queue, self._plan.ids)
            if self._undo is not None:
                self._shelf = self._copies.begin(self._undo, self._plan, next(iter(where.values()), ""))
            waiting = list(self._plan.messages)
            for _ in range(_ROUNDS):
                waiting = self._round(waiting, where, step)
                if not waiting:
                    break
                where = locate(self._queue, [m.id for m in waiting])
            self.left_out.update({message.id: MOVES for message in waiting})
            self._see_to_deliveries(step)
            if self._shelf is not None:
                self._shelf.sync()
        except (Refused, CommandFailed) as error:
            if self._held:
                error.args = (f"{error} {len(self._held):,} messages that were about to leave are on hold now.",)
            raise

    def _round(self, messages: list[Message], where: dict[QueueId, str], step: Step) -> list[Message]:
        """Keep what can be kept; return the messages that moved meanwhile."""
        pinned = self._shelf is not None and self._shelf.linked
        on_the_move = MOVING if pinned else (*MOVING, "deferred")
        where = self._hold(self._in(on_the_move, messages, where), where, step)
        moved: list[Message] = []
        for number, message in enumerate(messages):
            if number % _REPORT_EVERY == 0:
                self._progress(number, len(messages), "keeping a copy" if self._shelf else "checking")
            try:
                self._keep(message, where.get(message.id))
            except FileNotFoundError:
                moved.append(message)
        return moved

    def _keep(self, message: Message, path: str | None) -> None:
        """Keep one message's file, and look what it is. Raises `FileNotFoundError` where it has moved."""
        id, shelf = message.id, self._shelf
        if path is None:
            if shelf is not None and shelf.has(id):
                self._deleted.add(id)
            else:
                self.left_out[id] = GONE
            return
        # Known before it is made: should this be interrupted here, it must be let go of, too.
        copy = self._kept[id] = "" if shelf is None else shelf.place(id)
        pinned = shelf is not None and shelf.linked
        try:
            if shelf is not None:
                shelf.keep(path, copy)
            if (pinned or file_is_still(message, path)) and (not copy or file_is_still(message, copy)):
                return
        except FileNotFoundError:
            self._let_go(id)
            raise
        except Refused:
            # It is not ours.
            del self._kept[id]
            raise
        self._let_go(id)
        self.left_out[id] = CHANGED
        if id in self._held:
            # It became another message in the moment before it was held: that one goes on its way.
            self._held.discard(id)
            postsuper(self._postfix, "-H", [id])

    def _let_go(self, id: QueueId) -> None:
        copy = self._kept.pop(id)
        if copy:
            with suppress(FileNotFoundError):
                os.unlink(copy)

    def _in(self, queues: Iterable[str], messages: Iterable[Message], where: Mapping[QueueId, str]) -> list[Message]:
        folders = tuple(f"{self._queue}/{name}/" for name in queues)
        return [m for m in messages if where.get(m.id, "").startswith(folders)]

    def _hold(self, messages: list[Message], where: dict[QueueId, str], step: Step) -> dict[QueueId, str]:
        """Hold what could leave while it is dealt with; return where all are."""
        still, _ = unchanged(messages, where)
        if not still:
            return where
        held = acted_on(step.ran(postsuper(self._postfix, "-h", [message.id for message in still])))
        self._held.update(message.id for message in still if message.id in held)
        return where | locate(self._queue, [message.id for message in still])

    def _see_to_deliveries(self, step: Step) -> None:
        """Hold what slipped into delivery while it was kept, and see which messages were delivered nevertheless."""
        slipped = on_the_move(self._queue, self._kept)
        self._hold([m for m in self._plan.messages if m.id in slipped], slipped, step)
        found = deliveries(locate(self._queue, self._held) if self._held else {}, self._held)
        self.left_out.update(dict.fromkeys(found.delivered, DELIVERED))
        self.notes = found.said

    def delete(self, step: Step) -> tuple[str, ...]:
        """Delete what is kept; returns the command that did it, or nothing where there was nothing to delete."""
        if not self._kept:
            return ()
        self._progress(0, 0, "deleting")
        result: Result | None = None
        try:
            result = step.ran(postsuper(self._postfix, "-d", self._kept))
        except CommandFailed as error:
            self.failure = str(error)
            if error.result is not None:
                step.ran(error.result)
        finally:
            self._count(result)
        if self.failure and not self._deleted:
            raise CommandFailed(self.failure)
        return tuple(step.details.get("command", ()))

    def _count(self, result: Result | None) -> None:
        """Find out what was deleted: what postsuper says it removed, if it came to its end; else all that is gone."""
        said = None if result is None else acted_on(result)
        doubtful = [id for id in self._kept if said is None or id not in said]
        where = locate(self._queue, doubtful) if doubtful else {}
        for id in self._kept:
            if id in where:
                self.left_out[id] = NOT_DONE["purge"]
            elif said is not None and id not in said:
                self.left_out[id] = GONE
            elif id not in self.left_out:
                self._deleted.add(id)

    def settle(self) -> None:
        """Let go of every copy of a message that was not deleted: its second link would keep it from leaving."""
        if self._shelf is None or self._undo is None:
            return
        for id in [id for id in self._kept if id not in self._deleted]:
            self._let_go(id)
        self._copies.settle(self._undo, sum(m.size for m in self._plan.messages if m.id in self._deleted))
