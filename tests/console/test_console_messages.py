"""The list of messages in a dialog: narrowed, ticked, searched, read, saved; what is ticked is what is meant."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from bmtop.console.dialogs.messages import Messages
from bmtop.console.figures import clock
from bmtop.server import CommandFailed
from tests.console.desk import BOT, NOW, OFFICE, STOLEN, Desk, Hands, User, console, message, queue


async def confirm(user: User, number: int) -> None:
    """Type the number and press the button that the dialog was opened for."""
    await user.press("shift+tab")
    await user.type(str(number))
    await user.press("enter", "enter")


async def test_a_hundred_thousand_messages_can_be_looked_through() -> None:
    async with console(queue(100_000)) as user:
        await user.press("d")
        screen = await user.sees("100,000 of 100,000 messages chosen · 100.0 MB")
        assert "Purge 100,000" in screen
        await user.press("down")
        await user.press("end")
        assert f"▸ [x] {message(0).id}" in await user.sees(str(message(0).id))
        await user.press("slash")
        await user.type("victim54321@")
        await user.press("enter")
        await user.sees(rf"▸ \[x\] {message(54321).id}")
        await user.press("space")
        await user.sees("99,999 of 100,000 messages chosen")
        drawn = user.app.screen.query_one("#list")
        assert drawn.size.height < 50, "the list is as tall as the screen, however long it is"


async def test_the_list_is_narrowed_and_single_messages_are_unticked() -> None:
    desk = Desk(
        *(message(n) for n in range(10)),
        *(message(20 + n, client=OFFICE, sender=STOLEN) for n in range(2)),
        message(40, client="198.51.100.9", size=50_000),
    )
    hands = Hands(desk)
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("13 of 13 messages chosen")
        await user.pilot.click("#not-client")
        await user.type("192.0.2.0/24")
        await user.sees("11 of 13 messages chosen · 60.0 kB")
        await user.pilot.click("#since")
        await user.type("30s")
        await user.sees("10 of 13 messages chosen · 10.0 kB")
        await user.pilot.click("#list", offset=(6, 1))
        await user.press("space", "space")
        screen = await user.sees("8 of 13 messages chosen")
        assert screen.count("[ ]") == 2
        assert "Purge 8" in screen
        await user.press("y")
        await user.sees("Deleted 8 of 8")
    plan = hands.plans[0]
    assert {m.id for m in plan.messages} == {message(n).id for n in range(8)}
    assert plan.filter.login == STOLEN
    assert [str(n) for n in plan.filter.not_clients] == ["192.0.2.0/24"]
    assert plan.filter.since == NOW - 30


async def test_a_filter_that_cannot_be_read_stops_the_confirmation() -> None:
    hands = Hands(desk := queue(4))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("4 of 4 messages chosen")
        for field, wrong, sentence in (
            ("#client", "192.0.2.999", "is no address or range"),
            ("#before", "yesterday", "is no moment"),
            ("#queue", "ALL", "is no queue"),
        ):
            await user.pilot.click(field)
            await user.type(wrong)
            await user.sees(sentence)
            await user.pilot.click("#purge")
            await user.sees(sentence)
            await user.pilot.click(field)
            await user.press("end", *["backspace"] * len(wrong))
            await user.sees(sentence, gone=True)
    assert not hands.plans


async def test_what_was_typed_last_counts_before_anything_is_confirmed() -> None:
    hands = Hands(desk := queue(4))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("4 of 4 messages chosen")
        dialog = user.app.screen
        assert isinstance(dialog, Messages)
        dialog.query_one("#recipient", Input).value = "victim1@remote.example"
        dialog.action_confirm()
        await user.sees("The list is still being narrowed|1 of 4 messages chosen")
        assert user.app.screen is dialog, "the keys were faster than the list"
        await user.sees("1 of 4 messages chosen")
        await user.press("y")
        await user.sees("Deleted 1 of 1")
    assert [m.id for plan in hands.plans for m in plan.messages] == [message(1).id]


async def test_all_can_be_unticked_and_one_picked() -> None:
    hands = Hands(desk := queue(200))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("200 of 200 messages chosen")
        await user.press("a")
        await user.sees("0 of 200 messages chosen")
        await user.press("y")
        await user.sees("There is nothing to purge")
        await user.press("down", "space")
        await user.sees("1 of 200 messages chosen")
        await user.press("y")
        await user.sees("Deleted 1 of 1")


async def test_bounces_are_a_group_of_their_own_and_not_ticked() -> None:
    hands = Hands(desk := queue(2))
    desk.notifications = [message(50 + n, None, sender="") for n in range(3)]
    async with console(desk, hands) as user:
        await user.press("d")
        screen = await user.sees(r"\[ \] and 3 bounces that Postfix made for them")
        assert "2 of 2 messages chosen" in screen
        await user.press("b")
        screen = await user.sees("Purge 5")
        assert "<>" in screen
        await user.press("b")
        await user.sees("Purge 2")
        await user.press("y")
        await user.sees("Deleted 2 of 2")
    assert len(hands.plans[0].messages) == 2


async def test_the_figures_of_the_list_agree_with_each_other_and_with_its_rows() -> None:
    desk = Desk(message(10), message(239))
    desk.notifications = [message(500, None, sender=""), message(11, None, sender="")]
    async with console(desk) as user:
        await user.press("d")
        screen = await user.sees("2 of 2 messages chosen")
        assert "2 bounces that Postfix made for them, and for such mail before: b" in screen
        assert "the oldest came 3 min ago" in screen
        assert re.search(r"deferred +3 min ", user.line(str(message(239).id))), screen
        await user.press("b")
        screen = await user.sees("4 of 4 messages chosen")
        assert "the oldest came 8 min ago" in screen
        await user.pilot.click("#since")
        await user.type("60s")
        await user.sees("3 of 4 messages chosen")


@pytest.mark.parametrize(("listed", "moment"), [(6, 6), (20, 10)])
async def test_the_list_is_as_of_the_moment_when_the_queue_was_listed(listed: int, moment: int) -> None:
    desk = Desk(message(10), message(30))
    desk.as_of = NOW - listed
    async with console(desk) as user:
        await user.press("d")
        await user.sees("2 of 2 messages chosen")
        said = f"As listed at {clock(NOW - moment, NOW)}: what came in later is not part of it"
        assert said in user.screen(), "what is in the list did not come later"


async def test_the_subject_narrows_too() -> None:
    hands = Hands(desk := queue(3))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("3 of 3 messages chosen")
        await user.pilot.click("#subject")
        await user.type(str(message(1).id))
        await user.sees("1 of 3 messages chosen")
        await user.press("enter", "y")
        await user.sees("Deleted 1 of 1")
    assert [m.id for m in hands.plans[0].messages] == [message(1).id]


async def test_a_message_is_shown_whole_and_its_subject_on_demand() -> None:
    desk = Desk(replace(message(1), recipients=tuple(f"r{n}@remote.example" for n in range(12)), reason="greylisted"))
    async with console(desk) as user:
        await user.press("d")
        await user.sees("1 of 1 message chosen")
        await user.press("s")
        await user.sees(f"Subject of {message(1).id}")
        await user.press("down", "enter")
        screen = await user.sees(r"recipient +r11@remote\.example")
        assert re.search(rf"login +{STOLEN}", screen)
        assert re.search(r"waits for +greylisted", screen)
        await user.press("escape")
        await user.sees("1 of 1 message chosen")


async def test_subjects_that_cannot_be_read_are_a_sentence() -> None:
    hands = Hands(desk := queue(1))
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("1 of 1 message chosen")
        hands.refuses = CommandFailed("postcat was not found; install it.")
        await user.press("s")
        await user.sees("postcat was not found; install it.")


async def test_the_list_is_saved_to_a_new_file_without_anything_that_is_no_glyph(tmp_path: Path) -> None:
    desk = Desk(message(1, sender="evil\x1b[2J\t\u202e@x.example"), message(2))
    async with console(desk, folder=tmp_path) as user:
        await user.press("d")
        await user.sees("2 of 2 messages chosen")
        await user.press("down", "space", "f")
        await user.sees("The list is saved")
    (saved,) = tmp_path.iterdir()
    text = saved.read_text(encoding="utf-8")
    head, second, first = text.splitlines()
    assert head.split("\t")[:2] == ["chosen", "id"]
    assert second.split("\t")[:2] == ["no", message(2).id]
    assert first.split("\t")[:2] == ["yes", message(1).id]
    assert r"evil\x1b[2J\x09\u202e@x.example" in first
    assert saved.stat().st_mode & 0o777 == 0o600


async def test_any_choice_leads_to_exactly_the_messages_that_are_ticked() -> None:
    chance = random.Random(7)
    for _ in range(8):
        desk = Desk(*(message(n, client=chance.choice((BOT, OFFICE))) for n in range(12)))
        hands = Hands(desk)
        async with console(desk, hands) as user:
            await user.press("d")
            await user.sees("12 of 12 messages chosen")
            if chance.random() < 0.5:
                await user.pilot.click("#client")
                await user.type(BOT)
                await user.sees(r"\d+ of 12 messages chosen")
                await user.when(lambda: OFFICE not in user.screen(), "narrowed to the bot")
            await user.pilot.click("#list", offset=(6, 1))
            for _ in range(chance.randrange(6)):
                await user.press(chance.choice(("space", "down", "up")))
            await user.pilot.pause()
            ticked = set(re.findall(r"\[x\] ([0-9A-F]{7,})", user.screen()))
            await user.press("y")
            await user.sees(f"Deleted {len(ticked)} of {len(ticked)}|nothing to purge")
        deleted = {m.id for plan in hands.plans for m in plan.messages}
        assert deleted == ticked


async def test_what_is_not_known_of_the_queue_is_not_told_as_nothing() -> None:
    desk = Desk()
    async with console(desk) as user:
        await user.press("d")
        await user.sees(f"{STOLEN} has no message in the queue as it was last listed")
        await user.press("escape")
        desk.listed = None
        await user.press("d")
        screen = await user.sees(f"What {STOLEN} has in the queue is not known: it was not listed yet")
        assert "has no message" not in screen
