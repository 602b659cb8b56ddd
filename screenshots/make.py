"""Make the pictures of this folder: the demo's incident, at one moment, in the real console on the toy mail server.

`python screenshots/make.py [FOLDER]` writes the SVG files there, the same ones each time: clock, time zone, names of
temporary folders and the user's name are set.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from bmtop.config import Settings
from bmtop.console.app import BmtopApp
from bmtop.console.dialogs.messages import Messages
from bmtop.console.dialogs.result import MessagesResult
from bmtop.console.overview import Overview
from bmtop.console.table import Table
from bmtop.console.text import shown
from bmtop.demo.folder import Toy, lay_out
from bmtop.demo.story import Player
from bmtop.incident.picture import Picture
from bmtop.monitor import Monitor
from bmtop.postfix.instance import Postfix
from bmtop.response.journal import Entry
from bmtop.response.responder import Responder
from bmtop.server import Server

NOW = 1_795_000_000.0
"""The moment of the pictures, in epoch seconds: the wave has been rolling for a while."""
SECONDS = 180.0
SIZE = (140, 45)
SMALL = (80, 24)
STOLEN = "sales@example.com"
OFFICE = "192.0.2.0/24"


class Clock:
    def __init__(self) -> None:
        self.now = NOW - SECONDS

    def __call__(self) -> float:
        return self.now


class StillMonitor(Monitor):
    """Its clock stands still, so that no picture of it is ever too old to be given again: each is a new one."""

    def picture(self, now: float | None = None) -> Picture:
        self._picture = None
        return super().picture(now)

    @property
    def settled(self) -> bool:
        """Whether log, count and listing of the queue are all of the same moment."""
        picture = self.picture()
        return picture.complete and picture.queue is not None and picture.queue.total == len(self.messages)

    def close_log(self) -> None:
        """Read no more of the log: what the toy's programs write there is of another day."""
        if self._follower is not None:
            self._follower.cancel()


def watch(monitor: Monitor, player: Player, clock: Clock) -> None:
    """Play the story up to `NOW`, and let the queue be counted every ten seconds of it."""
    while clock.now < NOW:
        clock.now += 10
        player.play_until(clock.now)
        monitor._count_once()


class StillResponder(Responder):
    """Its journal is of the moment of the picture, and everybody's name is root."""

    def journal(self, last: int) -> tuple[Entry, ...]:
        entries = super().journal(last)
        return tuple(replace(entry, time=NOW + number, who="root") for number, entry in enumerate(entries))


class Console(BmtopApp):
    def __init__(self, monitor: StillMonitor, responder: Responder, folder: Path) -> None:
        super().__init__(monitor, responder, title="mail.example.com", clock=lambda: NOW, folder=folder)
        self.monitor = monitor


async def until(pilot: "Pilot[None]", holds: Callable[[], bool]) -> None:
    """Wait until it holds; raises `TimeoutError` after a while."""
    end = time.monotonic() + 30
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the console did not come to the picture's moment")
        await pilot.pause(0.05)


def on_screen(app: Console, text: str) -> bool:
    return text.replace(" ", "&#160;") in App.export_screenshot(app)


async def take(app: Console, pilot: "Pilot[None]", name: str, folder: Path) -> None:
    """Write what is on the screen once it is settled, without a notification that lies over it."""
    await until(pilot, lambda: app.monitor.settled)
    before = svg = ""
    while not svg or svg != before:
        app.clear_notifications()
        # All that looks again by itself does so once a second, or more often.
        await pilot.pause(1.1)
        before, svg = svg, app.export_screenshot(title=shown("bmtop mail.example.com", app))
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


async def purge(app: Console, pilot: "Pilot[None]", folder: Path) -> None:
    """Purge the stolen login's spam, its owner's own office spared; take the dialog, and what comes after."""
    await pilot.press("home", "d")
    await until(pilot, lambda: isinstance(app.screen, Messages))
    before = on_screen(app, "Purge 1")
    await pilot.click("#not-client")
    await pilot.press(*OFFICE)
    await until(pilot, lambda: before and not on_screen(app, "Narrowing"))
    await pilot.press("enter")
    await take(app, pilot, "purge", folder)
    number = len(app.screen.query_one("#list", Table).items)
    app.screen.query_one("#count").focus()
    await pilot.press(*str(number), "enter", "enter")
    await until(pilot, lambda: isinstance(app.screen, MessagesResult))
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(app.screen, Overview))
    await until(pilot, lambda: on_screen(app, "newest 1 ") and on_screen(app, "Deleted "))
    await take(app, pilot, "after", folder)


async def shoot(monitor: StillMonitor, responder: Responder, folder: Path) -> None:
    """Take all pictures, in one console."""
    app = Console(monitor, responder, folder)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: monitor.settled and on_screen(app, STOLEN))
        monitor.close_log()
        await pilot.press("home")
        await take(app, pilot, "small", folder)
        await pilot.resize_terminal(*SIZE)
        await until(pilot, lambda: on_screen(app, "Relay clients"))
        await take(app, pilot, "overview", folder)
        await purge(app, pilot, folder)


def make(folder: Path) -> None:
    """Write the pictures into `folder`, which is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    place = Path(tempfile.mkdtemp(prefix="bmtop-pictures-"))
    try:
        clock = Clock()
        toy: Toy = lay_out(place / "toy", clock.now)
        player = Player(toy.folder, 1, clock.now, steady_ids=True)
        settings = Settings(
            log=toy.log, postfix=toy.config_directory, state=toy.state, path=(str(toy.bin),), bm_cli=str(toy.bm_cli)
        )
        postfix = Postfix(Server(settings.path), settings.postfix)
        monitor = StillMonitor(settings, postfix, clock)
        watch(monitor, player, clock)
        responder = StillResponder(settings, postfix)
        asyncio.run(shoot(monitor, responder, folder))
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
