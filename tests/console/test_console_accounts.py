"""Logout and password: asked, done, told; and the password is nowhere but where it was asked for."""

import gc

from textual.widgets import Input

from bmtop.console.secret import Secret
from bmtop.response.plan import Done
from bmtop.server import CommandFailed
from tests.console.desk import BOT, STOLEN, Desk, Hands, User, console, failed_login, sender

MADE = "mAde-Up-pass-w0rd"
TYPED = "Typed-By-Hand-42!"


def everything_kept(user: User) -> str:
    """Return what every widget, notification and string attribute around the console holds by now."""
    parts = [repr(vars(widget)) for screen in user.app.screen_stack for widget in screen.walk_children()]
    parts += [n.message + n.title for n in user.app._notifications]
    parts += [user.app.clipboard, user.app.export_screenshot()]
    return "\n".join(parts)


async def test_logout_is_asked_and_its_command_and_status_are_told() -> None:
    hands = Hands(desk := Desk())
    async with console(desk, hands) as user:
        await user.press("l")
        await user.sees(f"Log out {STOLEN}")
        await user.press("l", "enter")
        await user.sees("Ends the account's sessions", gone=True)
        assert not hands.logouts, "neither the same key again nor Enter did it"
        await user.press("l")
        await user.sees("Ends the account's sessions")
        await user.press("y")
        screen = await user.sees(f"The sessions of {STOLEN} ended")
        assert f"bm-cli user logout --email {STOLEN}" in screen
        assert "exit status 0" in screen
    assert hands.logouts == [STOLEN]


async def test_a_logout_that_failed_says_so() -> None:
    hands = Hands(desk := Desk())
    hands.said = Done("logout", STOLEN, False, "BlueMind refused: Error handling [bold]x[/bold].", ("bm-cli",), 0)
    async with console(desk, hands) as user:
        await user.press("l")
        await user.sees("Ends the account's sessions")
        await user.press("y")
        await user.sees(r"BlueMind refused: Error handling \[bold\]x\[/bold\]")


async def test_a_login_that_may_not_reach_a_command_is_refused_with_the_sentence() -> None:
    for login in ("admin", "all", "-x", "a@b@c", "$(reboot)@example.com x"):
        hands = Hands(desk := Desk())
        desk.senders = [sender(login)]
        async with console(desk, hands) as user:
            for key in ("l", "p"):
                await user.press(key)
                await user.sees("is not a full address; name the account as local-part@domain")
                await user.press("escape")
                await user.sees("not a full address", gone=True)
        assert not hands.logouts
        assert not hands.passwords


async def test_a_client_that_got_in_stands_for_the_one_login_it_used() -> None:
    hands = Hands(desk := Desk())
    desk.failed = [
        failed_login(BOT, succeeded=("alice", "alice@example.com")),
        failed_login("192.0.2.8", succeeded=("alice@example.com", "bob@example.com")),
        failed_login("192.0.2.9"),
    ]
    async with console(desk, hands) as user:
        await user.press("tab", "tab", "l")
        await user.sees(f"Log out {STOLEN}")
        await user.press("escape")
        await user.press("down", "l")
        await user.sees("got in with 2 logins; choose one of them among the senders")
        await user.press("escape")
        await user.press("down", "l")
        await user.sees("is a client without a login")


async def test_a_made_password_is_shown_only_while_asked_for() -> None:
    hands = Hands(desk := Desk())
    async with console(desk, hands) as user:
        await user.press("p")
        await user.sees(f"New password for {STOLEN}")
        await user.press("right", "enter")
        screen = await user.sees("has a new password")
        assert MADE not in screen
        await user.press("s")
        assert MADE in user.screen()
        await user.press("s")
        assert MADE not in user.screen()
        await user.press("s", "enter")
        await user.sees("has a new password", gone=True)
        assert MADE not in everything_kept(user)
        assert not [s for s in gc.get_objects() if isinstance(s, Secret) and s.reveal()]
    assert hands.passwords == {STOLEN: MADE}


async def test_a_typed_password_is_never_shown_and_kept_nowhere() -> None:
    hands = Hands(desk := Desk())
    async with console(desk, hands) as user:
        await user.press("p")
        await user.sees(f"New password for {STOLEN}")
        await user.pilot.click("#first")
        await user.type(TYPED)
        await user.press("enter")
        await user.type(TYPED)
        fields = list(user.app.screen.query(Input))
        assert TYPED not in user.screen()
        await user.press("ctrl+a", "ctrl+c", "ctrl+x")
        assert TYPED not in user.app.clipboard, "it cannot be copied out of its field"
        await user.press("enter", "enter")
        screen = await user.sees("has a new password")
        assert TYPED not in screen
        assert "s shows" not in screen
        await user.press("escape")
        await user.sees("has a new password", gone=True)
        assert TYPED not in everything_kept(user)
        assert [field.value for field in fields] == ["", ""]
        assert not [s for s in gc.get_objects() if isinstance(s, Secret) and s.reveal()]
    assert hands.passwords == {STOLEN: TYPED}


async def test_two_different_or_no_passwords_are_not_set() -> None:
    hands = Hands(desk := Desk())
    async with console(desk, hands) as user:
        await user.press("p")
        await user.sees(f"New password for {STOLEN}")
        await user.pilot.click("#typed")
        await user.sees("Nothing was typed")
        await user.type("one")
        await user.press("tab")
        await user.type("other")
        await user.pilot.click("#typed")
        await user.sees("The two are not the same")
        assert [field.value for field in user.app.screen.query(Input)] == ["", ""]
        await user.press("escape")
        await user.sees("New password", gone=True)
    assert not hands.passwords


async def test_a_password_is_in_no_message_whatever_goes_wrong() -> None:
    hands = Hands(desk := Desk())
    for error in (
        CommandFailed("BlueMind did not answer; try again."),
        ValueError(f"unexpected: {MADE}"),
        OSError(5, MADE),
    ):
        hands.refuses = error
        async with console(desk, hands) as user:
            await user.press("p")
            await user.sees(f"New password for {STOLEN}")
            await user.press("right", "enter")
            screen = await user.sees("did not answer|bmtop itself failed")
            assert MADE not in screen
            assert MADE not in everything_kept(user)
    assert MADE not in repr(Secret(MADE))
    assert not hands.passwords


async def test_where_the_process_list_would_show_the_password_it_asks_before() -> None:
    for answer, expected in (("enter", {}), ("y", {STOLEN: MADE})):
        hands = Hands(desk := Desk())
        hands.argv_only = True
        async with console(desk, hands) as user:
            await user.press("p")
            await user.sees(f"New password for {STOLEN}")
            await user.press("right", "enter")
            await user.sees("Every user of the server would see the password")
            assert not hands.passwords
            await user.press(answer)
            await user.sees("Every user of the server", gone=True)
            await user.when(lambda: hands.passwords == expected, "set, or left alone")  # noqa: B023
