"""Keep holding: what it holds is what its dialog said, also where one client stands in two panes."""

import re

import pytest

from tests.console.desk import BOT, STOLEN, Desk, Hands, User, console, failed_login, message, queue_id, relay

WITHOUT, ALL = "Every message without a login that it", "Every message that it"
RELAYS, GOT_IN = ("tab",), ("tab", "tab")


def setting() -> tuple[Desk, Hands]:
    """A client that is a relay, and has got in with a login as well."""
    desk = Desk(message(1), message(2, login=None))
    desk.relays = [relay(BOT)]
    desk.failed = [failed_login(BOT, succeeded=(STOLEN,))]
    return desk, Hands(desk)


async def to(user: User, pane: tuple[str, ...]) -> None:
    """Put the cursor on the client in this pane."""
    while not user.app.screen.query_one("#senders").has_focus:
        await user.press("shift+tab")
    await user.press(*pane)


async def begin(user: User, meaning: str) -> None:
    await user.press("H")
    await user.sees(f"{meaning} newly queues is put on hold")
    await user.press("y")
    await user.sees("HOLDING 0 held")


async def end(user: User) -> None:
    await user.press("H")
    await user.sees("put on hold\\.")
    await user.press("escape")
    await user.sees("put on hold\\.", gone=True)


def on(hands: Hands) -> list[bool]:
    """Whether each holder that is on is for mail without a login alone."""
    return [keep.wanted.without_login for keep in hands.keeps if keep.on]


@pytest.mark.parametrize(
    ("first", "second"),
    [((RELAYS, WITHOUT), (GOT_IN, ALL)), ((GOT_IN, ALL), (RELAYS, WITHOUT))],
    ids=["narrow", "wide"],
)
async def test_what_is_held_is_what_the_dialog_said(
    first: tuple[tuple[str, ...], str], second: tuple[tuple[str, ...], str]
) -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        for pane, meaning in (first, second, first):
            await to(user, pane)
            await begin(user, meaning)
            assert on(hands) == [meaning == WITHOUT]
            await end(user)
            assert on(hands) == []


async def test_more_can_be_held_than_what_comes_without_a_login() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await to(user, RELAYS)
        await begin(user, WITHOUT)
        await to(user, GOT_IN)
        await begin(user, ALL)
        assert sorted(on(hands)) == [False, True]
        for keep in hands.keeps:
            keep.comes_in = [queue_id(7)]
        await user.sees("HOLDING 2 held")
        await end(user)
        assert on(hands) == [True]
        await to(user, RELAYS)
        await end(user)
        assert on(hands) == []


async def test_where_all_is_held_what_comes_without_a_login_is_and_h_ends_it_there_too() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await to(user, GOT_IN)
        await begin(user, ALL)
        # It has not got in any more, as far as the window goes.
        desk.failed = [failed_login(BOT)]
        await user.look_again()
        await user.sees(rf"{re.escape(BOT)} .*HOLDING")
        await end(user)
        assert on(hands) == []


async def test_the_runbook_of_a_client_holds_what_comes_without_a_login_whatever_else_is_held() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await to(user, GOT_IN)
        await begin(user, ALL)
        await to(user, RELAYS)
        await user.press("c")
        await user.sees(f"─ Contain {re.escape(BOT)}")
        await user.press("home", "enter")
        await user.sees("1 of 1 messages held")
        assert sorted(on(hands)) == [False, True]
        await user.press("escape")
        await to(user, RELAYS)
        await end(user)
        assert on(hands) == [False], "what was asked for by H goes on"
    assert [message.queue for message in desk.messages.values()] == ["deferred", "hold"]
