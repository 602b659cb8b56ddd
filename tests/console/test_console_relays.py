"""Relay clients in the console: untrusted with a look before, given back, and known ones marked."""

import re
from dataclasses import replace

import pytest

from bmtop.console import about
from bmtop.console.panes import relays
from tests.console.desk import BOT, NOW, STOLEN, Desk, Hands, User, console, message, relay

CLIENT = "192.0.2.2"


def setting(**more: object) -> tuple[Desk, Hands]:
    desk = Desk(*(message(n, login=None, client=CLIENT) for n in range(3)), message(60))
    desk.relays = [relay(BOT), relay(CLIENT, kind="trusted", network="192.0.2.0/30", **more)]
    return desk, Hands(desk)


async def chosen(user: User) -> None:
    await user.press("tab", "down")
    await user.sees(rf"▸ {re.escape(CLIENT)}")


@pytest.mark.parametrize("size", [(140, 45), (80, 24)])
async def test_untrust_shows_mynetworks_before_and_after_and_what_is_left_to_do(size: tuple[int, int]) -> None:
    desk, hands = setting()
    async with console(desk, hands, size=size) as user:
        await chosen(user)
        await user.press("t")
        screen = await user.sees("mynetworks before")
        assert re.search(r"127\.0\.0\.0/8, 192\.0\.2\.0/30[^$]*127\.0\.0\.0/8, 192\.0\.2\.0/31", screen)
        assert "192.0.2.0/30 is split into 1 range around it." in screen
        await user.press("t", "enter")
        await user.sees("mynetworks before", gone=True)
        assert not hands.untrusted, "neither the same key again nor Enter did it"

        await user.press("t")
        await user.sees("mynetworks before")
        await user.press("y")
        screen = await user.sees(f"Postfix trusts {re.escape(CLIENT)} no more")
        assert "postconf -e" in screen
        await user.press("right", "enter")
        await user.sees("3 of 3 messages chosen")
        await user.press("y")
        await user.sees("Put on hold 3 of 3")
        await user.press("escape")
        await user.sees("End its connections")
        assert "Hold its" not in user.screen(), "that was done"
        await user.press("right", "enter")
        await user.sees(r"connections was done\.")
        assert "End its" not in user.screen()
        await user.press("escape")
        await user.sees("connections was done", gone=True)
    assert hands.untrusted == [CLIENT]
    assert {m.queue for m in desk.messages.values() if m.client == CLIENT} == {"hold"}
    assert {m.queue for m in desk.messages.values() if m.client == BOT} == {"deferred"}


async def test_an_untrust_is_told_though_what_it_has_in_the_queue_is_not_known() -> None:
    desk, hands = setting()
    desk.messages = {id: replace(found, envelope=None) for id, found in desk.messages.items()}
    async with console(desk, hands) as user:
        await chosen(user)
        await user.press("t")
        await user.sees("mynetworks before")
        await user.press("y")
        screen = await user.sees(f"Postfix trusts {re.escape(CLIENT)} no more")
        assert "The envelopes of 4 messages could not be read" in " ".join(screen.replace("│", " ").split())
        assert "Not done" not in screen
        assert "Hold its" not in screen
        await user.press("right", "enter")
        await user.sees(r"connections was done\.")
    assert hands.untrusted == [CLIENT]


async def test_untrust_is_taken_back_from_its_result_and_by_the_same_key() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await chosen(user)
        await user.press("t")
        await user.sees("mynetworks before")
        await user.press("y")
        await user.sees("no more")
        await user.press("right", "right", "right", "enter")
        await user.sees("Put it back")
        await user.press("enter")
        await user.sees("Put it back", gone=True)
        assert hands.untrusted == [CLIENT]

        await user.press("t")
        await user.sees("Put it back")
        await user.press("y")
        await user.sees(f"Postfix trusts {re.escape(CLIENT)} again")
    assert not hands.untrusted


async def test_what_cannot_be_untrusted_is_refused_with_a_sentence() -> None:
    desk, hands = setting()
    desk.relays = [relay("unknown")]
    async with console(desk, hands) as user:
        await user.press("t")
        await user.sees(f"{STOLEN} is a login; choose a client to untrust, among the relay clients")
        await user.press("escape")
        for key in ("t", "k", "c"):
            await user.press("tab", key)
            await user.sees("is not an IP address")
            await user.press("escape")
            await user.sees("is not an IP address", gone=True)
            await user.press("shift+tab")


async def test_an_honest_relay_is_marked_and_the_mark_is_taken_back() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await chosen(user)
        await user.press("k")
        await user.sees(f"{re.escape(CLIENT)} is known as an honest relay now")
        assert hands.known == [CLIENT]
        desk.relays = [relay(BOT), relay(CLIENT, kind="trusted", known=True)]
        await user.look_again()
        await user.sees(rf"{re.escape(CLIENT)} .*KNOWN")
        await user.press("k")
        await user.sees(f"{re.escape(CLIENT)} is no known relay any more")
    assert not hands.known


async def test_a_suspected_relay_is_marked_only_after_a_question() -> None:
    desk, hands = setting(suspected=True, reasons=("50 messages within a minute",))
    async with console(desk, hands) as user:
        await chosen(user)
        await user.press("k")
        screen = await user.sees(f"Mark {re.escape(CLIENT)} as known")
        assert "50 messages within a minute" in screen, "why it is suspected"
        assert "out of the alarm" in screen
        await user.press("k", "enter")
        await user.sees("out of the alarm", gone=True)
        assert not hands.known, "neither the same key again nor Enter did it"
        await user.press("k")
        await user.sees("out of the alarm")
        await user.press("y")
        await user.sees(f"{re.escape(CLIENT)} is known as an honest relay now")
    assert hands.known == [CLIENT]


async def test_a_mark_goes_by_the_list_and_not_by_a_row_that_may_be_older() -> None:
    desk, hands = setting(known=True)
    hands.known = [CLIENT]
    async with console(desk, hands) as user:
        await chosen(user)
        await user.press("k")
        await user.sees(f"{re.escape(CLIENT)} is no known relay any more")
        assert "KNOWN" in user.line("192.0.2.0/30"), "the row was not made anew yet"
        await user.press("k")
        await user.sees(f"{re.escape(CLIENT)} is known as an honest relay now")
        assert "Not done" not in user.screen()
    assert hands.known == [CLIENT]


def test_one_that_goes_on_after_it_was_untrusted_is_not_called_open() -> None:
    goes_on = relay(BOT, kind="open", untrusted=True, suspected=True, reasons=("untrusted 12:00:00",))
    cells = {column.title: column.cell(goes_on, NOW) for column in relays.COLUMNS}
    assert cells["kind"].text == "UNTRUSTED"
    assert cells["kind"].kind == "alarm", "it is not over"
    told = ["".join(cell.text for cell in line) for line in about.relay(goes_on, NOW)]
    assert not any("OPEN" in line for line in told)
    assert any("UNTRUSTED: still accepted" in line for line in told)
