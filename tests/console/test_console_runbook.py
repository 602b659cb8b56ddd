"""Containment in the console: the runbook's steps, the watch and its alarm, and keep holding."""

import gc
import re

import pytest

from bmtop.console.secret import Secret
from bmtop.incident.watch import Verdict
from bmtop.response.copies import NoRoom
from tests.console.desk import BOT, HONEST, STOLEN, Desk, Hands, User, console, failed_login, message, queue_id
from tests.console.ward import Watcher, alarm

MADE = "mAde-Up-pass-w0rd"
ORDER = [
    "Hold what is queued",
    "Set a new password",
    "Log out of",
    "Empty the SASL",
    "End its SMTP",
    "Delete what",
    "Watch",
]


def setting(count: int = 3) -> tuple[Desk, Hands]:
    desk = Desk(*(message(n) for n in range(count)), message(50, HONEST))
    return desk, Hands(desk)


async def opened(user: User) -> None:
    await user.press("c")
    await user.sees(f"─ Contain {STOLEN}")


async def run(user: User, step: str) -> None:
    """Put the cursor on a step, and press enter."""
    await user.press("home")
    while f"▸ {step}" not in user.screen():
        await user.press("down")
    await user.press("enter")


def word(user: User, step: str) -> str:
    """The state of a step in the list."""
    found = re.search(
        rf"{step}.*? (TO DO|RUNNING|DONE|FAILED|LEFT OUT|MISSING|WATCHING|CONTAINED|ALARM) ", user.screen()
    )
    assert found, user.screen()
    return found[1]


async def becomes(user: User, expected: str, *steps: str) -> None:
    """Wait until these steps have this state: what came of them is shown a moment later."""
    await user.when(lambda: {word(user, step) for step in steps} == {expected}, f"{steps} {expected}")


async def test_the_runbook_shows_every_step_and_does_nothing_by_itself() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        screen = user.screen()
        places = [screen.index(step) for step in ORDER]
        assert places == sorted(places)
        assert screen.count("TO DO") >= 8
        for command in ("postsuper -h -", f"bm-cli user password {STOLEN}", f"bm-cli user logout {STOLEN}"):
            await user.sees(rf"command +{command}")
            await user.press("down")
        await user.press("a", "enter")
        await user.sees("These steps are done in order", gone=True)
        assert not hands.steps + hands.plans + hands.logouts, "Cancel had the focus"
        await user.press("escape")
        screen = await user.sees("Relay clients")
        assert "CONTAINING" not in screen


async def test_all_steps_in_order_and_the_password_only_on_request() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await user.press("a")
        await user.sees("These steps are done in order")
        await user.press("y")
        await user.sees("3 of 3 messages chosen")
        assert hands.passwords == {STOLEN: MADE}
        assert hands.steps == ["cache", "connections"]
        assert hands.watcher.on, "it watches while the list is looked at"
        assert not [p for p in hands.plans if p.action == "purge"], "nothing is deleted before the list is confirmed"
        await user.press("y")
        screen = await user.sees("kept nowhere: note it down now")
        assert MADE not in screen
        await user.press("s")
        assert MADE in user.screen()
        await user.press("escape")
        await user.sees("note it down", gone=True)
        await user.sees("WATCHING  Quiet for 5 s")
        await becomes(user, "DONE", *ORDER[:-1])
        await becomes(user, "TO DO", "Suspend the account")
        assert MADE not in user.screen()
        assert not [s for s in gc.get_objects() if isinstance(s, Secret) and s.reveal()]
        assert hands.logouts == [STOLEN]
        assert {m.login for m in desk.messages.values()} == {HONEST}
        await user.press("escape")
        screen = await user.sees(r"bmtop mail.*CONTAINING")
        assert re.search(rf"{STOLEN} .*CONTAINING · 12 failed logins", screen)
        assert "CONTAINING" not in user.line(HONEST)


async def test_a_step_that_fails_says_why_and_hides_no_other() -> None:
    desk, hands = setting(0)
    hands.refused = {"cache": "bm-ysnp is masked; [b]unmask[/b] it."}
    async with console(desk, hands) as user:
        await opened(user)
        await user.press("a")
        await user.sees("These steps are done in order")
        await user.press("y")
        await user.sees("kept nowhere")
        await user.press("escape")
        await user.sees("WATCHING")
        await becomes(user, "FAILED", "Empty the SASL")
        await becomes(user, "DONE", *(step for step in ORDER[:-1] if "SASL" not in step))
        await user.press("home", "down", "down", "down")
        await user.sees(r"bm-ysnp is masked; \[b\]unmask\[/b\] it\.")
        hands.refused = {}
        await user.press("enter")
        screen = await user.sees("454, try again later")
        assert "systemctl restart bm-ysnp" in screen
        assert "cache" not in hands.steps, "it is asked before everybody's logins are touched"
        await user.press("y")
        await user.sees(r"cache was done\.")


@pytest.mark.parametrize("agreed", [False, True])
async def test_without_room_for_a_copy_the_purge_asks_before_it_goes_on(agreed: bool) -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        hands.refuses = NoRoom("There is no room for the undo copy.")
        await run(user, "Delete what")
        await user.sees("3 of 3 messages chosen")
        await user.press("y")
        await user.sees("this purge cannot be undone")
        assert not hands.plans
        await user.press("y" if agreed else "escape")
        await user.sees("3 of 3 messages deleted" if agreed else "cannot be undone", gone=not agreed)
        await becomes(user, "DONE" if agreed else "FAILED", "Delete what")
    assert hands.without_undo == [False, True][: 1 + agreed]
    assert {m.login for m in desk.messages.values()} == ({HONEST} if agreed else {STOLEN, HONEST})


async def test_one_step_at_a_time_left_and_come_back_to() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Hold what is queued")
        await user.sees(r"3 of 3 messages held")
        await user.press("down", "down", "x")
        await user.sees("LEFT OUT")
        await user.press("escape")
        await user.sees(rf"{STOLEN} .*CONTAINING")
        hands.keeps[0].comes_in = [queue_id(7), queue_id(8)]
        await user.sees("HOLDING 2 held")
        await opened(user)
        await becomes(user, "DONE", "Hold what is queued")
        await becomes(user, "LEFT OUT", "Log out of")
        await user.sees("2 newly held")
        assert "without sessions" in hands.watcher.told
        await run(user, "Delete what")
        await user.sees("3 of 3 messages chosen")
        await user.press("escape")
        await user.sees("3 of 3 messages chosen", gone=True)
        await becomes(user, "TO DO", "Delete what")
    assert [plan.action for plan in hands.plans] == ["hold"]
    assert not hands.logouts


async def test_a_password_may_be_typed_and_is_asked_about_where_the_process_list_would_show_it() -> None:
    desk, hands = setting()
    hands.argv_only = True
    async with console(desk, hands) as user:
        await opened(user)
        for answer, expected in (("enter", {}), ("y", {STOLEN: MADE})):
            await run(user, "Set a new password")
            await user.sees(f"─ New password for {STOLEN}")
            await user.press("right", "enter")
            await user.sees("─ New password for .*\n(.*\n)*.*Set it all the same")
            assert not hands.passwords
            await user.press(answer)
            await user.sees("Set it all the same", gone=True)
            await user.when(lambda: hands.passwords == expected, "set, or left alone")  # noqa: B023
        await user.sees("kept nowhere")
        await user.press("escape")
        await user.sees("kept nowhere", gone=True)
        await becomes(user, "DONE", "Set a new password")
        hands.argv_only = False
        await run(user, "Set a new password")
        await user.sees("again +")
        await user.pilot.click("#first")
        await user.type("Typed-By-Hand-42!")
        await user.press("enter")
        await user.type("Typed-By-Hand-42!")
        await user.press("enter", "enter")
        await user.when(lambda: hands.passwords == {STOLEN: "Typed-By-Hand-42!"}, "the typed one is set")
        await user.sees("again +", gone=True)
        assert "Typed-By" not in user.screen()
        assert not [s for s in gc.get_objects() if isinstance(s, Secret) and s.reveal()]


@pytest.mark.parametrize("size", [(140, 45), (80, 24)])
async def test_an_alarm_is_said_in_words_heard_once_and_one_key_does_what_is_missing(size: tuple[int, int]) -> None:
    desk, hands = setting()
    bells = 0

    def bell() -> None:
        nonlocal bells
        bells += 1

    async with console(desk, hands, size=size) as user:
        user.app.bell = bell  # type: ignore[method-assign]
        await opened(user)
        await run(user, "Watch")
        await user.sees("WATCHING")
        await user.press("escape", "space")
        hands.watcher.says = alarm("connections")
        screen = await user.sees(rf"ALARM {STOLEN}: Still sending 40 s after the new password")
        assert "PAUSED" in screen, "it is told all the same"
        assert "! End its SMTP connections" in re.sub(" +", " ", screen)
        assert bells == 1
        await user.press("space")
        await user.sees(rf"{STOLEN} .*ALARM")
        await user.look_again()
        assert bells == 1
        hands.watcher.says = alarm("cache", "connections")
        await user.sees(r"for lack\s+of cache")
        await user.look_again()
        assert bells == 2, "another one is missing"
        hands.watcher.says = alarm("connections")
        await user.sees(r"for lack\s+of cache", gone=True)
        await opened(user)
        await user.sees("MISSING")
        await user.press("escape")
        await user.sees("! +End its SMTP")
        await user.press("exclamation_mark")
        await user.sees("Do it")
        assert not hands.steps
        await user.press("y")
        await user.when(lambda: hands.steps == ["connections"], "what was missing is done")
        hands.watcher.says = Verdict("watching", ("Quiet for 1 s.",))
        await user.sees("ALARM", gone=True)


async def test_contained_with_its_evidence() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Watch")
        evidence = ("New password: 12:00:00", "Last message: none since 12:00:01")
        hands.watcher.says = Verdict("contained", ("Contained: quiet for 10 min.",), (), evidence)
        await user.sees("CONTAINED  Contained: quiet for 10 min")
        for line in evidence:
            await user.sees(line)
        await user.press("escape")
        await user.sees(rf"{STOLEN} .*CONTAINED ·")
        await user.when(lambda: len(hands.noted) == 1, "it is written down")
        await user.press("q")
        await user.when(lambda: not user.app.is_running, "nothing is left to be asked")


async def test_a_suspended_account_is_let_in_again() -> None:
    desk, hands = setting(0)
    async with console(desk, hands) as user:
        await opened(user)
        for command, state, done in (
            ("bm-cli user suspend", "DONE", ["suspend"]),
            ("bm-cli user reactivate", "TO DO", ["suspend", "reactivate"]),
        ):
            await run(user, "Suspend the account")
            await user.sees(rf"─ Contain {STOLEN}.*\n(.*\n)*.*{command} {STOLEN}")
            await user.sees("Do it")
            await user.press("y")
            await user.sees("Do it", gone=True)
            await becomes(user, state, "Suspend the account")
            assert hands.steps == done
            await user.sees("enter lets it in again" if state == "DONE" else "Only where the others are not enough")
        hands.refused = {"reactivate": "BlueMind does not answer."}
        for expected in (r"suspend was done\.", r"Still so: BlueMind does not answer\."):
            await run(user, "Suspend the account")
            await user.sees("Do it")
            await user.press("y")
            await user.sees(expected)
        await becomes(user, "DONE", "Suspend the account")


async def test_one_that_was_contained_and_comes_back_gets_a_new_runbook() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await opened(user)
        await run(user, "Hold what is queued")
        await user.sees("3 of 3 messages held")
        await run(user, "Watch")
        await user.sees("WATCHING  Quiet")
        assert " n New " not in user.screen()
        await user.press("n")
        await becomes(user, "DONE", "Hold what is queued")
        hands.watcher.says = Verdict("contained", ("Contained: quiet for 10 min.",))
        await user.sees(" n New ")
        hands.watcher = Watcher()
        await user.press("n")
        await user.sees("Not watched yet")
        await becomes(user, "TO DO", *ORDER)
        hands.keeps[0].comes_in = [queue_id(7)]
        await user.sees("1 newly held")


async def test_a_client_is_contained_with_its_own_steps() -> None:
    desk, hands = setting(0)
    desk.failed = [failed_login(BOT, succeeded=("alice", STOLEN)), failed_login("192.0.2.8")]
    async with console(desk, hands) as user:
        await user.press("tab", "c")
        screen = await user.sees(f"─ Contain {re.escape(BOT)}")
        assert "Set a new password" not in screen
        await run(user, "Take it out of")
        screen = await user.sees("mynetworks before")
        assert "192.0.2.0/31" in screen
        assert not hands.untrusted
        await user.press("y")
        await user.sees(f"Postfix trusts {re.escape(BOT)} no more")
        await becomes(user, "DONE", "Take it out of")
        await user.press("escape")
        await user.sees(rf"{re.escape(BOT)} .*CONTAINING")
        await user.press("tab", "c")
        await user.sees(f"─ Contain {STOLEN}")
        await user.press("escape")
        await user.press("down", "c")
        await user.sees("─ Contain 192.0.2.8")


async def test_keep_holding_is_asked_counted_and_ended() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await user.press("H")
        await user.sees("put on hold within a second")
        await user.press("enter")
        await user.sees("put on hold within a second", gone=True)
        assert not hands.keeps, "Cancel had the focus"
        await user.press("H")
        await user.sees("put on hold within a second")
        await user.press("y")
        await user.sees(rf"{STOLEN} .*HOLDING")
        hands.keeps[0].comes_in = [queue_id(7)]
        await user.sees("HOLDING 1 held")
        assert "HOLDING" not in user.line(HONEST)
        hands.keeps[0].problem = "The queue cannot be looked through."
        await user.sees(f"PROBLEM {STOLEN}: The queue cannot be looked through")
        await opened(user)
        await user.sees("1 newly held")
        assert [keep.on for keep in hands.keeps] == [True], "the runbook goes on with what holds already"
        await user.press("escape")
        await user.press("H")
        await user.sees("1 message of .* put on hold")
        assert not hands.keeps[0].on
        await user.press("escape")
        await user.sees("HOLDING", gone=True)


async def test_quitting_ends_holding_and_says_so_before() -> None:
    desk, hands = setting()
    async with console(desk, hands) as user:
        await user.press("H")
        await user.sees("put on hold within a second")
        await user.press("y")
        await user.sees("HOLDING")
        await user.press("q")
        await user.sees(rf"{STOLEN}: keep holding ends; 0 held so far")
        await user.press("enter")
        await user.sees("keep holding ends", gone=True)
        assert user.app.is_running
        await user.press("q")
        await user.sees("keep holding ends")
        await user.press("y")
        await user.when(lambda: not user.app.is_running, "it ends")
    assert user.app.close() == [f"Keep holding has ended: 0 messages of {STOLEN} put on hold."]
    assert not hands.keeps[0].on


async def test_read_only_nothing_of_it_is_begun() -> None:
    desk = Desk(message(1))
    hands = Hands(desk, read_only=True)
    async with console(desk, hands) as user:
        await user.press("tab")
        for key in ("c", "H", "t", "k"):
            await user.press(key)
            await user.sees("bmtop runs read-only: nothing is changed")
            await user.press("escape")
            await user.sees("bmtop runs read-only", gone=True)
    assert not hands.keeps + hands.untrusted + hands.known
