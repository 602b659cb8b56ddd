"""The console in a small terminal: whatever is told above the panes, there is room to act, and to see on what."""

import re

import pytest

from bmtop.incident.picture import Blocked
from tests.console.desk import NOW, STOLEN, Desk, Hands, User, console, gauge, message, queue
from tests.console.ward import alarm

SMALL = [(60, 15), (80, 24)]


def troubled() -> Desk:
    """An incident on a server on which much cannot be read, and whose mail is refused."""
    desk = Desk(message(1))
    desk.problems = tuple(
        f"The file {name} cannot be read (permission denied), so what stands in it is not known; run `sudo bmtop`, or"
        " name another one in the settings."
        for name in ("/var/log/mail.log", "/var/spool/postfix/active", "/var/lib/bmtop/journal.jsonl")
    )
    desk.blocked = tuple(
        Blocked(f"mail{n}.example", "provider", NOW - 90, NOW - 5, 1312, 40, "mx.mail.example", "421 4.7.0 too much")
        for n in range(4)
    )
    return desk


async def watched(user: User, hands: Hands) -> None:
    """Let the watch over the stolen account be alarmed."""
    await user.press("c")
    await user.sees(f"─ Contain {STOLEN}")
    await user.press("home")
    while "▸ Watch" not in user.screen():
        await user.press("down")
    await user.press("enter")
    await user.when(lambda: hands.watcher.on, "it is watched")
    hands.watcher.says = alarm("password", "connections")
    await user.sees("ALARM")
    await user.press("escape")
    await user.sees("ALARM.*Still sending")


@pytest.mark.parametrize("size", SMALL)
async def test_alarm_and_problems_leave_room_for_a_pane_the_tabs_and_the_keys(size: tuple[int, int]) -> None:
    desk = troubled()
    hands = Hands(desk)
    async with console(desk, hands, size=size) as user:
        await watched(user, hands)
        await user.look_again()
        screen = await user.sees("PROBLEM")
        assert re.search(r"20 queued +█*", screen), "the gauge"
        assert "[Senders 2]" in screen
        assert re.search(rf"▸ {STOLEN}", screen)
        assert re.search(r"  bob@example\.com", screen), "more than one row"
        assert "? Help" in screen
        assert re.search(r"! .*password", screen), "what does the missing step"
        assert re.search(r"PROBLEM +1 of 3: The file", screen)
        assert "b: more" in screen
        assert "…" in user.line("PROBLEM") + screen.partition("PROBLEM")[2].splitlines()[1], "it says that it is cut"


@pytest.mark.parametrize("size", [*SMALL, (140, 45)])
async def test_the_problem_of_a_step_is_put_away_by_a_key_until_there_is_another(size: tuple[int, int]) -> None:
    desk = Desk(message(1))
    hands = Hands(desk)
    async with console(desk, hands, size=size) as user:
        await user.press("H")
        await user.sees("that it newly queues is put on hold")
        await user.press("y")
        await user.when(lambda: bool(hands.keeps) and hands.keeps[0].on, "it holds")
        hands.keeps[0].problem = "The queue cannot be looked through."
        await user.sees(rf"PROBLEM {STOLEN}: The queue cannot be(.|\n)*escape puts it\s+away")
        # In the filter's line, escape is for that.
        await user.press("slash", "escape")
        await user.look_again()
        assert "PROBLEM" in user.screen()
        await user.press("escape")
        await user.sees("PROBLEM", gone=True)
        await user.look_again()
        assert "PROBLEM" not in user.screen()
        hands.keeps[0].problem = "The disk is full."
        await user.sees(f"PROBLEM {STOLEN}: The disk is full")
        assert "escape" in user.screen()
        desk.problems = ("The log cannot be read.",)
        await user.sees("PROBLEM The log cannot be read|PROBLEM 1 of 2")
        await user.press("escape")
        screen = await user.sees("PROBLEM The log cannot be read")
        assert "The disk is full" not in screen


async def test_in_60_columns_every_tab_is_seen_once_it_is_chosen() -> None:
    desk = Desk()
    desk.lines = [f"line {n}" for n in range(2000)]
    async with console(desk, size=(60, 15)) as user:
        for name in ("Relay clients", "Failed logins", "Log", "Journal", "Senders"):
            await user.press("tab")
            await user.sees(rf"\[{name} [\d,]+\]")
            await user.look_again()
        await user.press("shift+tab")
        await user.sees(r"\[Journal 0\]")
        tabs = user.line("[Journal 0]")
        await user.pilot.click("#tabs", offset=(tabs.index("Log") - 1, 0))
        await user.sees(r"\[Log 2,000\]")


async def test_no_notification_lies_over_the_rows_of_a_small_terminal() -> None:
    desk = Desk()
    desk.queue = gauge(500, "critical")
    async with console(desk, size=(80, 24)) as user:
        await user.sees("CRITICAL  2.5 times the threshold")
        await user.look_again()
        assert not user.app._notifications


@pytest.mark.parametrize("size", SMALL)
async def test_subjects_are_seen_in_the_list_of_a_small_terminal(size: tuple[int, int]) -> None:
    async with console(queue(3), size=size) as user:
        await user.press("d")
        await user.sees("3 of 3 messages chosen")
        await user.press("s")
        await user.sees(rf"{message(1).id}.*Subject of {message(1).id}")


async def test_messages_are_seen_where_their_number_is_asked_for_in_a_small_terminal() -> None:
    async with console(queue(150), size=(60, 15)) as user:
        await user.press("d")
        screen = await user.sees("150 of 150 messages chosen")
        assert len(re.findall(r"\[x\] A[0-9A-F]{6}", screen)) >= 2
        for needed in ("type the number", "Cancel", "Purge 150", "esc Cancel"):
            assert needed in screen
