"""Purge: check every id again, keep an undo copy, delete, and say what became of each.

The undo copy is a hard link, made first and checked after: it pins the inode, so that what was
checked is what is deleted. The queue manager leaves a file with two links alone.
"""

import os
from pathlib import Path

from bmtop.checked import QueueId
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.response.copies import Copies, keep, same_file
from bmtop.response.gate import Gate, Step
from bmtop.response.messages import in_queue, locate, postsuper, unchanged
from bmtop.response.plan import Outcome, Plan, Progress
from bmtop.response.verify import CHANGED, GONE, file_is_still

# A message may move on between two looks at the queue; then it is looked for again.
_ROUNDS = 4
_REPORT_EVERY = 500


def purge(
    postfix: Postfix, gate: Gate, copies: Copies, plan: Plan, target: str, progress: Progress, *, without_undo: bool
) -> Outcome:
    """Delete exactly the plan's messages, after a copy of each that `undo` gives back.

    `progress` may raise to cancel, as long as nothing is deleted. Raises `Refused` (`NoRoom` among
    them) or `CommandFailed`.
    """
    undo = None if without_undo else copies.new_name()
    run = _Purge(postfix, copies, plan, undo, progress)
    with gate.action("purge", target, filter=plan.filter.as_dict(), ids=plan.ids, undo=undo) as step:
        notes = copies.tidy()
        command = run.delete(step)
        done = tuple(id for id in plan.ids if id in run.kept and id not in run.left_out)
        left = len(plan.messages) - len(done)
        step.sentence = f"Deleted {len(done):,} of {len(plan.messages):,} messages" + (
            f"; {left:,} left out." if left else "."
        )
        if undo is not None and not done:
            copies.drop(undo)
            undo = None
        return Outcome(plan, done, run.left_out, undo=undo, command=command, notes=notes)


class _Purge:
    """One purge under way: which messages are kept for undo, and why others are left out."""

    def __init__(self, postfix: Postfix, copies: Copies, plan: Plan, undo: str | None, progress: Progress) -> None:
        self.left_out: dict[QueueId, str] = {}
        self.kept: dict[QueueId, str] = {}
        self._postfix = postfix
        self._queue = postfix.queue_directory
        self._copies = copies
        self._plan = plan
        self._undo = undo
        self._progress = progress

    def delete(self, step: Step) -> tuple[str, ...]:
        """Keep, then delete; returns the command that deleted, or nothing where there was nothing to delete."""
        self._keep_all(step)
        if not self.kept:
            return ()
        self._progress(0, 0, "deleting")
        result = step.ran(postsuper(self._postfix, "-d", self.kept))
        # What postsuper left behind must not stay pinned by its second link.
        for id, path in locate(self._queue, self.kept).items():
            copy = self.kept[id]
            if not copy or same_file(Path(path), copy):
                self.left_out[id] = "was not deleted by postsuper"
                if copy:
                    os.unlink(copy)
        return result.command

    def _keep_all(self, step: Step) -> None:
        folder = None if self._undo is None else self._copies.begin(self._undo, self._plan)
        try:
            waiting = list(self._plan.messages)
            for _ in range(_ROUNDS):
                waiting = self._round(waiting, folder, step)
                if not waiting:
                    break
            self.left_out.update({message.id: "moves between the queues" for message in waiting})
        except BaseException:
            # Nothing was deleted: let go of every message.
            if self._undo is not None:
                self._copies.drop(self._undo)
            raise

    def _round(self, messages: list[Message], folder: Path | None, step: Step) -> list[Message]:
        """Keep what can be kept; return the messages that moved meanwhile."""
        where = self._hold_moving(messages, folder, step)
        moved: list[Message] = []
        for number, message in enumerate(messages):
            if number % _REPORT_EVERY == 0:
                self._progress(number, len(messages), "keeping a copy")
            path = where.get(message.id)
            if path is None:
                self.left_out[message.id] = GONE
                continue
            try:
                copy = "" if folder is None else keep(path, str(folder), message.id)
                if file_is_still(message, copy or path):
                    self.kept[message.id] = copy
                    continue
            except FileNotFoundError:
                moved.append(message)
                continue
            self.left_out[message.id] = CHANGED
            if copy:
                os.unlink(copy)
        return moved

    def _hold_moving(self, messages: list[Message], folder: Path | None, step: Step) -> dict[QueueId, str]:
        """Hold what is being delivered, so that it does not leave while it is dealt with; return where all are."""
        ids = [message.id for message in messages]
        where = locate(self._queue, ids)
        pinned = folder is not None and os.stat(folder).st_dev == os.stat(self._queue).st_dev
        moving = [
            message
            for message in messages
            if (path := where.get(message.id))
            and not in_queue(self._queue, path, "hold")
            and (not pinned or in_queue(self._queue, path, "incoming", "active"))
        ]
        still, _ = unchanged(moving, where)
        if not still:
            return where
        step.ran(postsuper(self._postfix, "-h", [message.id for message in still]))
        return locate(self._queue, ids)
