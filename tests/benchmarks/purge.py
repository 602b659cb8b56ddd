"""Purging half of a long queue, and taking it back, beside Postfix's own programs on the same messages."""

import math
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmtop.commands import reader_and_responder
from bmtop.config import Settings
from bmtop.incident.selection import Filter, select
from bmtop.response.plan import Plan, no_progress
from tests.mailserver import Postfix
from tests.mailserver.postfix import IDS_PER_CALL, run

from .inputs import ALICE, Inputs
from .lines import write_day
from .table import Row, Wrong

# So many log lines has a message of the incident.
_LINES_A_MESSAGE = 6


@dataclass(frozen=True)
class Stored:
    """A message as it lies in the queue, and why it was deferred."""

    content: bytes
    reasons: bytes
    old_id: str


class Stock:
    """The messages that are deleted again and again; each time they are new files, as after they came in."""

    def __init__(self, postfix: Postfix, ids: Iterable[str]) -> None:
        self._postfix = postfix
        self._owner = (postfix.spool / "deferred").stat().st_uid
        self._next_try = time.time() + 4 * 3600
        files = postfix.files()
        self._stored = [Stored(files[id].read_bytes(), _reasons(postfix, id), id) for id in ids]
        self.ids = tuple(stored.old_id for stored in self._stored)

    def replace(self) -> None:
        """Delete what is left of them, and put them into the queue again."""
        self.delete()
        self.ids = tuple(self._put(number, stored) for number, stored in enumerate(self._stored))
        os.sync()

    def delete(self) -> None:
        run("postsuper", "-c", str(self._postfix.etc), "-d", "-", stdin="".join(f"{id}\n" for id in self.ids).encode())

    def _put(self, number: int, stored: Stored) -> str:
        draft = self._postfix.spool / "deferred" / "draft"
        draft.touch(0o600)
        # A short queue id is a part of a second, and the number of the file's inode.
        id = f"{number % 0x100000:05X}{draft.stat().st_ino:X}"
        draft.write_bytes(stored.content.replace(f"log_ident={stored.old_id}".encode(), f"log_ident={id}".encode(), 1))
        self._place(draft, "deferred", id, 0o700)
        if stored.reasons:
            draft.write_bytes(stored.reasons)
            self._place(draft, "defer", id, 0o600)
        return id

    def _place(self, draft: Path, queue: str, id: str, mode: int) -> None:
        folder = self._postfix.spool / queue / id[0]
        if not folder.exists():
            folder.mkdir(0o700)
            os.chown(folder, self._owner, -1)
        os.chown(draft, self._owner, -1)
        draft.chmod(mode)
        # When it is to be tried again: not while this goes on.
        os.utime(draft, (self._next_try, self._next_try))
        draft.rename(folder / id)


def _reasons(postfix: Postfix, id: str) -> bytes:
    path = postfix.spool / "defer" / id[0] / id
    return path.read_bytes() if path.exists() else b""


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def measure(given: Inputs, *, repeat: int) -> list[Row]:
    """Return the rows about purge and undo. Raises `Wrong` where not exactly alice's messages were deleted."""
    postfix, state = given.postfix, given.folder / "purge-state"
    log = given.folder / "purge.log"
    write_day(log, given.lines, given.queued * _LINES_A_MESSAGE, time.time())
    monitor, responder = reader_and_responder(Settings(postfix=postfix.etc, log=log, state=state))
    wanted = Filter(login=ALICE)
    stock = Stock(postfix, (m.id for m in select(monitor.read_queue().values(), wanted, monitor.accounts)))
    bare: list[float] = []
    purges: list[float] = []
    undos: list[float] = []
    for _ in range(repeat):
        stock.replace()
        bare.append(_timed(lambda: stock.delete()))
        stock.replace()
        plan = Plan("purge", wanted, select(monitor.read_queue().values(), wanted, monitor.accounts))
        if set(plan.ids) != set(stock.ids):
            raise Wrong(f"{len(plan.ids):,} messages were chosen, and {len(stock.ids):,} are alice's")
        purges.append(_timed(lambda plan=plan: responder.purge(plan, no_progress)))  # type: ignore[misc]
        if set(stock.ids) & set(postfix.files()):
            raise Wrong("not all of alice's messages were deleted")
        (copy,) = responder.undos()
        undos.append(_timed(lambda name=copy.undo: responder.undo(name, no_progress)))  # type: ignore[misc]
        if not set(stock.ids) <= set(postfix.files()):
            raise Wrong("not all of alice's messages came back")
    ids, all_ids = len(stock.ids), tuple(postfix.files())
    command = given.bmtop(log, "purge", "--login", ALICE, "--dry-run")
    cold = [_timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(repeat)]
    peers = [_timed(lambda: _list_and_read(postfix, all_ids)) for _ in range(repeat)]
    manual = [_timed(lambda: _by_the_manual(postfix, ALICE)) for _ in range(repeat)]
    named = _by_the_manual(postfix, ALICE)
    right = len(named & set(stock.ids))
    pipeline = (
        f"the manual's pipeline but for postsuper, which finds {right:,} of them and {len(named) - right:,} others"
    )
    queue = f"{ids:,} of {given.queued:,} messages"
    return [
        Row(f"purge from a warm state, {queue}", "s", 1.25, purges, "postsuper -d - alone", bare),
        Row(f"cold dry run, {queue}", "s", 2.0, cold, "postqueue -j and postcat -eq of all", peers),
        Row(f"cold dry run, {queue}", "s", math.inf, cold, pipeline, manual),
        Row(f"undo of {ids:,} messages", "s", 0.5, undos, "postsuper -d - of them", bare),
    ]


def _list_and_read(postfix: Postfix, ids: Sequence[str]) -> None:
    run("postqueue", "-c", str(postfix.etc), "-j")
    for first in range(0, len(ids), IDS_PER_CALL):
        run("postcat", "-c", str(postfix.etc), "-eq", *ids[first : first + IDS_PER_CALL])


def _by_the_manual(postfix: Postfix, login: str) -> set[str]:
    """Return the queue ids that the pipeline of BlueMind's manual hands to postsuper for this login."""
    pipeline = r"""postqueue -c "$1" -p | tail -n +2 | awk "$2" | tr -d '\*!'"""
    program = f'BEGIN {{ RS = "" }} /{re.escape(login)}/ {{ print $1 }}'
    done = subprocess.run(
        ["sh", "-c", pipeline, "sh", str(postfix.etc), program], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())
