"""The details: how it came about, and where its mail went."""

import re

from bmtop.console import about
from bmtop.console.panes import senders
from bmtop.incident.detail import Detail, Moment
from tests.console.desk import BOT, NOW, STOLEN, Desk, console
from tests.unit.incident.scribe import HOME, OFFICE, Scribe


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


def told(log: Scribe, login: str) -> str:
    """Return the details of a login, as they stand on the screen."""
    found = log.incident.login_detail(login)
    lines = [*about.sender(log.row(login), log.now), *about.detail(found, log.now)]
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def test_of_what_was_sent_before_the_window_no_time_is_made_up() -> None:
    log = Scribe()
    log.queue(STOLEN, HOME, STOLEN)
    log.queue(None, BOT, "news@shop.example")
    client = log.relay(BOT)
    for lines in (about.sender(log.row(STOLEN), log.now), about.relay(client, log.now)):
        screen = "\n".join("".join(cell.text for cell in line) for line in lines)
        assert re.search(r"messages +none in this window; what it has in the queue came before", screen)
        assert "1970" not in screen
        assert " 0 to 0 " not in screen
    log.refuse(BOT)
    assert any("none, 1 refused" in cell.text for line in about.relay(log.relay(BOT), log.now) for cell in line)


def test_a_list_says_how_many_more_there_are_in_truth() -> None:
    log = Scribe()
    for number in range(182):
        log.send(STOLEN, OFFICE, f"winner{number}@lottery.example", (f"victim@site{number}.example",))
    screen = told(log, STOLEN)
    assert "182 envelope senders" in screen
    assert screen.count("and 174 more") == 2, screen


def test_what_is_too_much_to_be_counted_is_told_as_at_least_so_many() -> None:
    log = Scribe(window=86400.0)
    for number in range(2_400):
        client = f"2001:db8:0:{number:x}::1"
        log.send(STOLEN, client, f"winner{number}@lottery.example", ("victim@remote.example",))
    screen = told(log, STOLEN)
    row = log.row(STOLEN)
    assert "at least 2,000 envelope senders" in screen
    assert screen.count("and at least 1,992 more") == 2, screen
    assert any("at least 2,000 different ones" in words for words in row.reasons)
    assert any("at least 2,000 client addresses" in words for words in row.reasons)
    assert next(c.cell(row, log.now).text for c in senders.COLUMNS if c.title == "clients") == "2,000+"
