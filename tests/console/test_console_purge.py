"""Hold, purge and undo, from the key to the result: what is confirmed is what was seen."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bmtop.checked import Refused
from bmtop.console.dialogs import cut_off
from bmtop.console.dialogs.undo import filter_words
from bmtop.incident.selection import Filter, network
from bmtop.response.copies import NoRoom
from bmtop.response.journal import Entry
from bmtop.response.plan import UndoCopy
from bmtop.server import CommandFailed
from tests.console.desk import BOT, HONEST, NOW, STOLEN, Desk, Hands, User, console, message, queue, queue_id


async def test_a_purge_deletes_what_was_listed_and_nothing_else() -> None:
    desk = queue(5)
    hands = Hands(desk)
    async with console(desk, hands) as user:
        await user.press("d")
        screen = await user.sees("Purge: alice@example.com")
        assert "5 of 5 messages chosen · 5.0 kB" in screen
        assert screen.count("[x]") == 5
        for n in range(5):
            row = user.line(str(message(n).id))
            assert all(part in row for part in (BOT, "claim@lottery.example", f"victim{n}@remote.example", "1.0 kB"))
        assert "can be undone for 24 hours" in screen
        desk.messages[message(77).id] = message(77)
        await user.press("y")
        await user.sees("Deleted 5 of 5")
        screen = user.screen()
        assert "postsuper -d -   (5 ids on standard input)" in screen
        assert "20261124-120000-abcd" in screen
    assert [m.id for m in hands.plans[0].messages] == [message(n).id for n in reversed(range(5))]
    assert set(desk.messages) >= {message(77).id}, "what came in after the list was frozen is still there"


async def test_neither_the_opening_key_nor_enter_on_the_dialog_as_it_opens_changes_anything() -> None:
    desk = queue(5)
    hands = Hands(desk)
    async with console(desk, hands) as user:
        for opening in ("d", "h"):
            for then in (opening, "enter", "escape"):
                await user.press(opening)
                await user.sees("5 of 5 messages chosen")
                await user.press(then)
                if then == opening:
                    assert "5 of 5 messages chosen" in user.screen(), "it is still being asked"
                    await user.press("escape")
                await user.sees("messages chosen", gone=True)
    assert not hands.plans
    assert len(desk.messages) == 8


async def test_hold_is_offered_first_and_does_not_delete() -> None:
    desk = queue(3)
    hands = Hands(desk)
    async with console(desk, hands) as user:
        await user.press("d")
        screen = await user.sees(r"Cancel +Hold 3 +Purge 3")
        assert "Hold is instant and can be taken back" in screen
        await user.press("right", "enter")
        await user.sees("Put on hold 3 of 3")
        await user.press("escape", "h")
        await user.sees(r"Cancel +Hold 0 +Release 3")
        await user.press("y")
        await user.sees("There is nothing to hold")
        await user.press("tab")
        await user.pilot.click("#release")
        await user.sees("Released 3 of 3")
    assert [p.action for p in hands.plans] == ["hold", "release"]
    assert {m.queue for m in desk.messages.values()} == {"deferred"}


async def test_more_than_a_hundred_need_the_number_typed() -> None:
    desk = queue(101)
    hands = Hands(desk)
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("type the number that stands on the button")
        for typed in ("", "100", "1010", "yes"):
            await user.pilot.click("#count")
            await user.press("end", *["backspace"] * 6)
            await user.type(typed)
            await user.pilot.click("#purge")
            await user.sees("More than 100 messages: type 101 here")
        assert not hands.plans
        await user.press(*["backspace"] * 6)
        await user.type("101")
        await user.press("enter", "enter")
        await user.sees("Deleted 101 of 101")


@pytest.mark.parametrize(
    "keys",
    [
        ("tab", "enter", *"150", "enter", "enter"),
        ("tab", "enter", *"150", "enter", "y"),
        ("tab", "enter", "shift+tab", "y", *"150", "enter", "enter"),
        ("tab", *"150", "enter", "enter"),
        ("tab", *"150", "enter", "y"),
    ],
)
async def test_whoever_chose_hold_does_not_purge_by_typing_the_number(keys: tuple[str, ...]) -> None:
    hands = Hands(desk := queue(150))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees(r"Cancel +Hold 150 +Purge 150")
        for key in keys:
            await user.press(key)
            await user.pilot.pause()
        await user.sees("Put on hold 150 of 150")
    assert [p.action for p in hands.plans] == ["hold"]
    assert len(desk.messages) == 153, "nothing was deleted"


async def test_that_the_number_is_missing_is_said_with_the_action_it_is_for() -> None:
    async with console(queue(150)) as user:
        await user.press("d", "tab", "enter")
        await user.sees("type 150 here, then confirm Hold")
        await user.pilot.click("#purge")
        await user.sees("type 150 here, then confirm Purge")


async def test_yes_does_what_the_button_with_the_focus_does() -> None:
    hands = Hands(desk := queue(3))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("3 of 3 messages chosen")
        await user.press("tab", "y")
        await user.sees("Put on hold 3 of 3")
    assert [p.action for p in hands.plans] == ["hold"]


async def test_a_hundred_need_no_number() -> None:
    async with console(queue(100)) as user:
        await user.press("d")
        screen = await user.sees("100 of 100 messages chosen")
        assert "type the number" not in screen


async def test_what_came_in_meanwhile_is_one_more_key_press() -> None:
    hands = Hands(desk := queue(2))
    desk.comes_in = [message(30), message(31), message(32, HONEST)]
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("2 of 2 messages chosen")
        await user.press("y")
        await user.sees("2 more came in meanwhile: press d to purge them as well")
        await user.press("d")
        await user.sees("2 of 2 messages chosen")
        await user.press("y")
        await user.sees("Deleted 2 of 2")
        assert "meanwhile" not in user.screen()
    assert {m.id for m in hands.plans[1].messages} == {message(30).id, message(31).id}


async def test_an_unticked_message_is_not_offered_again_as_new() -> None:
    async with console(queue(3)) as user:
        await user.press("d")
        await user.sees("3 of 3 messages chosen")
        await user.press("down", "space", "y")
        await user.sees("Deleted 2 of 2")
        assert "meanwhile" not in user.screen()


async def test_what_was_left_out_is_told_with_the_reason() -> None:
    hands = Hands(desk := queue(9))
    hands.left_out = {message(n).id: "had left the queue" for n in range(7)} | {message(7).id: "is another message now"}
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("9 of 9 messages chosen")
        await user.press("y")
        screen = await user.sees("Deleted 1 of 9")
        assert re.search(rf"7 left out: had left the queue +{message(0).id}.* and 2 more", screen)
        assert f"1 left out: is another message now   {message(7).id}" in screen


async def test_without_room_for_a_copy_the_purge_asks_before_it_goes_on() -> None:
    hands = Hands(desk := queue(2))
    async with console(desk, hands) as user:
        for answer, deleted in (("escape", False), ("y", True)):
            hands.refuses = NoRoom("There is no room for the undo copy.")
            await user.press("d")
            await user.sees("2 of 2 messages chosen")
            await user.press("y")
            await user.sees("There is no room for the undo copy.")
            assert not hands.plans
            await user.press(answer)
            if deleted:
                await user.sees("Deleted 2 of 2")
            else:
                await user.sees("no room", gone=True)
    assert hands.without_undo == [False, False, True]


@asynccontextmanager
async def in_the_middle_of_a_purge(desk: Desk, hands: Hands) -> AsyncIterator[User]:
    """A console that has deleted half of eight messages; `hands.go` lets it go on."""
    hands.go.clear()
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("8 of 8 messages chosen")
        await user.press("y")
        await user.sees("deleting 4 of 8")
        yield user


async def test_a_long_action_shows_how_far_it_is_and_can_be_stopped() -> None:
    hands = Hands(desk := queue(8))
    async with in_the_middle_of_a_purge(desk, hands) as user:
        await user.press("ctrl+q")
        assert user.app.is_running, "it does not end while an action is under way"
        await user.press("enter")
        await user.sees("Stopped as you asked")
    assert len(desk.messages) == 11
    assert not hands.plans


async def test_a_long_action_that_is_let_run_ends_in_its_result() -> None:
    hands = Hands(desk := queue(8))
    async with in_the_middle_of_a_purge(desk, hands) as user:
        hands.go.set()
        screen = await user.sees("Deleted 8 of 8")
        assert "deleting" not in screen


@pytest.mark.parametrize("opened", ["ctrl+p", "question_mark"])
async def test_what_lies_over_the_progress_bar_does_not_keep_it_from_ending(opened: str) -> None:
    hands = Hands(desk := queue(8))
    async with in_the_middle_of_a_purge(desk, hands) as user:
        if opened == "ctrl+p":
            await user.press("ctrl+p")
        else:
            await user.app.run_action("help")
        over = user.app.screen
        await user.when(lambda: over.is_active and len(user.app.screen_stack) == 3, "it lies over the progress bar")
        hands.go.set()
        await user.when(lambda: len(desk.messages) == 3, "the purge has come to its end")
        # What is typed there must reach nothing else.
        await user.type("dy")
        assert user.app.screen is over
        await user.press("escape")
        await user.sees("Deleted 8 of 8")
        await user.press("escape")
        await user.sees("Deleted 8 of 8", gone=True)
        await user.when(lambda: len(user.app.screen_stack) == 1, "the panes are back")
        await user.press("d")
        await user.sees("alice@example.com has no message in the queue")
    assert len(hands.plans) == 1


async def test_a_failure_is_a_sentence_and_a_fault_of_bmtops_own_too() -> None:
    hands = Hands(desk := queue(2))
    async with console(desk, hands) as user:
        for error, sentence in (
            (
                CommandFailed("postsuper failed: [red]no[/red]. See the journal."),
                r"postsuper failed: \[red\]no\[/red\]",
            ),
            (KeyError("secret"), "bmtop itself failed.*KeyError"),
        ):
            hands.refuses = error
            await user.press("d")
            await user.sees("2 of 2 messages chosen")
            await user.press("y")
            await user.sees(sentence)
            assert "secret" not in user.screen()
            await user.press("escape")
            await user.sees("messages chosen", gone=True)
        assert user.app.is_running


async def test_read_only_shows_the_list_and_refuses_the_rest() -> None:
    desk = queue(150)
    hands = Hands(desk, read_only=True)
    hands.copies = [UndoCopy("20261124-120000-abcd", NOW - 60, NOW + 80_000, 2, 2_000, {"login": STOLEN}, "root")]
    async with console(desk, hands) as user:
        assert "READ-ONLY" in user.screen()
        for key in ("l", "p", "u", "S"):
            await user.press(key)
            await user.sees("bmtop runs read-only")
            await user.press("escape")
            await user.sees("bmtop runs read-only", gone=True) if key != "S" else None
        await user.press("d")
        screen = await user.sees("150 of 150 messages chosen")
        assert "READ-ONLY" in screen
        await user.press("f")
        await user.sees("no file is written")
        hands.refuses = Refused("bmtop was started read-only, so it does not purge; start it without --read-only.")
        await user.press("y")
        await user.sees("it does not purge")
    assert not hands.plans
    assert not hands.logouts
    assert not hands.undone


async def test_nothing_in_the_queue_is_a_sentence_and_no_dialog() -> None:
    async with console(queue(0)) as user:
        await user.press("d")
        await user.sees("alice@example.com has no message in the queue")


async def test_messages_that_came_after_the_newest_listing_are_found_all_the_same() -> None:
    desk = queue(0)
    desk.comes_in = [message(n) for n in range(4)]
    async with console(desk, Hands(desk)) as user:
        await user.press("d")
        await user.sees("4 of 4 messages chosen")


async def test_a_purge_is_taken_back() -> None:
    hands = Hands(desk := queue(1))
    hands.copies = [
        UndoCopy("20261124-120000-abcd", NOW - 60, NOW + 80_000, 2, 2_000, {"login": STOLEN}, "root"),
        UndoCopy("20261124-110000-abcd", NOW - 3660, NOW + 70_000, 7, 9_000, {"client": ["192.0.2.0/24"]}, "root"),
    ]
    async with console(desk, hands) as user:
        await user.press("u")
        screen = await user.sees("Undo a purge")
        assert re.search(r"▸ \S+ +2 +2\.0 kB +22 h +root +login alice@example\.com", screen)
        await user.press("down", "enter")
        screen = await user.sees(r"Bring back 7")
        assert "They come back on hold" in screen
        await user.press("enter")
        await user.sees("Bring back", gone=True)
        assert not hands.undone, "Cancel had the focus"
        await user.press("u")
        await user.sees("client 192.0.2.0/24")
        await user.press("enter")
        await user.sees("Bring back 2")
        await user.press("y")
        screen = await user.sees("Brought back 2 of 2, on hold")
        assert f"{message(1).id} is now {message(9).id}" in screen
    assert hands.undone == ["20261124-120000-abcd"]


@pytest.mark.parametrize(
    ("action", "undo", "offered", "pressed", "settled"),
    [
        ("purge", "u-1", r"Later +Finish it +Take it back +Leave it so", "#finish", "finish"),
        ("purge", "u-1", r"Later +Finish it +Take it back +Leave it so", "#take_back", "take back"),
        ("hold", None, r"Later +Finish it +Take it back +Leave it so", "#leave", "leave"),
        ("undo", "u-1", r"Later +Finish it +Leave it so", "#finish", "finish"),
        ("password", None, r"do it again[^$]*Later +Leave it so", "#cancel", ""),
    ],
)
async def test_what_an_earlier_run_did_not_finish_is_said_and_settled(
    action: str, undo: str | None, offered: str, pressed: str, settled: str
) -> None:
    hands = Hands(desk := queue(1))
    ids = () if action == "password" else (message(1).id, message(2).id)
    hands.cut_off = [Entry("7", NOW - 60, "root", action, STOLEN, "begun", "", ids=ids, undo=undo)]
    async with console(desk, hands) as user:
        screen = await user.sees("An earlier run of bmtop was ended in the middle of this")
        assert f"{action} {STOLEN}" in screen
        assert re.search(offered, screen)
        await user.pilot.click(pressed)
        await user.sees("An earlier run", gone=True)
        if settled in ("finish", "take back"):
            await user.sees("Deleted 1 of 1" if settled == "finish" else "Brought back 1 of 1")
        else:
            await user.when(lambda: not user.app._runner.busy, "it is settled")
    assert hands.settled == ([(settled, "7")] if settled else [])


async def test_that_more_may_have_come_in_is_told_when_it_cannot_be_known() -> None:
    hands = Hands(desk := queue(2))
    desk.comes_in = [replace(message(30), envelope=None)]
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("2 of 2 messages chosen")
        await user.press("y")
        screen = await user.sees("Whether more came in meanwhile is not known: The envelopes of 1 messages")
        assert "Deleted 2 of 2" in screen


def test_the_filter_of_a_purge_is_told_as_it_is_typed() -> None:
    clients = tuple(map(network, ("192.0.2.66", "2001:db8::7", "2001:db8::/32")))
    there = Filter(without_login=True, clients=clients)
    assert filter_words(there.as_dict()) == "without-login, client 192.0.2.66 2001:db8::7 2001:db8::/32"
    moment = time.mktime((2026, 11, 24, 13, 19, 0, 0, 0, -1))
    chosen = Filter(queue="hold", since=moment, ids=(queue_id(1), queue_id(2)))
    assert filter_words(chosen.as_dict()) == "queue hold, since 2026-11-24T13:19:00, 2 chosen messages"


def test_what_was_held_is_told_to_be_held_no_more_with_the_key_that_does_it_again() -> None:
    entry = Entry("1", NOW - 60, "root", "keep holding", STOLEN, "begun", "")
    told = "".join(cell.text for cell in cut_off.lines(entry, NOW)[-1])
    assert told == "What it newly queues is held no more; H holds once again."
