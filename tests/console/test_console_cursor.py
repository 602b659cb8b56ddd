"""Where the eye is led: the top suspect, the newest log line, and no toast over a button."""

from tests.console.desk import Desk, console, gauge, sender


async def test_the_top_suspect_is_selected_until_the_user_moves_the_cursor() -> None:
    desk = Desk()
    async with console(desk) as user:
        desk.senders = [sender("new@example.com", 500), *desk.senders]
        await user.look_again()
        assert "▸ new@" in user.screen()
        await user.press("down", "up")
        desk.senders = [sender("newer@example.com", 900), *desk.senders]
        await user.look_again()
        assert "▸ new@" in user.screen(), "it was chosen by hand"


async def test_the_log_is_at_its_newest_line_from_the_start() -> None:
    for size, keys in (((140, 45), ()), ((80, 24), ("tab", "tab", "tab"))):
        desk = Desk()
        async with console(desk, size=size) as user:
            await user.press(*keys)
            desk.lines = [f"line {n:04d}." for n in range(500)]
            await user.look_again()
            assert "line 0495." in await user.sees(r"line 0499\.")


async def test_what_comes_up_while_a_dialog_is_open_is_told_when_it_is_closed() -> None:
    desk = Desk()
    async with console(desk) as user:
        await user.press("l")
        await user.sees("Log out")
        desk.queue = gauge(500, "critical")
        await user.look_again()
        await user.sees("500 queued")
        assert "Queue CRITICAL" not in user.screen()
        await user.press("escape")
        await user.sees("Queue CRITICAL")
