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


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_where_no_row_is_acted_on_the_title_says_on_whom_the_keys_act(size: tuple[int, int]) -> None:
    async with console(desk_of_all(), size=size) as user:
        assert "keys act on" not in user.screen(), "the row under the cursor says it"
        await user.press("shift+tab")
        await user.sees(f"─ Journal · keys act on {STOLEN} ─")
        await user.press("shift+tab")
        await user.sees(f"─ Log · keys act on {STOLEN} ─")
        await user.press("shift+tab")
        await user.sees("keys act on", gone=True)
        await user.press("tab")
        screen = await user.sees(f"─ Log · keys act on {GUESSER} ─")
        assert screen.count("keys act on") == 1
        await user.press("m")
        await user.press("d")
        await user.sees(f"Purge: {GUESSER}")


async def test_what_the_title_says_is_masked_as_well() -> None:
    async with console(desk_of_all()) as user:
        await user.press("shift+tab")
        await user.sees(f"Journal · keys act on {STOLEN}")
        await user.press("m")
        await user.sees(r"Journal · keys act on •••@example\.com")


async def test_a_pane_that_is_filtered_to_nothing_says_on_whom_the_keys_act() -> None:
    async with console(desk_of_all()) as user:
        await user.press("slash", *"zzz", "enter")
        await user.sees(f"─ Senders · keys act on {STOLEN} ─")
        await user.press("escape")
        await user.sees("keys act on", gone=True)


async def test_the_log_of_a_client_has_its_lines_and_not_those_of_its_logins_from_elsewhere() -> None:
    desk = desk_of_all()
    desk.failed = [failed_login(GUESSER, succeeded=(STOLEN,), broke_in=True)]
    desk.lines = [
        f"Nov 24 12:00:00 mail postfix/smtpd[7]: ABCDEF1: client=x[{GUESSER}], sasl_username={STOLEN}",
        f"Nov 24 12:00:01 mail postfix/smtpd[8]: ABCDEF2: client=x[2001:db8:bad::60], sasl_username={STOLEN}",
        "Nov 24 12:00:02 mail postfix/qmgr[9]: ABCDEF1: removed",
        "Nov 24 12:00:03 mail postfix/qmgr[9]: ABCDEF2: removed",
    ]
    async with console(desk) as user:
        await user.press("tab", "tab", "f")
        screen = await user.sees(f"Log · only {GUESSER}")
        assert "ABCDEF1: removed" in screen
        assert "ABCDEF2" not in screen, "it did not hand that in"
        await user.press("tab")
        await user.sees(f"Log · only {GUESSER} · keys act on {GUESSER}")
