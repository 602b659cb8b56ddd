"""From a key to a result: ask, act in a thread, show what came of it, and look at the queue again."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from textual.app import App

from bmtop.checked import Login, QueueId, Refused
from bmtop.console import results
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.dialogs.messages import Errand, Messages
from bmtop.console.dialogs.notice import Notice
from bmtop.console.dialogs.password import PasswordDialog
from bmtop.console.dialogs.progress import ProgressDialog, Steps
from bmtop.console.dialogs.result import MessagesResult, PasswordResult
from bmtop.console.dialogs.undo import UndoDialog
from bmtop.console.figures import clock, plural, size
from bmtop.console.ports import Monitor, Responder
from bmtop.console.save import save
from bmtop.console.secret import Secret
from bmtop.console.target import Target
from bmtop.console.text import Cell, Line
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter, select
from bmtop.response.copies import NoRoom
from bmtop.response.journal import Entry
from bmtop.response.plan import MessageAction, Outcome, Plan, Progress, UndoCopy
from bmtop.server import CommandFailed

T = TypeVar("T")

READ_ONLY = "bmtop runs read-only: nothing is changed and no file is written; start it without --read-only."
PATIENCE = 1.0
"""Seconds that an action may take before a progress bar is shown."""

_HEADINGS: dict[MessageAction, str] = {"purge": "Purge", "hold": "Hold", "release": "Release"}


class Deeds:
    """One deed at a time; `busy` tells whether one is under way."""

    def __init__(
        self, app: App[Any], monitor: Monitor, responder: Responder, *, folder: Path, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._monitor = monitor
        self._responder = responder
        self._folder = folder
        self._clock = clock
        self.busy = False

    def start(self, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin `deed`, unless another one is under way."""
        if not self.busy:
            self.busy = True
            self._app.run_worker(self._guarded(deed), group="deeds")

    async def _guarded(self, deed: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await deed()
        except (Refused, CommandFailed) as error:
            await self._tell("Not done", [Cell(str(error))], alarm=True)
        except Exception as error:
            await self._tell("Broken off", [Cell(_fault(error))], alarm=True)
        finally:
            self.busy = False

    async def logout(self, target: Target) -> None:
        """End the sessions of the target's login."""
        login = Login(target.the_login(self._monitor.accounts))
        self._refuse_when_read_only()
        wanted = await self._app.push_screen_wait(
            Confirm(
                f"Log out {login}",
                [
                    "Ends the account's sessions (web, phones). Its password stays, and so does an open SMTP connection:",
                    "set a new password as well.",
                ],
                "Log out",
            )
        )
        if wanted:
            done = await self._act(f"Logging out {login}", lambda progress: self._responder.logout(login))
            await self._tell(f"Log out {login}", results.account(done), alarm=not done.ok)

    async def password(self, target: Target) -> None:
        """Set a new password for the target's login. It is in no sentence, no repr, and wiped in the end."""
        login = Login(target.the_login(self._monitor.accounts))
        self._refuse_when_read_only()
        choice = await self._app.push_screen_wait(PasswordDialog(login))
        if choice is None:
            return
        made = choice == "make"
        secret = Secret(await asyncio.to_thread(self._responder.make_password)) if choice == "make" else choice
        try:
            await self._set_password(login, secret, made)
        finally:
            secret.wipe()

    async def _set_password(self, login: Login, secret: Secret, made: bool) -> None:
        heading = f"New password for {login}"
        done = await self._act(heading, lambda progress: self._responder.set_password(login, secret.reveal()))
        if done.ok and made:
            await self._app.push_screen_wait(PasswordResult(heading, results.account(done), secret))
        else:
            await self._tell(heading, results.account(done), alarm=not done.ok)

    async def messages(self, action: MessageAction, target: Target) -> None:
        """Hold, release or purge what the target has in the queue as it is now."""
        wanted, now = target.filter, self._clock()
        queue = tuple(self._monitor.messages.values())
        found = await asyncio.to_thread(select, queue, wanted, self._monitor.accounts)
        if not found:
            raise Refused(f"{target.name} has no message in the queue as it was last listed.")
        await self._messages(action, target.name, wanted, found, now)

    async def _messages(
        self, action: MessageAction, name: str, wanted: Filter, found: Sequence[Message], now: float
    ) -> None:
        errand = Errand(
            action,
            name,
            wanted,
            found,
            now,
            self._monitor.accounts,
            self._responder.subjects,
            partial(self.save, "messages", "txt"),
            self._responder.read_only,
        )
        plan = await self._app.push_screen_wait(Messages(errand))
        if plan is None:
            return
        heading = f"{_HEADINGS[plan.action]}: {name}"
        try:
            outcome = await self._carry_out(heading, plan)
        finally:
            await self._monitor.refresh()
        if outcome is None:
            return
        later = await asyncio.to_thread(self._later, plan, {m.id for m in found})
        if await self._app.push_screen_wait(MessagesResult(heading, results.outcome(outcome), len(later), plan.action)):
            await self._messages(plan.action, name, plan.filter, later, self._clock())

    async def _carry_out(self, heading: str, plan: Plan) -> Outcome | None:
        """Run the plan; where a purge has no room for its undo copy, ask whether to go on without one."""
        responder = self._responder
        act = {"purge": responder.purge, "hold": responder.hold, "release": responder.release}[plan.action]
        try:
            return await self._act(heading, partial(act, plan), stoppable=True)
        except NoRoom as error:
            lines: list[str | Cell | Line] = [
                Cell(str(error), "alarm"),
                "Without a copy, this purge cannot be undone. Hold needs no room.",
            ]
            if not await self._app.push_screen_wait(Confirm(heading, lines, "Purge without undo")):
                return None
        return await self._act(heading, partial(responder.purge, plan, without_undo=True), stoppable=True)

    def _later(self, plan: Plan, seen: set[QueueId]) -> tuple[Message, ...]:
        """Return what the plan's filter means by now and was not in the list that was looked at."""
        queue = tuple(self._monitor.messages.values())
        return tuple(m for m in select(queue, plan.filter, self._monitor.accounts) if m.id not in seen)

    async def undo(self) -> None:
        """Bring back the messages of a purge that is chosen from those that can be taken back."""
        self._refuse_when_read_only()
        copies = await asyncio.to_thread(self._responder.undos)
        if not copies:
            raise Refused("There is no purge to take back: copies are kept for 24 hours.")
        copy = await self._app.push_screen_wait(UndoDialog(copies, self._clock()))
        if copy is None:
            return
        lines = [
            f"{plural(copy.messages, 'message')}, {size(copy.bytes)}, purged at {clock(copy.made, self._clock())}.",
            "They come back on hold: none is sent before it is released.",
        ]
        if await self._app.push_screen_wait(Confirm("Undo a purge", lines, f"Bring back {copy.messages:,}")):
            await self._bring_back(copy)

    async def _bring_back(self, copy: UndoCopy) -> None:
        try:
            restored = await self._act("Undo a purge", partial(self._responder.undo, copy.undo))
        finally:
            await self._monitor.refresh()
        await self._tell("Undo a purge", results.restored(restored), alarm=bool(restored.failed))

    async def unfinished(self) -> None:
        """Say what a former run of bmtop began and did not end."""
        entries = self._responder.unfinished()
        if entries:
            await self._tell("Not finished", unfinished(entries, self._clock()), alarm=True)

    def save(self, what: str, suffix: str, text: str) -> Path:
        """Write a file that the user asked for; raises `Refused` where that may not be. Blocks."""
        self._refuse_when_read_only()
        return save(self._folder, what, suffix, text, self._clock())

    def _refuse_when_read_only(self) -> None:
        if self._responder.read_only:
            raise Refused(READ_ONLY)

    async def _act(self, heading: str, work: Callable[[Progress], T], *, stoppable: bool = False) -> T:
        """Run `work` in a thread to its end, with a progress bar once it takes longer than a moment."""
        steps = Steps()
        running = asyncio.ensure_future(asyncio.to_thread(work, steps.report))
        await asyncio.wait({running}, timeout=PATIENCE)
        if not running.done():
            dialog = ProgressDialog(heading, steps, stoppable)
            await self._app.push_screen(dialog)
            await asyncio.wait({running})
            dialog.dismiss()
        return running.result()

    async def _tell(self, heading: str, lines: Sequence[str | Cell | Line], *, alarm: bool = False) -> None:
        await self._app.push_screen_wait(Notice(heading, lines, alarm=alarm))


def _fault(error: Exception) -> str:
    """Return where bmtop itself failed. The error's own text is left out: it may hold a password."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"bmtop itself failed ({type(error).__name__}{place}); the journal says how far it came. Please report it."


def unfinished(entries: Sequence[Entry], now: float) -> list[Line]:
    """Return what is to be said of actions that began and did not end."""
    told: list[Line] = [(Cell("An earlier run of bmtop was ended in the middle of:"),)]
    for entry in entries:
        what = f"{entry.action} {entry.target}".strip()
        told.append((Cell(f"{clock(entry.time, now)}  {entry.who}  ", "dim"), Cell(what, "strong")))
        if entry.sentence:
            told.append((Cell(f"          {entry.sentence}"),))
    told.append((Cell("See what is in the queue now; do it again (d, h), or take it back (u).", "warn"),))
    return told
