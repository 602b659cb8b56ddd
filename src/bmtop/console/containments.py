"""What goes on after a key was pressed: runbooks that watch and hold, kept by target, and ticked off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

from textual.app import App

from bmtop import fault
from bmtop.checked import Refused
from bmtop.console.steps import Steps
from bmtop.console.target import Target
from bmtop.console.text import Cell
from bmtop.incident.accounts import Accounts
from bmtop.server import CommandFailed

if TYPE_CHECKING:
    from bmtop.response.keep import KeepHolding
    from bmtop.response.plan import Done
    from bmtop.response.runbook import Runbook, Step

_PAUSE = 0.4


class Containment:
    """One login or client that is being contained, held, or both. `progress` is that of the step that runs."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.keep: KeepHolding | None = None
        self.runbook: Runbook | None = None
        self.progress = Steps()
        self.failure = ""
        self._heard: tuple[str, ...] = ()
        self._busy = Lock()

    @property
    def name(self) -> str:
        return self.target.name

    def take(self, runbook: Runbook) -> None:
        """Go by this runbook from now on."""
        self.keep, self.runbook = runbook.keep, runbook

    @property
    def held(self) -> int | None:
        """How many messages keep holding has held, None while it is off."""
        return len(self.keep.held) if self.keep is not None and self.keep.on else None

    @property
    def state(self) -> Cell | None:
        """How it is, in one word."""
        runbook = self.runbook
        verdict = runbook.verdict if runbook else None
        if verdict is not None and verdict.state != "watching":
            return Cell("ALARM", "alarm") if verdict.state == "alarm" else Cell("CONTAINED", "good")
        if runbook is not None and any(step.state not in ("todo", "skipped") for step in runbook.steps):
            return Cell("CONTAINING", "warn")
        return Cell("HOLDING", "warn") if self.held is not None else None

    @property
    def alarms(self) -> tuple[str, ...]:
        """What the watch is alarmed about, in sentences."""
        verdict = self.runbook.verdict if self.runbook else None
        return verdict.sentences if verdict is not None and verdict.state == "alarm" else ()

    @property
    def missing(self) -> Step | None:
        """The step that the alarm asks for first; None where there is none, or it is no step of this runbook."""
        if self.runbook is None or not self.alarms:
            return None
        verdict = self.runbook.verdict
        steps = {step.name: step for step in self.runbook.steps}
        return next((steps[name] for name in verdict.missing if name in steps), None) if verdict else None

    @property
    def is_contained(self) -> bool:
        """Whether it has seen ten quiet minutes after all was done."""
        verdict = self.runbook.verdict if self.runbook else None
        return verdict is not None and verdict.state == "contained"

    @property
    def is_open(self) -> bool:
        """Whether ending bmtop now would end something: holding, or a watch that has not seen ten quiet minutes."""
        verdict = self.runbook.verdict if self.runbook else None
        return self.held is not None or (verdict is not None and verdict.state != "contained")

    @property
    def problem(self) -> str:
        """What keeps it from doing its work, in a sentence; else empty."""
        keep = self.keep.problem if self.keep is not None and self.keep.on and self.runbook is None else ""
        runbook = self.runbook.problem if self.runbook is not None else ""
        return " ".join(filter(None, (self.failure, keep, runbook)))

    def heard(self) -> bool:
        """Tell whether there is an alarm that was not heard yet."""
        verdict = self.runbook.verdict if self.runbook else None
        missing = verdict.missing if verdict is not None and self.alarms else ()
        news = bool(set(missing) - set(self._heard))
        self._heard = missing
        return news

    def tick(self) -> None:
        """Hold what is new, and look at the watch; blocks for a moment."""
        with self._busy:
            if self.runbook is not None:
                self.runbook.tick()
            elif self.keep is not None and self.keep.on:
                self.keep.tick()

    def end_holding(self) -> Done | None:
        """Stop holding, and return how many messages that were; blocks."""
        with self._busy:
            return self.keep.end() if self.keep is not None and self.keep.on else None


class Containments:
    """All of them, each ticked by a worker of its own: one that is slow keeps no other from holding."""

    def __init__(self, app: App[Any], accounts: Accounts) -> None:
        self._app = app
        self._accounts = accounts
        self._all: dict[str, Containment] = {}

    def __iter__(self) -> Iterator[Containment]:
        return iter(self._all.values())

    @property
    def open(self) -> list[Containment]:
        """Those that end with bmtop, though they are not over."""
        return [containment for containment in self if containment.is_open]

    def of(self, target: Target) -> Containment:
        """Return the one of this target, a new one where there is none."""
        key = self._key(target)
        if key not in self._all:
            self._all[key] = containment = Containment(target)
            self._app.run_worker(self._ticking(containment), group="containments", exit_on_error=False)
        return self._all[key]

    def known(self, target: Target) -> Containment | None:
        """Return the one of this target, if there is one."""
        return self._all.get(self._key(target))

    def holding(self, target: Target) -> Containment | None:
        """Return the one that holds all that the target newly queues, if there is one."""
        all_of_it = self._all.get(_client(target.client))
        return next((c for c in (self.known(target), all_of_it) if c is not None and c.held is not None), None)

    def _key(self, target: Target) -> str:
        if target.login is not None:
            return f"login {self._accounts.account(target.login)}"
        # One client may stand in two panes, and mean other mail in each.
        return _client(target.client) + (", without a login" if target.without_login else "")

    async def _ticking(self, containment: Containment) -> None:
        while True:
            try:
                await asyncio.to_thread(containment.tick)
                containment.failure = ""
            except (Refused, CommandFailed) as error:
                containment.failure = str(error)
            except Exception as error:
                containment.failure = fault.sentence(error)
            await asyncio.sleep(_PAUSE)

    def mark(self, target: Target) -> Cell | None:
        """Return the state of a target, in one word."""
        states = (c.state for c in (self.known(target), self.holding(target)) if c is not None)
        return next(filter(None, states), None)

    @property
    def alarmed(self) -> Containment | None:
        """The first one with an alarm."""
        return next((c for c in self._all.values() if c.alarms), None)

    def words(self) -> tuple[str, ...]:
        """Return what stands in the title: how each state is that there is, and how much was held."""
        states = [c.state.text for c in self._all.values() if c.state is not None]
        held = [c.held for c in self._all.values() if c.held is not None]
        words = [word for word in ("ALARM", "CONTAINING", "CONTAINED") if word in states]
        return (*words, f"HOLDING {sum(held):,} held") if held else tuple(words)

    def close(self) -> list[str]:
        """Stop all holding, and return what there is to say of each; blocks, also when no event loop runs any more."""
        said = []
        for containment in self._all.values():
            done = containment.end_holding()
            if done is not None:
                said += [f"Keep holding has ended: {done.sentence}", *done.notes]
        self._all.clear()
        return said


def _client(address: str | None) -> str:
    return f"client {address}"


Mark = Callable[[Target], Cell | None]
"""The state of a target, in one word."""


def unmarked(target: Target) -> Cell | None:
    """Return no state."""
    return None
