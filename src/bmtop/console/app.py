"""The console's table of contents: what it is made of, and the keys that work everywhere."""

import asyncio
import pkgutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.actions import ActionParseResult
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerFailed, WorkerState

from bmtop import console, fault
from bmtop.checked import Refused
from bmtop.console import deeds, dialogs
from bmtop.console.acting import Acting
from bmtop.console.after_start import finish_start
from bmtop.console.deeds.runner import READ_ONLY, UNDER_WAY, Runner
from bmtop.console.overview import HIGH, WIDE, Overview
from bmtop.console.ports import Monitor, Responder
from bmtop.console.says import Says
from bmtop.console.table import Table
from bmtop.console.terminal import Terminal
from bmtop.console.text import MASKED, MASKED_AS_WELL, mask_of, shown
from bmtop.console.theme import BMTOP
from bmtop.incident.picture import Picture
from bmtop.mask import Mask
from bmtop.server import CommandFailed
from bmtop.visible import visible

Export = Callable[[Picture, Mask | None], str]

BROKEN = 4
"""The exit status where bmtop itself failed."""


class BmtopApp(App[None]):
    """`title` names the server; `export` writes the report and returns its file's name; `folder` takes pictures.

    `mask` hides local parts while the app has the class `MASKED`, in what is written as well. `failure` is what broke
    the console, if anything did.
    """

    # Read as a resource, which need not be a file of its own.
    CSS = (pkgutil.get_data("bmtop.console", "bmtop.tcss") or b"").decode()
    TITLE = "bmtop"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", tooltip="this list"),
        Binding("q", "quit", "Quit", tooltip="end bmtop; nothing on the server changes"),
        Binding("m", "mask", "Mask", tooltip="hide the local parts of all addresses, for a shared screen"),
        Binding("e", "export", "Export", tooltip="write the report to a file"),
        Binding("S", "picture", "Picture", tooltip="save the screen as a picture (SVG)"),
    ]

    def __init__(
        self,
        monitor: Monitor,
        responder: Responder,
        *,
        title: str,
        mask: bool = False,
        export: Export | None = None,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(driver_class=Terminal)
        self.failure: BaseException | None = None
        self.mask = Mask()
        self._monitor = monitor
        self._responder = responder
        self._server = title
        self._export = export
        self._clock = clock
        self._reading: Worker[None] | None = None
        self._runner = Runner(self, monitor, responder, folder=folder or Path.cwd(), clock=clock)
        # Where not all panes are seen at once, it is one at a time; below 20 lines, with the least around it.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-tiny"), (20, "-short"), (HIGH, "-high")]
        self.set_class(mask, MASKED)
        self.register_theme(BMTOP)
        self.theme = BMTOP.name

    def get_default_screen(self) -> Screen[None]:
        self._overview = Overview(self._server, self._monitor, self._responder, self._runner, self._clock)
        return self._overview

    def on_mount(self) -> None:
        # An action that is under way still comes to its end, and into the journal.
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, partial(self.exit, return_code=128 + number))
        # Nothing is read, and no more is loaded, before there is a screen.
        self.call_after_refresh(self._go_on)
        self._runner.start(self._ask_about_unfinished())

    def _go_on(self) -> None:
        self._reading = self.run_worker(self._monitor.run(), name="reading", exit_on_error=False)
        self.run_worker(finish_start(lambda: self._monitor.picture().complete), name="finishing")

    async def _ask_about_unfinished(self) -> None:
        """Ask for each action that an earlier run began and did not end, oldest first, what is to become of it."""
        try:
            entries = self._responder.unfinished()
        except Refused:
            # That it may not be known is said among the problems.
            return
        for entry in entries:
            await deeds.unfinished.settle(self._runner, entry)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker is self._reading and event.state is WorkerState.ERROR:
            error = event.worker.error
            self._overview.broken = f"Nothing is read any more ({type(error).__name__}: {error}); restart bmtop."

    def _handle_exception(self, error: Exception) -> None:
        """End, without what Textual would print: the values of all variables, passwords and hostile text included."""
        if self.failure is None:
            self.failure = error.error if isinstance(error, WorkerFailed) else error
            # What a test of Textual's looks at.
            self._exception = error
            self._exception_event.set()
        self._return_code = BROKEN
        self._close_messages_no_wait()

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run what a key is for; that a part of bmtop is missing, which it needs, does not end the console."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except ImportError as error:
            self._runner.say_fault(error)
            return True

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """Over the panes, do at once what a key is for, so that it acts on what the keys before it have left.

        Textual would send it through what has the focus first, while the next keys follow; what is typed into
        a field goes there.
        """
        if await super()._check_bindings(key, priority):
            return True
        at_once = priority and self.screen is self._overview and not isinstance(self.focused, Input)
        return at_once and await super()._check_bindings(key)

    def action_mask(self) -> None:
        self.toggle_class(MASKED)
        for screen in self.screen_stack:
            for says in screen.query(Says):
                says.again()
            for table in screen.query(Table):
                table.repaint()
        self._overview.look()

    def action_help(self) -> None:
        groups: dict[str, type[App[None]] | type[Screen[Any]]] = {
            "Actions": Acting,
            "Panes": Overview,
            "Everywhere": type(self),
            "In a runbook": console.runbook.RunbookScreen,
            "In a list of messages": dialogs.messages.Messages,
        }
        self.push_screen(
            dialogs.help.Help(
                (heading, [(self.get_key_display(binding), binding) for binding in _own_bindings(place)])
                for heading, place in groups.items()
            )
        )

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Fill the palette with the keys that work on `screen`."""
        for found in screen.active_bindings.values():
            binding = found.binding
            if found.enabled and binding.description and binding.tooltip:
                run = partial(self.run_action, binding.action, found.node)
                yield SystemCommand(binding.description, binding.tooltip, run)

    async def action_quit(self) -> None:
        """End, unless an action is under way: its result would be seen by nobody."""
        if self._runner.busy:
            self.notify(UNDER_WAY, severity="warning", markup=False)
        else:
            self._runner.start(self._leave())

    async def _leave(self) -> None:
        if not self._runner.containments.open or await deeds.leaving.may_leave(self._runner):
            self.exit()

    def close(self) -> list[str]:
        """End what was held for as long as the console ran, and return what is to be said of it. Blocks."""
        return self._runner.containments.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "export" or self._export is not None

    @work(exclusive=True, group="files")
    async def action_export(self) -> None:
        if self._export is not None:
            export, picture, mask = self._export, self._overview.picture, mask_of(self)
            await self._write("report", lambda: export(picture, mask))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        return console.picture.in_columns(super().export_screenshot(title=title, simplify=simplify))

    @work(exclusive=True, group="files")
    async def action_picture(self) -> None:
        svg = self.export_screenshot(title=shown(f"bmtop {self._server}", self))
        await self._write("picture", lambda: str(self._runner.save("screen", "svg", svg)))

    async def _write(self, what: str, write: Callable[[], str]) -> None:
        try:
            if self._responder.read_only:
                raise Refused(READ_ONLY)
            as_shown = MASKED_AS_WELL if mask_of(self) else ""
            path = await asyncio.to_thread(write)
        except (Refused, CommandFailed) as error:
            self.notify(shown(str(error), self), severity="error", markup=False)
        else:
            self.notify(shown(f"The {what} is saved{as_shown}: {path}", self), markup=False)


def _own_bindings(place: type[App[None]] | type[Screen[Any]]) -> list[Binding]:
    """Return the bindings that `place` itself declares, with a description."""
    return [b for b in place.BINDINGS if isinstance(b, Binding) and b.description]


def run_console(
    monitor: Monitor,
    responder: Responder,
    *,
    title: str,
    mask: bool = False,
    export: Export | None = None,
    folder: Path | None = None,
) -> int:
    """Run the console until it is left, and return its exit status."""
    # A thread that works on the queue's listing lets a key go first after a thousandth of a second, not after five.
    sys.setswitchinterval(0.001)
    app = BmtopApp(monitor, responder, title=title, mask=mask, export=export, folder=folder)
    try:
        app.run()
    finally:
        for sentence in app.close():
            print(visible(sentence))
    if app.failure is not None:
        print(fault.report(app.failure), file=sys.stderr)
    return app.return_code or 0
