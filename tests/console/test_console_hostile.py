"""What an attacker writes is text on the screen, in every place where it is shown, and never more than text."""

import re
from dataclasses import replace

import pytest

from bmtop.incident.message import Envelope
from bmtop.incident.picture import Attacked, Blocked
from bmtop.response.journal import Entry
from tests.console.desk import BOT, NOW, Desk, Hands, console, failed_login, message, relay, sender

HOSTILE = {
    "[red]x": "[red]x",
    "[@click=app.quit]press[/]": "[@click=app.quit]press[/]",
    "x[/red]y": "x[/red]y",
    "mx[fd00::1]:25": "mx[fd00::1]:25",
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "user\u202emoc.elpmaxe": r"user\u202emoc.elpmaxe",
    "two\nlines\ttab": r"two\x0alines\x09tab",
    "\udcff\udc80raw": r"\xff\x80raw",
    "$primary [b]": "$primary [b]",
    "\\[b]": "\\[b]",
}


def server(text: str) -> tuple[Desk, Hands]:
    """A server on which everything that somebody outside can choose is `text`."""
    desk = Desk(replace(message(1), sender=text, recipients=(text,), reason=text, envelope=Envelope(text, BOT, text)))
    desk.senders = [sender(text, reasons=(text,))]
    desk.relays = [relay(BOT, name=text, kind="trusted", network=text)]
    desk.failed = [failed_login(BOT, name=text, logins=((text, 3),), succeeded=(text,), broke_in=True)]
    desk.lines = [f"Nov 24 12:00:00 mail postfix/smtpd[7]: {text}"]
    desk.problems = (f"It said: {text}",)
    desk.attacked = (Attacked(text, ((BOT, 3), (text, 1)), 4, ((text, NOW),), NOW, NOW),)
    desk.blocked = (Blocked(text, "provider", NOW, NOW, 3, 1, text, f"It said: {text}"),)
    hands = Hands(desk)
    hands.entries = [Entry("1", NOW, text, text, text, "done", text)]
    hands.cut_off = [Entry("2", NOW, text, "purge", text, "begun", text)]
    return desk, hands


@pytest.mark.parametrize("text", HOSTILE)
async def test_it_is_shown_as_it_is_in_every_pane(text: str) -> None:
    told = HOSTILE[text]
    desk, hands = server(text)
    async with console(desk, hands, title=text) as user:
        screen = await user.sees("An earlier run")
        assert told in screen
        await user.press("escape")
        await user.sees("An earlier run", gone=True)
        screen = user.screen()
        assert f"PROBLEM It said: {told}" in screen
        assert re.search(rf"smtpd\[7\]: {re.escape(told)}", screen)
        assert f"YES {told}" in screen
        assert screen.count(told[:6]) >= 9
        assert not set(screen) & set("\x1b\x07\u202e\t\udcff"), "nothing that a terminal would act on"
        assert user.app.is_running


@pytest.mark.parametrize("text", HOSTILE)
async def test_it_is_shown_as_it_is_in_details_and_dialogs(text: str) -> None:
    told = HOSTILE[text]
    desk, hands = server(text)
    hands.cut_off = []
    async with console(desk, hands) as user:
        await user.press("enter")
        screen = await user.sees("In the queue")
        assert re.search(rf"why +{re.escape(told)}", screen)
        assert told in screen.splitlines()[0], "in the border as well"
        await user.press("escape", "d")
        screen = await user.sees("1 of 1 message chosen")
        assert told[:8] in user.line(str(message(1).id))
        await user.press("down", "enter")
        screen = await user.sees("waits for")
        assert screen.count(told) >= 4
        await user.press("escape", "escape")
        await user.press("tab", "tab", "tab", "enter")
        screen = await user.sees("Log line")
        assert f"smtpd[7]: {told}" in screen
        await user.press("escape", "tab", "enter")
        await user.sees(rf"result +{re.escape(told)}")
        await user.press("escape", "b")
        await user.sees(rf"(?s)by {re.escape(told)} .*It said: {re.escape(told)}")
        assert user.app.is_running


@pytest.mark.parametrize("text", HOSTILE)
async def test_it_is_shown_as_it_is_in_sentences(text: str) -> None:
    desk, hands = server(text)
    hands.cut_off = []
    async with console(desk, hands) as user:
        await user.press("l")
        await user.sees("is not a full address")
        await user.press("escape", "slash")
        await user.type("zzz")
        await user.press("enter")
        await user.sees("No login names zzz")
        assert user.app.is_running


async def test_an_address_in_brackets_is_not_cut_from_a_log_line() -> None:
    desk = Desk()
    desk.lines = ["Nov 24 12:00:00 mail postfix/smtp[7]: A1: to=<v@x.example>, relay=mx[fd00::1]:25, status=sent"]
    async with console(desk) as user:
        await user.sees(r"relay=mx\[fd00::1\]:25, status=sent")


async def test_wide_and_combining_characters_keep_the_columns_in_line() -> None:
    desk = Desk()
    desk.senders = [sender("日本語@example.com"), sender("e\u0301ve@example.com"), sender("plain@example.com")]
    async with console(desk) as user:
        from rich.cells import cell_len

        rows = [line for line in user.screen().splitlines() if "nothing unusual" in line]
        assert len(rows) == 3
        assert len({cell_len(row.split("nothing unusual")[0]) for row in rows}) == 1
