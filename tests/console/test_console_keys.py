"""Keys that come faster than the screen: each acts on what those before it have left, whatever Textual still tells."""

import asyncio
import random
import re

import pytest
from textual import events

from bmtop.console.panes.pane import Pane
from tests.console.desk import HONEST, STOLEN, Desk, Hands, User, console, failed_login, message, relay, sender

TRUSTED, GUESSER = "192.0.2.66", "203.0.113.60"
PANES = ("Senders", "Relay clients", "Failed logins", "Log", "Journal")
_CHARACTERS = {"slash": "/"}


def desk_of_all() -> Desk:
    """Another target in each pane, each with a message in the queue."""
    desk = Desk(message(1), message(2, HONEST), message(3, None, TRUSTED), message(4, None, GUESSER))
    desk.relays = [relay(TRUSTED)]
    desk.failed = [failed_login(GUESSER)]
    desk.lines = ["Nov 24 12:00:00 mail postfix/qmgr[7]: A1B2C3D4E5: removed"]
    return desk


async def at_once(user: User, *keys: str) -> None:
    """Press these keys in one piece, as they come over a slow line or to a busy machine."""
    for key in keys:
        user.app.post_message(events.Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None)))
    await user.pilot.pause()


def tab(user: User) -> str:
    """Return the pane that the line of tabs shows as the current one."""
    found = re.search(r"\[([A-Z][a-z ]+) \d+\]", user.screen())
    return found[1] if found else ""


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
@pytest.mark.parametrize(
    ("keys", "target"),
    [
        (("d",), STOLEN),
        (("down", "d"), HONEST),
        (("tab", "d"), TRUSTED),
        (("tab", "tab", "d"), GUESSER),
        (("tab", "tab", "shift+tab", "d"), TRUSTED),
        (("tab",) * 7 + ("d",), GUESSER),
        (("shift+tab",) * 3 + ("d",), GUESSER),
        (("tab", "tab", "tab", "d"), GUESSER),
        (("tab", "shift+tab", "down", "shift+tab", "d"), HONEST),
        (("down", "shift+tab", "d", "tab"), HONEST),
    ],
)
async def test_a_key_acts_on_the_pane_that_the_tabs_before_it_led_to(
    size: tuple[int, int], keys: tuple[str, ...], target: str
) -> None:
    async with console(desk_of_all(), size=size) as user:
        await at_once(user, *keys)
        await user.sees(rf"Purge: {re.escape(target)}\b")


async def test_many_tabs_at_once_lead_where_they_lead_one_by_one_and_it_stays_there() -> None:
    chance = random.Random(5)
    async with console(desk_of_all(), size=(80, 24)) as user:
        at = 0
        for _ in range(12):
            steps = [chance.choice((1, -1)) for _ in range(chance.randrange(1, 10))]
            at = (at + sum(steps)) % len(PANES)
            await at_once(user, *("tab" if step == 1 else "shift+tab" for step in steps))
            await user.when(lambda: tab(user) == PANES[at], f"{steps} lead to {PANES[at]}")  # noqa: B023
            for _ in range(10):
                await asyncio.sleep(0.01)
                assert tab(user) == PANES[at], "nothing comes after"


async def test_what_textual_tells_late_changes_no_pane_and_takes_no_focus() -> None:
    async with console(desk_of_all(), size=(80, 24)) as user:
        first, second, *_ = user.app.screen.query(Pane)
        await user.press("tab")
        user.app.screen.post_message(events.DescendantFocus(first))
        second.post_message(events.Hide())
        first.post_message(events.Focus())
        await user.pilot.pause()
        await user.look_again()
        assert tab(user) == "Relay clients"
        assert user.app.focused is second
        await user.press("d")
        await user.sees(f"Purge: {TRUSTED}")


async def test_a_click_makes_a_pane_the_current_one() -> None:
    async with console(desk_of_all()) as user:
        await user.pilot.click("#failed", offset=(5, 2))
        await user.press("d")
        await user.sees(f"Purge: {GUESSER}")


async def test_a_focus_that_is_set_makes_a_pane_the_current_one() -> None:
    async with console(desk_of_all()) as user:
        user.app.screen.query_one("#relays").focus()
        await user.pilot.pause()
        await user.press("d")
        await user.sees(f"Purge: {TRUSTED}")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("slash", *"bob"), r"1 of 2 logins name bob"),
        (("tab", "shift+tab", "slash", *"bob", "enter"), r"1 of 2 logins name bob"),
        (("tab", "tab", "slash", *"carol"), r"No row names carol"),
    ],
)
async def test_a_filter_takes_what_is_typed_right_after_its_key(keys: tuple[str, ...], said: str) -> None:
    hands = Hands(desk := desk_of_all())
    async with console(desk, hands, size=(80, 24)) as user:
        await at_once(user, *keys)
        screen = await user.sees(said)
        await asyncio.sleep(0.1)
        assert user.app.screen is user.app._overview, "no letter of it was a key: " + screen


async def test_the_filter_line_is_closed_when_its_pane_is_left() -> None:
    async with console(desk_of_all(), size=(80, 24)) as user:
        await user.press("slash", *"bob")
        await user.sees("1 of 2 logins name bob")
        await user.press("tab")
        await user.sees(r"\[Relay clients 1\]")
        assert not user.app.screen.query_one("#needle").display
        await user.press("d")
        await user.sees(f"Purge: {TRUSTED}")
        await user.press("escape", "shift+tab")
        await user.sees("1 of 2 logins name bob")


async def test_enter_shows_the_row_it_was_pressed_on_or_none() -> None:
    desk = desk_of_all()
    desk.senders = [sender(STOLEN), sender(HONEST)]
    async with console(desk) as user:
        await at_once(user, "enter", "tab")
        for _ in range(10):
            await asyncio.sleep(0.01)
            assert f"─ {TRUSTED}" not in user.screen(), "enter was for a sender"
