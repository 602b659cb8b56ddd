"""BlueMind: by REST where that can be had, else by bm-cli; and each action says what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bmtop.bluemind.bluemind import Answer, BlueMind
from bmtop.bluemind.bmcli import BmCli, OnlyInArgv
from bmtop.bluemind.passwords import make
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import Service
from bmtop.bluemind.session import CannotList
from bmtop.checked import Login, Refused
from bmtop.server import CommandFailed
from tests.bluemind import bm_cli_standin, rest_standin
from tests.bluemind.core import DOMAIN, Core


def failure(done: Callable[[], object], kind: type[Exception] = CommandFailed) -> str:
    with pytest.raises(kind) as failed:
        done()
    return str(failed.value)


def ends_sessions(answer: Answer, how: str, sentence: str, core: Core) -> None:
    assert (answer.ok, answer.how, answer.sentence) == (True, how, sentence)
    assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]


def test_a_logout_by_rest_says_how_many_sessions_it_ended(bluemind: BlueMind, core: Core, jane: Login) -> None:
    answer = bluemind.logout(jane)
    ends_sessions(answer, "rest", "2 sessions were open, none is now.", core)
    assert (answer.command[0], answer.status) == ("DELETE", 200)
    assert bluemind.logout(jane).sentence == "No session was open, and none is."
    assert bluemind.logout(Login("smith@example.com")).sentence == "1 session was open, none is now."


@pytest.mark.parametrize("login", ["jane.doe@example.com", "Jane.Doe@example.com", "jd@alias.example"])
def test_a_logout_by_bm_cli_says_the_same_and_why_it_was_not_by_rest(
    without_rest: BlueMind, core: Core, login: str
) -> None:
    state = core.load()
    state["users"]["UID-1"]["emails"].append("Jane.Doe@example.com")
    core.save(state)
    answer = without_rest.logout(Login(login))
    ends_sessions(answer, "bm-cli", "2 sessions were open, none is now.", core)
    assert (answer.command[1:], answer.status) == (("user", "logout", f"--email={login}"), 0)
    assert "The key file" in answer.notes[0]
    assert without_rest.logout(Login(login)).sentence == "No session was open, and none is."


def test_a_session_that_is_open_again_is_no_success(
    bluemind: BlueMind, without_rest: BlueMind, core: Core, jane: Login
) -> None:
    core.change(logs_in_again="UID-1")
    for way in (bluemind, without_rest):
        answer = way.logout(jane)
        assert not answer.ok
        assert answer.sentence.startswith("Sessions open after the logout: 2 (before: 2); set a new password")


def test_an_old_bluemind_logs_out_and_says_that_nobody_saw_it(
    bluemind: BlueMind,
    without_rest: BlueMind,
    program: bm_cli_standin.Standin,
    service: rest_standin.Standin,
    core: Core,
    jane: Login,
) -> None:
    program.behave(old=True)
    service.old = True
    sessions = core.load()["sessions"]
    for way, how in ((bluemind, "rest"), (without_rest, "bm-cli")):
        core.change(sessions=sessions)
        answer = way.logout(jane)
        assert answer.how == how
        assert "whether a session is left was not seen: This BlueMind is too old" in answer.sentence
        assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]
        failure(lambda way=way: way.sessions(jane), CannotList)  # type: ignore[misc]


def test_a_list_that_fails_does_not_stand_in_the_way_of_a_logout(
    bluemind: BlueMind, service: rest_standin.Standin, core: Core, jane: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "sessions", lambda domain: {"no": "list"})
    answer = bluemind.logout(jane)
    assert "was not seen" in answer.sentence
    assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]


def test_the_sessions_of_an_account(bluemind: BlueMind, without_rest: BlueMind, jane: Login) -> None:
    for way in (bluemind, without_rest):
        for login in (jane, Login("jd@alias.example")):
            assert [session.origin for session in way.sessions(login)] == ["webmail", "eas"]


def test_a_password_is_set_by_rest_and_bm_cli_is_not_asked(
    bluemind: BlueMind, program: bm_cli_standin.Standin, core: Core, jane: Login
) -> None:
    password = make()
    answer = bluemind.set_password(jane, password)
    assert core.can_log_in(jane, password)
    assert (answer.ok, answer.how, answer.status, answer.notes) == (True, "rest", 200, ())
    assert program.calls() == []
    assert password not in repr(answer)


def test_a_password_is_set_by_bm_cli_where_there_is_no_key(without_rest: BlueMind, core: Core, jane: Login) -> None:
    password = make()
    answer = without_rest.set_password(jane, password)
    assert core.can_log_in(jane, password)
    assert (answer.ok, answer.how, answer.status) == (True, "bm-cli", 0)
    assert answer.command[-1].startswith("@/proc/")
    assert password not in repr(answer)


def test_a_password_is_set_by_bm_cli_where_nothing_answers(
    cli: BmCli, core: Core, token: Path, service: rest_standin.Standin, jane: Login
) -> None:
    with rest_standin.serving(core) as gone:
        url = gone.url
    password = make()
    answer = BlueMind(Rest(Service(url, token)), cli).set_password(jane, password)
    assert core.can_log_in(jane, password)
    assert "Nothing answers at" in answer.notes[0]


def test_an_error_of_rests_is_the_answer(
    bluemind: BlueMind, program: bm_cli_standin.Standin, service: rest_standin.Standin, token: Path, jane: Login
) -> None:
    nobody = Login("nobody@example.com")
    assert "knows no account nobody@" in failure(lambda: bluemind.set_password(nobody, make()))
    assert "knows no account nobody@" in failure(lambda: bluemind.logout(nobody))
    service.instead = (500, {}, b'{"message": "broken"}')
    assert "failed (500): broken" in failure(lambda: bluemind.set_password(jane, make()))
    service.instead = None
    token.write_text("another-key")
    assert "refused the key" in failure(lambda: bluemind.set_password(jane, make()))
    assert program.calls() == []


@pytest.mark.parametrize("bad", ["Ab-1", "d41d8cd98f00b204e9800998ecf8427e", "Abc-12\n", "{SSHA}Aa1/bbb="])
def test_a_password_that_bluemind_would_misread_is_given_to_nobody(
    bluemind: BlueMind,
    without_rest: BlueMind,
    program: bm_cli_standin.Standin,
    service: rest_standin.Standin,
    jane: Login,
    bad: str,
) -> None:
    for way in (bluemind, without_rest):
        assert bad.strip() not in failure(lambda way=way: way.set_password(jane, bad), Refused)  # type: ignore[misc]
    assert service.requests == []
    assert program.calls() == []


def test_consent_is_asked_for_and_noted(without_rest: BlueMind, core: Core, jane: Login, tmp_path: Path) -> None:
    without_rest.cli.memory, password = tmp_path / "none", make()
    assert password not in failure(lambda: without_rest.set_password(jane, password), OnlyInArgv)
    assert core.can_log_in(jane, "old")
    answer = without_rest.set_password(jane, password, allow_argv=True)
    assert "list of processes" in answer.notes[0]
    assert password not in repr(answer)


def test_where_neither_way_can_be_had_both_are_named(without_rest: BlueMind, jane: Login) -> None:
    without_rest.cli.program = "/no/such/bm-cli"
    assert not without_rest.present()
    sentence = failure(lambda: without_rest.logout(jane))
    assert "/no/such/bm-cli was not found" in sentence
    assert "The key file" in sentence


def test_a_bluemind_is_present_where_there_is_a_key_or_a_bm_cli(bluemind: BlueMind, without_rest: BlueMind) -> None:
    assert without_rest.present()
    bluemind.cli.program = "/no/such/bm-cli"
    assert bluemind.present()


def test_an_account_is_suspended_and_let_in_again(bluemind: BlueMind, core: Core, jane: Login) -> None:
    answer = bluemind.suspend(jane)
    assert (answer.ok, answer.sentence) == (True, "jane.doe@example.com is suspended now.")
    assert not core.can_log_in(jane, "old")
    again = bluemind.suspend(jane)
    assert (again.sentence, again.command) == ("jane.doe@example.com was suspended already.", ())
    assert bluemind.reactivate(jane).sentence == "jane.doe@example.com is active now."
    assert core.can_log_in(jane, "old")


def test_a_suspension_that_bluemind_took_and_did_not_make_is_no_success(
    bluemind: BlueMind, service: rest_standin.Standin, jane: Login
) -> None:
    service.instead, service.only = (200, {}, b""), "POST"
    answer = bluemind.suspend(jane)
    assert not answer.ok
    assert answer.sentence.startswith("jane.doe@example.com is not suspended, though BlueMind took it")


def test_a_suspension_that_nobody_saw_is_no_success_and_its_end_is_one(
    bluemind: BlueMind, service: rest_standin.Standin, core: Core, jane: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked at is told as what is less safe: the account is not shut."""
    update = core.update

    def then_fails(uid: str, user: dict[str, Any]) -> None:
        update(uid, user)
        service.instead, service.only = (500, {}, b'{"message": "broken"}'), "GET"

    monkeypatch.setattr(core, "update", then_fails)
    answer = bluemind.suspend(jane)
    assert not answer.ok
    assert "was not seen to be suspended; see its web console: BlueMind failed (500): broken" in answer.sentence
    service.instead = None
    assert bluemind.suspend(jane).ok
    answer = bluemind.reactivate(jane)
    assert (answer.ok, core.load()["users"]["UID-1"]["archived"]) == (True, False)
    assert "was not seen to be active" in answer.sentence


def test_bm_cli_cannot_suspend(without_rest: BlueMind, program: bm_cli_standin.Standin, jane: Login) -> None:
    assert "bm-cli cannot do this; BlueMind's web console can." in failure(lambda: without_rest.suspend(jane))
    assert program.calls() == []


def test_the_trusted_networks_are_set_and_looked_at(bluemind: BlueMind, without_rest: BlueMind, core: Core) -> None:
    for way in (bluemind, without_rest):
        answer = way.set_mynetworks("127.0.0.0/8, 192.0.2.128/25 [2001:db8::]/32")
        assert answer.ok
        assert answer.sentence == f"BlueMind's trusted networks are now {core.load()['sysconf']['mynetworks']}."
        assert "BlueMind added 192.0.2.10/32." in answer.notes
        assert way.mynetworks() == core.load()["sysconf"]["mynetworks"]


def test_a_network_that_bluemind_left_out_is_named(bluemind: BlueMind, core: Core) -> None:
    core.change(drops=["198.51.100.0/24"])
    answer = bluemind.set_mynetworks("127.0.0.0/8 198.51.100.0/24")
    assert not answer.ok
    assert "left out 198.51.100.0/24" in answer.sentence


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("127.0.0.0/8, !192.0.2.7", "would drop the !"),
        ("", "cannot be empty"),
        (" , ", "cannot be empty"),
        ("192.0.2.7/24", "is not a network"),
        ("mail.example.com", "is not a network"),
        ("/etc/postfix/networks", "is not a network"),
        ("hash:/etc/x", "is not a network"),
        ("192.0.2.0/33", "is not a network"),
    ],
)
def test_what_bluemind_would_turn_into_something_else_is_refused(
    bluemind: BlueMind, service: rest_standin.Standin, text: str, why: str
) -> None:
    assert why in failure(lambda: bluemind.set_mynetworks(text), Refused)
    assert service.requests == []


def test_each_login_of_the_facts_leads_to_the_account(bluemind: BlueMind, core: Core) -> None:
    for login in ("jane.doe@example.com", "jd@alias.example", f"jdoe@{DOMAIN}"):
        password = make()
        bluemind.set_password(Login(login), password)
        assert core.can_log_in("jane.doe@example.com", password)
