"""A made-up server in memory, to look at and to act on, and the console on it as a user sees it."""

import asyncio
import io
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.pilot import Pilot

from bmtop.bluemind.bmcli import OnlyInArgv
from bmtop.checked import Login, QueueId
from bmtop.console.app import BmtopApp
from bmtop.incident.accounts import Accounts
from bmtop.incident.detail import Detail
from bmtop.incident.message import Envelope, Message
from bmtop.incident.picture import Attacked, Blocked, FailedLogin, Picture, QueueGauge, Relay, Sender, State
from bmtop.incident.selection import Filter
from bmtop.response.journal import Entry
from bmtop.response.plan import Done, Outcome, Plan, Progress, Restored, UndoCopy
from tests.console.ward import Ward

NOW = 1_795_000_000.0
STOLEN, HONEST = "alice@example.com", "bob@example.com"
BOT, OFFICE = "203.0.113.57", "192.0.2.131"


def queue_id(number: int) -> QueueId:
    return QueueId(f"{0xA000000 + number:X}")


def message(
    number: int, login: str | None = STOLEN, client: str = BOT, sender: str = "claim@lottery.example", **more: Any
) -> Message:
    """One queued message, `number` seconds old."""
    fields: dict[str, Any] = {
        "id": queue_id(number),
        "queue": "deferred",
        "arrival": int(NOW) - number,
        "size": 1_000,
        "sender": sender,
        "recipients": (f"victim{number}@remote.example",),
        "envelope": Envelope(login, client),
    }
    return Message(**{**fields, **more})


def sender(login: str, messages: int = 10, **more: Any) -> Sender:
    fields: dict[str, Any] = {
        "logins": (login,), "recipients": 2 * messages, "rate": 1.0, "clients": ((BOT, messages),),
        "envelope_senders": 1, "forged": 0, "queued": messages, "sent": 0, "deferred": messages, "bounced": 0,
        "failed_logins": 0, "first_seen": NOW - 600, "last_seen": NOW - 30, "reasons": (), "suspicion": 0,
    }  # fmt: skip
    return Sender(login=login, messages=messages, **{**fields, **more})


def relay(client: str, **more: Any) -> Relay:
    fields: dict[str, Any] = {
        "name": "unknown", "kind": "open", "network": None, "messages": 5, "recipients": 5, "queued": 1,
        "refused": 0, "last_seen": NOW - 30,
    }  # fmt: skip
    return Relay(client=client, **{**fields, **more})


def failed_login(client: str, **more: Any) -> FailedLogin:
    fields: dict[str, Any] = {
        "name": "unknown", "logins": ((STOLEN, 12),), "failures": 12, "succeeded": (), "last_seen": NOW - 30,
    }  # fmt: skip
    return FailedLogin(client=client, **{**fields, **more})


def gauge(total: int = 20, state: State = "ok", **more: Any) -> QueueGauge:
    fields: dict[str, Any] = {
        "incoming": 0, "active": 0, "hold": 0, "corrupt": 0, "maildrop": 0, "bytes": total * 1000,
        "oldest": int(NOW) - 840, "growth_per_minute": 3.0, "threshold": 200, "why": "",
        "history": ((NOW - 600, 1), (NOW - 300, total // 2), (NOW, total)),
    }  # fmt: skip
    return QueueGauge(deferred=total, state=state, **{**fields, **more})


class Desk:
    """The reading side. What it shows is changed by assigning to its attributes."""

    def __init__(self, *messages: Message) -> None:
        self.accounts = Accounts("example.com")
        self.window = 900.0
        self.as_of = NOW
        self.messages: dict[QueueId, Message] = {m.id: m for m in messages}
        self.lines: list[str] = []
        stolen = sender(STOLEN, 12, reasons=("12 failed logins before",), suspected=True)
        self.senders: list[Sender] = [stolen, sender(HONEST, 3)]
        self.relays: list[Relay] = [relay(BOT)]
        self.failed: list[FailedLogin] = [failed_login(BOT, succeeded=(STOLEN,), broke_in=True)]
        self.queue: QueueGauge | None = gauge()
        self.problems: tuple[str, ...] = ()
        self.attacked: tuple[Attacked, ...] = ()
        self.blocked: tuple[Blocked, ...] = ()
        self.complete = True
        self.log_time: float | None = NOW - 2
        self.listed: float | None = NOW - 3
        self.comes_in: list[Message] = []
        self.not_listed = ""
        self.notifications: list[Message] = []
        self.details: dict[str, Detail] = {}

    def bounces(self, wanted: Filter, chosen: Collection[Message]) -> tuple[Message, ...]:
        return tuple(self.notifications)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def picture(self, now: float | None = None) -> Picture:
        return Picture(
            now or NOW, self.window, self.complete, self.queue, tuple(self.senders), tuple(self.relays),
            tuple(self.failed), self.log_time, self.listed, self.problems, self.attacked, self.blocked,
        )  # fmt: skip

    def login_detail(self, login: str) -> Detail:
        return self.details.get(login, Detail(login, (), 0, 0, 0, 0, 0, 0, None, None))

    def client_detail(self, client: str) -> Detail:
        return self.login_detail(client)

    def log_lines(self, after: int) -> tuple[int, list[str]]:
        return len(self.lines), self.lines[after:][-2000:]

    async def refresh(self) -> str:
        if not self.not_listed:
            self.messages |= {m.id: m for m in self.comes_in}
            self.comes_in = []
        return self.not_listed


def queue(spam: int, honest: int = 3) -> Desk:
    """A queue with `spam` messages of the stolen login, and others'."""
    return Desk(*(message(n) for n in range(spam)), *(message(10_000_000 + n, HONEST, OFFICE) for n in range(honest)))


class Hands(Ward):
    """The acting side. It does to the desk's queue what it is told; `refuses` is raised instead, once."""

    def __init__(self, desk: Desk, *, read_only: bool = False) -> None:
        super().__init__()
        self.desk = desk
        self.read_only = read_only
        self.plans: list[Plan] = []
        self.without_undo: list[bool] = []
        self.logouts: list[str] = []
        self.passwords: dict[str, str] = {}
        self.refuses: Exception | None = None
        self.left_out: dict[QueueId, str] = {}
        self.entries: list[Entry] = []
        self.cut_off: list[Entry] = []
        self.settled: list[tuple[str, str]] = []
        self.argv_only = False
        self.copies: list[UndoCopy] = []
        self.undone: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.said: Done | None = None

    def _gate(self) -> None:
        if self.refuses is not None:
            error, self.refuses = self.refuses, None
            raise error

    def _wait(self, progress: Progress, total: int) -> None:
        until = time.monotonic() + 30
        while not self.go.wait(0.02):
            progress(total // 2, total, "deleting")
            assert time.monotonic() < until

    def _act(self, plan: Plan, progress: Progress) -> Outcome:
        self._gate()
        self._wait(progress, len(plan.messages))
        self.plans.append(plan)
        done = tuple(id for id in plan.ids if id not in self.left_out)
        for id in done:
            if plan.action == "purge":
                self.desk.messages.pop(id)
            else:
                queue = "hold" if plan.action == "hold" else "deferred"
                self.desk.messages[id] = replace(self.desk.messages[id], queue=queue)
        undo = "20261124-120000-abcd" if plan.action == "purge" else None
        return Outcome(plan, done, self.left_out, undo=undo, command=("postsuper", "-d", "-"))

    def purge(self, plan: Plan, progress: Progress, *, without_undo: bool = False) -> Outcome:
        self.without_undo.append(without_undo)
        return self._act(plan, progress)

    def hold(self, plan: Plan, progress: Progress) -> Outcome:
        return self._act(plan, progress)

    def release(self, plan: Plan, progress: Progress) -> Outcome:
        return self._act(plan, progress)

    def undo(self, name: str, progress: Progress) -> Restored:
        self.undone.append(name)
        return Restored(name, (queue_id(1), queue_id(2)), {queue_id(1): queue_id(9)})

    def undos(self) -> Sequence[UndoCopy]:
        return tuple(self.copies)

    def subjects(self, ids: Sequence[QueueId]) -> Mapping[QueueId, str]:
        self._gate()
        return {id: f"Subject of {id}" for id in ids}

    def with_subject(self, messages: Sequence[Message], wanted: Filter) -> tuple[Message, ...]:
        self._gate()
        return tuple(m for m in messages if wanted.subject is None or wanted.subject in f"Subject of {m.id}")

    def logout(self, login: Login) -> Done:
        self._gate()
        self.logouts.append(login)
        command = ("bm-cli", "user", "logout", "--email", login)
        return self.said or Done("logout", login, True, f"The sessions of {login} ended.", command, 0)

    def set_password(self, login: Login, password: str, *, allow_argv: bool = False) -> Done:
        self._gate()
        if self.argv_only and not allow_argv:
            raise OnlyInArgv("Every user of the server would see the password.")
        self.passwords[login] = password
        return self.said or Done("passwd", login, True, f"{login} has a new password.", (), None)

    def make_password(self) -> str:
        return "mAde-Up-pass-w0rd"

    def journal(self, last: int) -> Sequence[Entry]:
        return tuple(self.entries[-last:])

    def unfinished(self) -> Sequence[Entry]:
        return tuple(self.cut_off)

    def finish(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        self.settled.append(("finish", cut_off.number))
        return Outcome(Plan("purge", Filter(login=STOLEN), (message(1),)), (message(1).id,))

    def take_back(self, cut_off: Entry, progress: Progress) -> Outcome | Restored:
        self.settled.append(("take back", cut_off.number))
        return Restored("u-1", (message(1).id,))

    def leave(self, cut_off: Entry) -> None:
        self.settled.append(("leave", cut_off.number))


class User:
    """Presses keys, and reads the screen."""

    def __init__(self, app: BmtopApp, pilot: "Pilot[None]") -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*text)

    def screen(self) -> str:
        """Return the screen as text."""
        width, height = self.app.size
        console = Console(width=width, height=height, file=io.StringIO(), color_system=None, legacy_windows=False)
        with console.capture() as captured:
            update = self.app.screen._compositor.render_update(full=True, screen_stack=self.app._background_screens)
            console.print(update)
        return re.sub(r"\x1b\[[0-9;]*H", "\n", captured.get())

    async def sees(self, pattern: str, *, gone: bool = False) -> str:
        """Wait until the screen has the regular expression, or no longer has it; return the screen."""
        until = time.monotonic() + 30
        while (re.search(pattern, self.screen()) is None) != gone:
            assert time.monotonic() < until, f"{'still' if gone else 'never'} {pattern!r} on:\n{self.screen()}"
            await self.pilot.pause(0.02)
        return self.screen()

    async def when(self, holds: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < until, f"{what}; the screen:\n{self.screen()}"
            await self.pilot.pause(0.02)

    async def look_again(self) -> None:
        """Let the panes be filled anew, now rather than within the second."""
        self.app._overview.look()
        await self.pilot.pause()

    def line(self, text: str) -> str:
        """Return the line of the screen that has `text`."""
        return next(line for line in self.screen().splitlines() if text in line)


@asynccontextmanager
async def console(
    desk: Desk, hands: Hands | None = None, *, size: tuple[int, int] = (140, 45), **options: Any
) -> AsyncIterator[User]:
    """Run the console on `desk` in a terminal of this size."""
    options = {"title": "mail.example.com", "clock": lambda: NOW, "folder": Path("/nonexistent"), **options}
    app = BmtopApp(desk, hands or Hands(desk), **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        user = User(app, pilot)
        await user.sees("Senders")
        yield user
