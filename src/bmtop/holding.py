"""What `bmtop hold --follow` does: holds what is queued and what comes in, until it is told to stop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from bmtop import response
from bmtop.commands import DONE, IN_PART, NOTHING, REFUSED, act_on_messages, postfix_of
from bmtop.config import Settings
from bmtop.incident.selection import Filter
from bmtop.visible import visible

if TYPE_CHECKING:
    from bmtop.response.keep import KeepHolding

_TICK = 0.2


def hold_on(settings: Settings, wanted: Filter, *, yes: bool) -> int:
    """Hold all that `wanted` means, a login or clients, until Ctrl-C or SIGTERM; without `yes`, ask first.

    The exit status is that of holding what is queued; that nothing is queued is no failure here.
    """
    keep = response.responder.Responder(settings, postfix_of(settings)).keep_holding(wanted)
    if not yes and not _agreed(keep.target):
        print("Nothing was done. Add --yes to act without being asked.", file=sys.stderr)
        return REFUSED
    # First what is new, then what is there: nothing comes in between.
    keep.begin()
    _tell(keep.notes)
    stop = Event()
    try:
        with _following(keep, stop):
            status = act_on_messages(
                settings, "hold", wanted, dry_run=False, yes=True, as_json=False, newly_held=keep.held
            )
            # A lost terminal ends it as well: nobody would see any more that it goes on.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda number, frame: stop.set())
            print(f"Holding what {visible(keep.target)} newly queues; Ctrl-C ends it.", flush=True)
            stop.wait()
    finally:
        done = keep.end()
        print(visible(done.sentence), flush=True)
        _tell(done.notes)
    return max(DONE if status == NOTHING else status, IN_PART if keep.missed else DONE)


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        print(visible(note), file=sys.stderr)


@contextmanager
def _following(keep: KeepHolding, stop: Event) -> Iterator[None]:
    """Hold what comes in beside the block, which may have to wait; raises what ends that."""
    with ThreadPoolExecutor(1) as beside:
        following = beside.submit(_follow, keep, stop)
        try:
            yield
        finally:
            stop.set()
        following.result()


def _follow(keep: KeepHolding, stop: Event) -> None:
    told = ""
    try:
        while not stop.wait(_TICK):
            count = keep.tick()
            if count:
                print(f"{time.strftime('%H:%M:%S')}  {count:,} held, {len(keep.held):,} so far", flush=True)
            if keep.problem != told:
                told = keep.problem
                print(told or "It goes on.", file=sys.stderr)
    finally:
        stop.set()


def _agreed(target: str) -> bool:
    """Ask on the terminal; no terminal is no consent."""
    if not sys.stdin.isatty():
        return False
    question = f"Hold all of {visible(target)}, what is queued and what comes in, until Ctrl-C? Type 'yes': "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"
