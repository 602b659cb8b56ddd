"""The panes, as a user sees them."""

import re

import pytest

from bmtop.incident.picture import Attacked, Blocked
from bmtop.response.journal import Entry
from tests.console.desk import (
    BOT,
    HONEST,
    NOW,
    OFFICE,
    STOLEN,
    Desk,
    Hands,
    console,
    failed_login,
    gauge,
    message,
    relay,
    sender,
)


async def test_every_pane_shows_its_rows() -> None:
    desk = Desk()
    desk.relays = [relay("192.0.2.20", name="erp.example.com", kind="trusted", network="192.0.2.0/24")]
    desk.lines = ["Nov 24 12:00:00 mail postfix/qmgr[7]: A1B2C3D4E5: removed"]
    hands = Hands(desk)
    hands.entries = [Entry("1", NOW, "root", "logout", STOLEN, "done", "The sessions ended.")]
    async with console(desk, hands) as user:
        screen = await user.sees("A1B2C3D4E5: removed")
        assert re.search(rf"{STOLEN} +12 +24 .* 12 failed logins before", screen)
        assert re.search(rf"{HONEST} +3 +6 .* nothing unusual", screen)
        assert re.search(r"192\.0\.2\.20 .*TRUSTED +192\.0\.2\.0/24", screen)
        assert re.search(rf"{re.escape(BOT)} +12 YES {STOLEN}", screen)
        assert re.search(rf"root .*logout .*{STOLEN} .*done .*The sessions ended", screen)
        assert "20 queued" in screen
        assert "10 % of the threshold of 200" in screen
        assert "log 2 s old · queue listed 3 s ago" in screen


async def test_what_is_still_being_read_or_cannot_be_read_is_said() -> None:
    desk = Desk()
    desk.complete, desk.queue, desk.senders = False, None, []
    desk.problems = ("The queue cannot be listed; run bmtop as root.",)
    async with console(desk) as user:
        screen = await user.sees("PROBLEM The queue cannot be listed; run bmtop as root.")
        assert screen.count("reading back…") >= 2
        assert "The queue cannot be read." in screen
        desk.problems = ()
        await user.look_again()
        screen = await user.sees("Reading…")
        assert "The queue cannot be read." not in screen
        desk.complete = True
        await user.look_again()
        screen = await user.sees("No login has sent mail in this window")
        assert "PROBLEM" not in screen
        assert "reading back" not in screen


async def test_a_name_that_many_addresses_try_is_a_row_to_act_on() -> None:
    desk = Desk(message(0))
    desk.failed = [failed_login(f"198.51.100.{n}", logins=((STOLEN, 1),), failures=1) for n in range(40)]
    tries = tuple((f"198.51.100.{n}", 1) for n in range(40))
    desk.attacked = (Attacked(STOLEN, tries, 40, (("198.51.100.7", NOW - 20),), NOW - 90, NOW - 10),)
    async with console(desk) as user:
        screen = await user.sees("41 rows")
        assert re.search(rf"▸ 40 clients +40 yes 198\.51\.100\.7 +{STOLEN} \(40\) +10 s", screen), screen
        await user.press("tab", "tab", "d")
        await user.sees(f"Purge: {STOLEN}")


async def test_who_refuses_our_mail_is_told_in_their_own_words() -> None:
    desk = Desk()
    answer = (
        "host mx.mail.example[203.0.113.25] said: 421 4.7.0 [red]too much spam[/red]; see https://mail.example/s3150"
    )
    desk.blocked = (
        Blocked("mail.example", "provider", NOW - 90, NOW - 5, 1312, 40, "mx.mail.example[203.0.113.25]:25", answer),
        Blocked("Spamhaus", "list", NOW - 60, NOW, 1, 0, "mx.other.example[203.0.113.26]:25", "550 blocked"),
    )
    async with console(desk) as user:
        await user.sees("BLOCKED by mail.example 1,312 · Spamhaus 1: .*; b: more")
        await user.press("b")
        screen = await user.sees("Who refuses our mail")
        assert "by mx.mail.example[203.0.113.25]:25" in screen
        assert answer in screen
        assert "1,312 recipients refused, 40 of them only for now; since" in screen
        assert re.search(r"Spamhaus +a list that others ask", screen)
        assert "1 recipient refused, 0 of them only for now" in screen
        await user.press("escape", "m", "b")
        await user.sees("Who refuses our mail")
        desk.blocked = ()
        await user.press("escape")
        await user.sees("BLOCKED", gone=True)
        await user.press("b")
        await user.sees("Nobody refuses our mail")


async def test_reading_that_broke_off_is_said_and_the_console_stays() -> None:
    class Broken(Desk):
        async def run(self) -> None:
            raise RuntimeError("no [red]such[/red] thing")

    async with console(Broken()) as user:
        await user.sees(r"PROBLEM Nothing is read any more .*no \[red\]such\[/red\] thing")
        assert user.app.is_running


async def test_the_cursor_stays_on_its_row_when_rows_are_sorted_anew() -> None:
    desk = Desk()
    desk.senders = [sender(f"user{n}@example.com", 100 - n) for n in range(40)]
    async with console(desk) as user:
        await user.press(*["down"] * 3)
        assert "▸ user3@" in user.screen()
        desk.senders = [sender("new@example.com", 500), *reversed(desk.senders)]
        await user.look_again()
        assert "▸ user3@" in user.screen(), "the row moved far down, and the view with it"
        desk.senders = [s for s in desk.senders if s.login != "user3@example.com"]
        await user.look_again()
        assert re.search(r"▸ user\d+@", user.screen()), "its row is gone: the cursor is on one beside it"


async def test_rows_are_sorted_by_the_chosen_column() -> None:
    desk = Desk()
    desk.senders = [sender("b@example.com", 5), sender("c@example.com", 9), sender("a@example.com", 1)]
    async with console(desk) as user:

        def order() -> list[str]:
            return re.findall(r"\b([abc])@example\.com  ", user.screen())

        assert order() == ["b", "c", "a"]
        await user.press("s")
        assert (order(), "by login" in user.screen()) == (["a", "b", "c"], True)
        await user.press("s")
        assert (order(), "by messages" in user.screen()) == (["c", "b", "a"], True)
        await user.pilot.click("#senders", offset=(4, 1))
        assert order() == ["a", "b", "c"], "a click on the head of a column sorts by it"


async def test_a_filter_leaves_only_rows_that_name_the_text() -> None:
    async with console(Desk()) as user:
        await user.press("slash")
        await user.type("BOB")
        screen = await user.sees("1 of 2 logins name BOB")
        assert "12 failed logins before" not in screen
        await user.press("enter")
        assert "12 failed logins before" not in user.screen(), "enter keeps the filter"
        await user.press("escape")
        await user.sees(f"{STOLEN} +12")


async def test_pause_freezes_the_view_and_says_so() -> None:
    desk = Desk()
    async with console(desk) as user:
        await user.press("space")
        assert "PAUSED" in user.screen()
        desk.senders, desk.lines = [sender("late@example.com")], ["a late line"]
        await user.look_again()
        assert "late" not in user.screen()
        await user.press("space")
        screen = await user.sees("late@example.com")
        assert "a late line" in screen
        assert "PAUSED" not in screen


async def test_masked_no_local_part_is_on_the_screen() -> None:
    desk = Desk(message(1))
    desk.lines = [f"Nov 24 12:00:00 mail postfix/smtpd[7]: ABCDEF0: client=x[{BOT}], sasl_username={STOLEN}"]
    desk.problems = (f"{STOLEN} is a problem.",)
    async with console(desk, mask=True) as user:
        screen = await user.sees(r"sasl_username=•••@example\.com")
        assert "MASKED" in screen
        assert "alice" not in screen
        assert "bob" not in screen
        await user.press("m")
        screen = await user.sees(f"PROBLEM {STOLEN}")
        assert f"sasl_username={STOLEN}" in screen, screen
        await user.press("space", "m")
        assert "alice" not in user.screen(), "a paused view is masked as well"


async def test_the_alarm_is_heard_once_and_again_only_after_it_was_well() -> None:
    desk = Desk()
    bells = 0

    def bell() -> None:
        nonlocal bells
        bells += 1

    async with console(desk) as user:
        user.app.bell = bell  # type: ignore[method-assign]
        for total, state, heard in (
            (500, "critical", 1), (501, "critical", 1), (150, "warning", 1), (300, "critical", 1),
            (10, "ok", 1), (400, "critical", 2),
        ):  # fmt: skip
            desk.queue = gauge(total, state)  # type: ignore[arg-type]
            await user.look_again()
            assert bells == heard, (total, state)
        screen = await user.sees("Queue CRITICAL")
        assert "CRITICAL  2.0 times the threshold of 200" in screen


async def test_the_log_follows_what_is_selected() -> None:
    desk = Desk()
    desk.lines = [
        f"Nov 24 12:00:00 mail postfix/smtpd[7]: ABCDEF1: client=x[{BOT}], sasl_method=LOGIN, sasl_username={STOLEN}",
        f"Nov 24 12:00:01 mail postfix/smtpd[8]: ABCDEF2: client=x[192.0.2.9], sasl_username={HONEST}",
        "Nov 24 12:00:02 mail postfix/qmgr[9]: ABCDEF1: removed",
        "Nov 24 12:00:03 mail postfix/qmgr[9]: ABCDEF2: removed",
    ]
    async with console(desk) as user:
        await user.sees("ABCDEF2: removed")
        await user.press("f")
        screen = await user.sees(f"Log · only {STOLEN}")
        assert "ABCDEF1: removed" in screen, "its message's other lines are its lines too"
        assert "ABCDEF2" not in screen
        await user.press("down")
        screen = await user.sees(f"Log · only {HONEST}")
        assert "ABCDEF2: removed" in screen
        assert "ABCDEF1" not in screen
        await user.press("f")
        await user.sees("ABCDEF1: removed")


async def test_the_window_goes_round_the_spans() -> None:
    desk = Desk()
    async with console(desk) as user:
        for span in ("1h", "6h", "24h", "5m", "15m"):
            await user.press("w")
            await user.sees(f"window {span.replace('24h', '1d')} ")
        assert desk.window == 900


@pytest.mark.parametrize("size", [(80, 24), (119, 45), (140, 30)])
async def test_in_a_small_terminal_one_pane_is_seen_and_all_are_named(size: tuple[int, int]) -> None:
    async with console(Desk(), size=size) as user:
        screen = user.screen()
        assert "[Senders 2]" in screen
        assert "Failed logins 1" in screen
        assert "12 failed logins" in screen
        for key in ("c Contain", "l Logout", "p Password", "d Purge", "h Hold", "u Undo", "? Help"):
            assert key in screen
        await user.press("tab")
        screen = await user.sees(r"\[Relay clients 1\]")
        assert re.search(rf"▸ {re.escape(BOT)}.*OPEN", screen)
        assert "12 failed logins" not in screen
        await user.press("shift+tab", "shift+tab")
        await user.sees(r"\[Journal 0\]")
        await user.pilot.click("#tabs", offset=(3, 0))
        await user.sees(r"\[Senders 2\]")


async def test_details_tell_all_about_a_login() -> None:
    desk = Desk(message(1), message(2, client=OFFICE), message(3, HONEST))
    hands = Hands(desk)
    hands.entries = [
        Entry("1", NOW - 9, "root", "logout", STOLEN, "begun", ""),
        Entry("1", NOW - 8, "root", "logout", STOLEN, "done", "The sessions ended."),
        Entry("2", NOW - 7, "root", "logout", HONEST, "done", "Bob's sessions ended."),
    ]
    async with console(desk, hands) as user:
        await user.press("enter")
        screen = await user.sees("What was done")
        assert re.search(r"messages +2, 2\.0 kB", screen), "two of the three queued messages are its own"
        assert re.search(r"to domains +remote\.example +2", screen)
        assert screen.count("The sessions ended.") == 1
        assert "begun" not in screen
        assert "Bob" not in screen
        await user.press("s")
        screen = await user.sees(rf"Subject of {message(1).id}")
        assert f"Subject of {message(3).id}" not in screen
        await user.press("escape")
        await user.sees("Relay clients")


async def test_help_names_every_key_and_keys_without_a_feature_do_not_exist() -> None:
    async with console(Desk()) as user:
        await user.press("question_mark")
        screen = await user.sees("Keys")
        for key, word in (("c", "Contain"), ("t", "Untrust"), ("H", "Keep holding"), ("k", "Known"),
                          ("l", "Logout"), ("p", "Password"), ("d", "Purge"), ("h", "Hold"), ("u", "Undo"),
                          ("/", "Filter"), ("s", "Sort"), ("w", "Window"), ("space", "Pause"), ("m", "Mask"),
                          ("S", "Picture"), ("q", "Quit")):  # fmt: skip
            assert re.search(rf"  {re.escape(key)} +{word} ", screen), key
        await user.press("escape")
        bound = user.app.screen.active_bindings
        assert "e" not in bound, "only where there is an export"


async def test_the_palette_offers_the_keys() -> None:
    async with console(Desk()) as user:
        await user.press("ctrl+p")
        await user.type("paus")
        await user.sees("freeze the view; reading goes on")
        await user.press("enter")
        await user.sees("PAUSED")


async def test_a_click_selects_and_a_double_click_opens_the_details() -> None:
    async with console(Desk()) as user:
        await user.pilot.click("#senders", offset=(5, 3))
        assert f"▸ {HONEST}" in user.screen()
        await user.pilot.click("#senders", offset=(5, 3), times=2)
        await user.sees("Sent in the window")


async def test_a_log_of_which_no_line_was_read_is_not_told_as_quiet() -> None:
    desk = Desk()
    desk.senders, desk.relays, desk.failed = [], [], []
    desk.log_time = None
    desk.problems = ("The log /var/log/mail.log cannot be read (no such file or directory); name another with --log.",)
    async with console(desk) as user:
        screen = await user.sees("No log line was read yet, so nothing is known of this window")
        assert screen.count("No log line was read yet, so nothing is known of this window") == 3
        for quiet in ("No login has failed", "No login has sent", "No client without a login"):
            assert quiet not in screen
        desk.log_time, desk.problems = NOW - 2, ()
        await user.look_again()
        await user.sees("No login has failed in this window")


@pytest.mark.parametrize("width", [200, 140, 80])
async def test_the_head_of_the_sorted_column_is_whole_and_says_so(width: int) -> None:
    async with console(Desk(), size=(width, 45)) as user:
        for title in ("login", "messages"):
            await user.press("s")
            await user.sees(f"by {title}")
            assert f"▾{title} " in user.line("  why"), "its mark cuts no title"
        await user.press("s")
        assert "▾messages" not in user.screen()


async def test_what_was_done_is_not_cut_where_there_is_room() -> None:
    desk = Desk()
    hands = Hands(desk)
    names = ("keep holding", "end connections", "trust again", "mark as known", "stop holding")
    hands.entries = [Entry(str(n), NOW, "root", name, STOLEN, "done", "Done.") for n, name in enumerate(names)]
    async with console(desk, hands) as user:
        await user.sees("Done.")
        for _ in range(4):
            await user.press("tab")
        for name in reversed(names):
            await user.sees(rf"▸ \d.* root +{name} +{STOLEN}")
            await user.press("up")


async def test_the_help_is_read_from_its_end_and_its_lines_are_set_in() -> None:
    async with console(Desk(), size=(80, 24)) as user:
        await user.press("question_mark")
        await user.sees("─ Keys")
        await user.press("end")
        screen = await user.sees("outside mynetworks, and its tries were refused")
        starts = {line[2:] for line in screen.splitlines() if line.startswith("│ ") and line[2] != " "}
        assert not any(line.strip("│ ") for line in starts if not line.startswith("Words")), starts
        await user.press("home")
        await user.sees("Contain ")
        await user.sees("tries were refused", gone=True)
