"""A relay client means what came from its address without a login: colleagues behind the same one stay."""

import re

from tests.console.desk import BOT, STOLEN, Desk, Hands, console, failed_login, message, relay

NAT = "192.0.2.66"
COLLEAGUE = "carol@example.com"


def office() -> tuple[Desk, Hands]:
    """A broken-into printer, and three letters of a colleague, behind one address."""
    desk = Desk(
        *(message(n, None, NAT) for n in range(2)),
        *(message(n, COLLEAGUE, NAT, COLLEAGUE) for n in range(10, 13)),
        message(20),
    )
    desk.relays = [relay(NAT)]
    return desk, Hands(desk)


def logins(desk: Desk) -> list[str | None]:
    return [m.login for m in desk.messages.values()]


async def test_a_purge_from_the_relay_pane_spares_who_logged_in_there_and_says_so() -> None:
    desk, hands = office()
    for size in ((140, 45), (80, 24)):
        async with console(desk, hands, size=size) as user:
            await user.press("tab", "d")
            screen = await user.sees("2 of 2 messages chosen")
            assert f"Purge: {NAT}, without a login" in screen
            assert "3 with a login from there are left alone." in screen
            await user.press("escape")
            await user.sees("messages chosen", gone=True)
    async with console(desk, hands) as user:
        await user.press("tab", "d")
        await user.sees("2 of 2 messages chosen")
        await user.press("y")
        await user.sees("Deleted 2 of 2")
    assert logins(desk) == [COLLEAGUE] * 3 + [STOLEN]
    assert [plan.filter.as_dict() for plan in hands.plans] == [{"client": [f"{NAT}/32"], "without_login": True}]


async def test_where_all_of_its_mail_has_a_login_that_is_said_and_nothing_is_offered() -> None:
    desk, hands = office()
    for n in range(2):
        del desk.messages[message(n).id]
    async with console(desk, hands) as user:
        await user.press("tab", "h")
        screen = await user.sees(f"{re.escape(NAT)} has no message without a login in the queue")
        assert "3 with a login from there are left alone" in " ".join(screen.replace("│", " ").split())


async def test_the_runbooks_purge_spares_them_too() -> None:
    desk, hands = office()
    async with console(desk, hands) as user:
        await user.press("tab", "c")
        await user.sees("Delete what it has in the queue")
        await user.press("down", "down", "down", "enter")
        screen = await user.sees("2 of 2 messages chosen")
        assert f"Purge: {NAT}, without a login" in screen
        assert "3 with a login from there are left alone." in screen
        await user.press("y")
        await user.sees("2 of 2 messages deleted")
    assert logins(desk) == [COLLEAGUE] * 3 + [STOLEN]


async def test_keep_holding_says_whose_mail_it_means() -> None:
    desk, hands = office()
    desk.failed = [failed_login(BOT, succeeded=(STOLEN,)), failed_login(NAT)]
    asked = {"relays": "Every message without a login that it", "got in": "Every message that it"}
    async with console(desk, hands) as user:
        for keys, sentence in ((("tab",), asked["relays"]), (("tab",), asked["got in"]), (("down",), asked["relays"])):
            await user.press(*keys, "H")
            await user.sees(sentence)
            await user.press("escape")
            await user.sees(sentence, gone=True)


async def test_a_client_that_got_in_means_what_it_sent_with_the_login_as_well() -> None:
    desk, hands = office()
    async with console(desk, hands) as user:
        await user.press("tab", "tab", "d")
        screen = await user.sees("1 of 1 message")
        assert f"Purge: {BOT}" in screen
        assert "without a login" not in screen


async def test_there_is_no_field_for_a_login_where_none_is_meant() -> None:
    desk, hands = office()
    async with console(desk, hands) as user:
        await user.press("tab", "d")
        await user.sees("2 of 2 messages chosen")
        assert not user.app.screen.query("#login")
        assert user.app.screen.query("#not-client")
