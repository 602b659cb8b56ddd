"""The details of one login or client: a moment's view, read again on request."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from bmtop.checked import Refused
from bmtop.console import about
from bmtop.console.acting import Acting
from bmtop.console.deeds.runner import Runner
from bmtop.console.figures import clock
from bmtop.console.panes.keybar import KeyBar
from bmtop.console.ports import Monitor, Responder
from bmtop.console.says import Says
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line, content
from bmtop.incident.detail import Detail
from bmtop.incident.message import Message
from bmtop.incident.selection import select
from bmtop.server import CommandFailed

SUBJECTS = 20


class Details(Acting):
    AUTO_FOCUS = "#details"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "subjects", "Subjects", tooltip="read the newest subjects in its queue"),
        Binding("r", "read", "Read again", tooltip="look again at log, queue and journal"),
        Binding("escape", "back", "Back", tooltip="back to the panes"),
    ]

    def __init__(
        self, target: Target, monitor: Monitor, responder: Responder, runner: Runner, clock: Callable[[], float]
    ) -> None:
        super().__init__(runner)
        self._target = target
        self._monitor = monitor
        self._responder = responder
        self._clock = clock
        self._messages: Sequence[Message] = ()
        self._subjects: list[Line] = []

    @property
    def target(self) -> Target:
        return self._target

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="details") as frame:
            frame.border_title = content(self, self._target.name)
            yield Says(Cell("Reading…", "dim"), id="told")
        yield KeyBar()

    def on_mount(self) -> None:
        self.action_read()

    @work(exclusive=True, group="details")
    async def action_read(self) -> None:
        now = self._clock()
        told = about.activity(self._target, self._monitor.picture(now), now)
        told += about.detail(self._detail(), now)
        queue, accounts = tuple(self._monitor.messages.values()), self._monitor.accounts
        try:
            self._messages = await asyncio.to_thread(lambda: select(queue, self._target.filter, accounts))
            told += await asyncio.to_thread(about.queued, self._messages, now)
        except Refused as error:
            told += [(Cell("In the queue", "strong"),), (Cell(f"  {error}", "warn"),)]
        entries = self._responder.journal(1000)
        told += [(), *about.done(entries, self._target, now)]
        if self._messages:
            told += [(), *(self._subjects or [(Cell("Subjects", "strong"), Cell("  s reads them", "dim"))])]
        self.query_one("#told", Says).say(*told)
        self.query_one("#details").border_subtitle = content(self, f"as of {clock(now, now)} · r reads again")

    def _detail(self) -> Detail:
        if self._target.login is not None:
            return self._monitor.login_detail(self._target.login)
        return self._monitor.client_detail(self._target.name)

    @work(exclusive=True, group="subjects")
    async def action_subjects(self) -> None:
        newest = [m.id for m in self._messages[-SUBJECTS:]]
        if not newest:
            self.notify("It has no message in the queue.", markup=False)
            return
        try:
            found = await asyncio.to_thread(self._responder.subjects, newest)
        except (Refused, CommandFailed) as error:
            self._subjects = [(Cell("Subjects", "strong"),), (Cell(f"  {error}", "warn"),)]
        else:
            self._subjects = about.subjects([found[i] for i in newest if i in found], len(self._messages))
        await self.action_read().wait()
        self.query_one("#details").scroll_end(animate=False)

    def action_back(self) -> None:
        self.dismiss(None)
