"""The runbook does nothing that was not shown and confirmed, whatever fails before it could be shown."""

import pytest

from bmtop.checked import Client, Refused
from bmtop.response.untrust import Change, Changed
from bmtop.server import CommandFailed
from tests.console.desk import HONEST, STOLEN, Desk, Hands, User, console, message, relay
from tests.console.test_console_runbook import becomes, opened, run, setting

CLIENT = "192.0.2.2"
SLOW = "The queue was not listed within 120 seconds; see whether the server is overloaded."


class Once:
    """Fails once in the place of what it stands before."""

    def __init__(self, error: Exception) -> None:
        self._errors = [error]

    def __call__(self) -> None:
        if self._errors:
            raise self._errors.pop()


def slow_once(desk: Desk, error: Exception) -> None:
    fails, refresh = Once(error), desk.refresh

    async def listed() -> str:
        fails()
        return await refresh()

    desk.refresh = listed  # type: ignore[method-assign]


def relay_setting() -> tuple[Desk, Hands]:
    desk = Desk(message(1, login=None, client=CLIENT))
    desk.relays = [relay(CLIENT, kind="trusted", network="192.0.2.0/30")]
    return desk, Hands(desk)


async def relay_runbook(user: User) -> None:
    await user.press("tab", "c")
    await user.sees(f"─ Contain {CLIENT}")


@pytest.mark.parametrize("error", [CommandFailed(SLOW), Refused("The envelopes of 1 messages could not be read.")])
async def test_a_queue_that_cannot_be_listed_is_a_purge_that_failed(error: Exception) -> None:
    desk, hands = setting()
    slow_once(desk, error)
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Delete what")
        await becomes(user, "FAILED", "Delete what")
        await user.sees(str(error))
        assert not hands.plans, "nothing was shown, so nothing is deleted"
        await user.press("enter")
        await user.sees("3 of 3 messages chosen")
        await user.press("y")
        await becomes(user, "DONE", "Delete what")
    assert [len(plan.messages) for plan in hands.plans] == [3]


async def test_a_queue_as_it_was_listed_before_is_no_ground_to_purge_by() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        desk.not_listed = "The queue cannot be read; see whether Postfix runs."
        await run(user, "Delete what")
        await becomes(user, "FAILED", "Delete what")
        await user.sees(desk.not_listed)
    assert not hands.plans


async def test_connections_are_ended_again_by_what_they_are_then() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        for _ in range(2):
            await run(user, "End its SMTP connections")
            await user.sees("src SERVER:PORT dst CLIENT:PORT")
            await user.press("y")
            await becomes(user, "DONE", "End its SMTP connections")


async def test_all_steps_delete_nothing_that_could_not_be_shown() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Hold what is queued")
        await becomes(user, "DONE", "Hold what is queued")
        slow_once(desk, CommandFailed(SLOW))
        await user.press("a")
        await user.sees("The list of the purge is shown before anything is deleted")
        await user.press("y")
        await user.sees("kept nowhere")
        await user.press("escape")
        await becomes(user, "FAILED", "Delete what")
        await becomes(user, "DONE", "Set a new password", "Empty the SASL", "End its SMTP")
    assert [plan.action for plan in hands.plans] == ["hold"]
    assert [m.login for m in desk.messages.values()] == [STOLEN] * 3 + [HONEST]


async def test_a_change_of_mynetworks_that_cannot_be_shown_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, hands = relay_setting()
    fails, prepare = (
        Once(CommandFailed("postconf did not end within 60 seconds and was stopped.")),
        hands.prepare_untrust,
    )

    def prepared(client: Client) -> Change:
        fails()
        return prepare(client)

    monkeypatch.setattr(hands, "prepare_untrust", prepared)
    async with console(desk, hands) as user:
        await relay_runbook(user)
        await run(user, "Take it out of")
        await becomes(user, "FAILED", "Take it out of")
        await user.sees("postconf did not end within 60 seconds")
        assert not hands.untrusted
        await user.press("enter")
        await user.sees("mynetworks before")
        await user.press("y")
        await becomes(user, "DONE", "Take it out of")
    assert hands.untrusted == [CLIENT]


async def test_the_change_of_mynetworks_that_was_shown_is_the_one_that_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, hands = relay_setting()
    made: list[Change] = []

    def change_trust(change: Change) -> Changed:
        made.append(change)
        return Changed(change, True, "done")

    monkeypatch.setattr(hands, "change_trust", change_trust)
    async with console(desk, hands) as user:
        await relay_runbook(user)
        await run(user, "Take it out of")
        await user.sees("127.0.0.0/8, 192.0.2.0/30")
        hands.trusted = "127.0.0.0/8, 192.0.2.0/24"
        await user.press("y")
        await becomes(user, "DONE", "Take it out of")
    assert [change.before for change in made] == ["127.0.0.0/8, 192.0.2.0/30"]


async def test_a_purge_of_what_was_ticked_leaves_the_rest_to_do() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Delete what")
        await user.sees("3 of 3 messages chosen")
        await user.press("down", "space")
        await user.sees("2 of 3 messages chosen")
        await user.press("y")
        await user.sees("2 of 2 messages deleted. The rest of its mail was left out by choice.")
        await becomes(user, "TO DO", "Delete what")
        await user.press("enter")
        await user.sees("1 of 1 message chosen")
        await user.press("y")
        await becomes(user, "DONE", "Delete what")
    assert [(len(plan.messages), plan.unticked) for plan in hands.plans] == [(2, 1), (1, 0)]
    assert [m.login for m in desk.messages.values()] == [HONEST]


async def test_a_hold_instead_of_the_purge_is_told_and_so_is_one_that_fails() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        hands.refuses = CommandFailed("postsuper failed: fatal: out of luck.")
        await run(user, "Delete what")
        await user.sees("3 of 3 messages chosen")
        await user.pilot.click("#hold")
        await becomes(user, "FAILED", "Delete what")
        await user.sees("postsuper failed: fatal: out of luck")
        await run(user, "Delete what")
        await user.sees("3 of 3 messages chosen")
        await user.pilot.click("#hold")
        await user.sees("Put on hold 3 of 3")
        await user.press("escape")
        await user.sees("Put on hold", gone=True)
    assert [plan.action for plan in hands.plans] == ["hold"]
    assert STOLEN in {m.login for m in desk.messages.values()}


async def test_the_password_that_was_made_is_shown_though_what_comes_after_it_fails() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await user.press("x")
        await becomes(user, "LEFT OUT", "Hold what is queued")
        await user.press("a")
        await user.sees("The list of the purge is shown before anything is deleted")
        await user.press("y")
        await user.sees("3 of 3 messages chosen")
        hands.refuses = CommandFailed("postsuper failed: fatal: out of luck.")
        await user.pilot.click("#hold")
        await user.sees("kept nowhere: note it down now")
        await user.press("escape")
        await becomes(user, "FAILED", "Delete what")
        await becomes(user, "DONE", "Set a new password", "End its SMTP")
    assert hands.passwords
    assert not hands.plans
