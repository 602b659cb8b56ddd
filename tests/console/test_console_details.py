"""The details: how it came about, and where its mail went."""

import re

from bmtop.incident.detail import Detail, Moment
from tests.console.desk import BOT, NOW, STOLEN, Desk, console


async def test_the_time_line_tells_how_it_came_about() -> None:
    desk = Desk()
    desk.details[STOLEN] = Detail(
        STOLEN,
        (
            Moment(NOW - 900, "first failed login", ""),
            Moment(NOW - 800, "got in after failed logins", BOT),
            Moment(NOW - 700, "first message from a foreign address", BOT),
            Moment(NOW - 300, "busiest minute", "412 messages"),
        ),
        812, 12_700, 12, 700, 100, 31, 640, 1_000_000,
        senders=(("claim@lottery.example", 800), (STOLEN, 12)),
        domains=(("freemail.example", 9_000), ("bank.example", 30)),
        tried_from=((BOT, 12),),
    )  # fmt: skip
    async with console(desk) as user:
        await user.press("enter")
        screen = await user.sees("Time line")
        whats = ("first failed login", "got in after failed logins", "first message from a foreign", "busiest minute")
        places = [screen.index(what) for what in whats]
        assert places == sorted(places)
        assert re.search(r"busiest minute +412 messages", screen)
        assert re.search(r"to domains +freemail\.example +9,000", screen)
        assert re.search(r"senders +claim@lottery\.example +800", screen)
        assert re.search(r"unknown users +31 recipients that do not exist", screen)
        await user.press("escape")
        await user.sees("Relay clients")
