"""What every deed needs: one at a time, off the event loop, and never without a last word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App
from textual.screen import Screen

from bmtop import fault
from bmtop.checked import Refused
from bmtop.console import dialogs
from bmtop.console.containments import Containments
from bmtop.console.ports import Monitor, Responder
from bmtop.console.save import save
from bmtop.console.steps import Steps
from bmtop.console.text import Cell, Line, mask_of, shown
from bmtop.server import CommandFailed

if TYPE_CHECKING:
    from bmtop.response.plan import Progress

T = TypeVar("T")

UNDER_WAY = "An action is under way; wait for its result, or close its dialog."
READ_ONLY = "bmtop runs read-only: nothing is changed and no file is written; start it without --read-only."
PATIENCE = 1.0
"""Seconds that an action may take before a progress bar is shown."""
LONG = 60.0
"""Seconds that what must be read stays."""


class Runner:
    """Runs one deed at a time; `busy` tells whether one is under way."""

    def __init__(
        self, app: App[Any], monitor: Monitor, responder: Responder, *, folder: Path, clock: Callable[[], float]
    ) -> None:
        self.monitor = monitor
        self.responder = responder
        self.clock = clock
        self.busy = False
        self.containments = Containments(app, monitor.accounts)
        self._app = app
        self._folder = folder

    def start(self, deed: Coroutine[Any, Any, None]) -> None:
        """Begin `deed`, unless another one is under way, and then say so."""
        if self.busy:
            deed.close()
            self._app.notify(UNDER_WAY, severity="warning", markup=False)
        else:
            self.busy = True
            self._app.run_worker(self._guarded(deed), group="deeds")

    async def _guarded(self, deed: Coroutine[Any, Any, None]) -> None:
        try:
            await deed
        except (Refused, CommandFailed) as error:
            await self.tell("Not done", [Cell(str(error))], alarm=True)
        except ImportError as error:
            self.say_fault(error)
        except Exception as error:
            await self.tell("Broken off", [Cell(fault.sentence(error))], alarm=True)
        finally:
            self.busy = False

    async def ask(self, dialog: Screen[T]) -> T | None:
        """Show `dialog`, and return what it ends with."""
        return await self._app.push_screen_wait(dialog)

    def say(self, sentence: str) -> None:
        """Show a sentence for a moment."""
        self._app.notify(shown(sentence, self._app), markup=False)

    def say_fault(self, error: ImportError) -> None:
        """Say which part of bmtop is missing; a dialog may be missing as well."""
        self._app.notify(fault.sentence(error), severity="error", timeout=LONG, markup=False)

    async def show(self, screen: Screen[Any]) -> None:
        """Go to `screen`, which ends when the user leaves it."""
        await self._app.push_screen(screen)

    async def tell(self, heading: str, lines: Sequence[str | Cell | Line], *, alarm: bool = False) -> None:
        """Show these lines until they are closed."""
        await self.ask(dialogs.notice.Notice(heading, lines, alarm=alarm))

    async def act(self, heading: str, work: Callable[[Progress], T], *, stoppable: bool = False) -> T:
        """Run `work` in a thread to its end, with a progress bar once it takes longer than a moment."""
        steps = Steps()
        running = asyncio.ensure_future(asyncio.to_thread(work, steps.report))
        await asyncio.wait({running}, timeout=PATIENCE)
        if not running.done():
            dialog = dialogs.progress.ProgressDialog(heading, steps, stoppable)
            ended = self._app.push_screen(dialog, wait_for_dismiss=True)
            await asyncio.wait({running})
            dialog.over = True
            await ended
        return running.result()

    async def change_queue(self, heading: str, work: Callable[[Progress], T]) -> T:
        """Run `work`, which changes the queue and can be stopped, and list the queue again, however it ended."""
        try:
            return await self.act(heading, work, stoppable=True)
        finally:
            await self.monitor.refresh()

    async def list_queue(self) -> None:
        """List the queue now, and say so where that takes longer than a moment."""
        listing = asyncio.ensure_future(self.monitor.refresh())
        await asyncio.wait({listing}, timeout=PATIENCE)
        if not listing.done():
            self.say("The queue is being listed…")
        await listing

    def list_again(self) -> None:
        """Have the queue listed again, and do not wait for it."""
        self._app.run_worker(self.monitor.refresh(), group="listing")

    def refuse_when_read_only(self) -> None:
        """Raise `Refused` before anything is asked that could not be done."""
        if self.responder.read_only:
            raise Refused(READ_ONLY)

    def save(self, what: str, suffix: str, text: str) -> Path:
        """Write a file that the user asked for, masked while the screen is; raises `Refused` where that may not be.

        Blocks.
        """
        self.refuse_when_read_only()
        mask = mask_of(self._app)
        if mask is not None:
            text = mask.text(text)
        return save(self._folder, what, suffix, text, self.clock())
