"""The runbook: what fails is said, and hides nothing."""

import fcntl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bmtop.checked import Client, Refused
from bmtop.response.runbook import Runbook
from tests.bluemind import bm_cli_standin, rest_standin
from tests.bluemind.core import Core
from tests.bluemind.sampler import until
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, RESTART, Site, site
from tests.containment.test_bots import Clock, connected_to, contained, ticking, verdict_of
from tests.mailserver import Message, Player, Postfix, wait_until
from tests.mailserver.ports import free_ports
from tests.mailserver.postfix import run
from tests.mailserver.stories import ALICE, BROKEN_RELAY, CAROL, HONEST_RELAY, INTRUDER, OFFICE

SPAM = Message("spam", "winner@lottery.example", ("victim@bank.example",))


def runbook_of(here: Site, login: str = JANE) -> Runbook:
    return here.responder.runbook(here.messages, login=login)


def states(runbook: Runbook) -> dict[str, str]:
    return {step.name: step.state for step in runbook.steps}


def fails_after_update(core: Core, rest: rest_standin.Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have BlueMind take a change of an account, and answer nothing of use afterwards."""
    update = core.update

    def then_fails(uid: str, user: dict[str, Any]) -> None:
        update(uid, user)
        rest.instead, rest.only = (500, {}, b'{"errorCode": "UNKNOWN", "message": "out of memory"}'), "GET"

    monkeypatch.setattr(core, "update", then_fails)


def nobody(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    return here


def down(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    here.settings = replace(here.settings, bm_api=f"http://127.0.0.1:{free_ports(1)[0]}/api")
    return here


def refused_key(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    here.settings.bm_token.write_text("no-key-of-this-server")
    return here


def no_key(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    here.settings.bm_token.unlink()
    return here


def breaks_off(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    rest.instead = (0, {}, b"")
    return here


def in_trouble(here: Site, rest: rest_standin.Standin, folder: Path) -> Site:
    rest.instead = (500, {}, b'{"errorCode": "UNKNOWN", "message": "java.lang.NullPointerException"}')
    return here


Trouble = Callable[[Site, rest_standin.Standin, Path], Site]


@pytest.mark.parametrize(
    ("trouble", "login", "why"),
    [
        (nobody, "nobody@example.com", "BlueMind knows no account nobody@example.com; there is no such user."),
        (nobody, "nobody@elsewhere.example", "BlueMind knows no domain elsewhere.example"),
        (nobody, "jdoe", "'jdoe' is not a full address; name the account as local-part@domain."),
        (
            down,
            JANE,
            "was not found; install it, or name its place in the settings. By REST it could not be done either",
        ),
        (no_key, JANE, "cannot be read"),
        (refused_key, JANE, "BlueMind refused the key in"),
        (breaks_off, JANE, "Whether it was carried out is not known"),
        (in_trouble, JANE, "BlueMind failed (500)"),
    ],
)
def test_what_bluemind_cannot_do_stops_nothing_else(
    here: Site, rest: rest_standin.Standin, tmp_path: Path, trouble: Trouble, login: str, why: str
) -> None:
    runbook = runbook_of(trouble(here, rest, tmp_path), login)
    with ticking(runbook):
        steps = {step.name: step for step in runbook.run_all()}
    assert {name: step.state for name, step in steps.items() if name != "watch"} == {
        "hold": "done", "password": "failed", "sessions": "failed", "cache": "done", "connections": "done",
        "purge": "done", "suspend": "todo",
    }  # fmt: skip
    for name in ("password", "sessions"):
        assert why in steps[name].sentence
        assert "\n" not in steps[name].sentence
        assert f"{name} ({steps[name].sentence.rstrip('.')})" in runbook.summary()
    assert runbook.summary().startswith("Done: hold, cache, connections, purge. Not done: password (")
    assert runbook.take_password() == ""
    if login != "jdoe":
        failed = {entry["action"]: entry["sentence"] for entry in here.journal() if entry["state"] == "failed"}
        assert why in failed["password"]
        assert why in failed["logout"]


def test_a_certificate_of_ones_own_is_not_trusted_until_it_is_named(
    shared: Postfix, core: Core, tmp_path: Path
) -> None:
    certificate, both = rest_standin.self_signed(tmp_path, "127.0.0.1")
    token = tmp_path / "bm-core.tok"
    token.write_text(rest_standin.KEY)
    with rest_standin.serving(core, both) as service:
        here = site(shared, tmp_path, bm_api=service.url, bm_token=token, sasl_restart=RESTART)
        step = runbook_of(here).run("password")
        assert step.state == "failed"
        assert "cannot be trusted (self-signed certificate), and nothing was sent" in step.sentence
        assert service.requests == []
        here.settings = replace(here.settings, bm_ca=certificate)
        assert runbook_of(here).run("password").state == "done"


def test_a_time_out_is_said_and_the_step_can_be_run_again(here: Site, core: Core, rest: rest_standin.Standin) -> None:
    responder = here.responder
    responder._account_server.rest.service.timeout = 0.3  # type: ignore[attr-defined]
    runbook = responder.runbook(here.messages, login=JANE)
    rest.go.clear()
    step = runbook.run("password")
    rest.go.set()
    assert step.state == "failed"
    assert "did not answer within" in step.sentence
    assert core.can_log_in(JANE, "old")
    assert runbook.run("password").state == "done"
    assert core.can_log_in(JANE, runbook.take_password())


def test_one_step_at_a_time(here: Site, rest: rest_standin.Standin) -> None:
    runbook = runbook_of(here)
    rest.go.clear()
    thread = threading.Thread(target=runbook.run, args=["sessions"])
    thread.start()
    until(rest.waiting.is_set)
    assert states(runbook)["sessions"] == "running"
    with pytest.raises(Refused, match="Another step is still running"):
        runbook.run("cache")
    rest.go.set()
    thread.join()
    assert states(runbook)["sessions"] == "done"
    assert runbook.run("cache").state == "done"


def test_a_password_that_only_goes_by_the_process_list_needs_consent(shared: Postfix, tmp_path: Path) -> None:
    program = bm_cli_standin.Standin(tmp_path)
    responder = site(shared, tmp_path, bm_cli=str(program.program), sasl_restart=RESTART).responder
    responder._account_server.cli.memory = tmp_path / "no-memory"  # type: ignore[attr-defined]
    runbook = responder.runbook(lambda: (), login=JANE)
    step = runbook.run("password", password="Kd7w-mQx3-Rv9t-Hn4p")
    assert (step.state, step.consent) == ("failed", True)
    assert program.core.can_log_in(JANE, "old")
    step = runbook.run("password", password="Kd7w-mQx3-Rv9t-Hn4p", allow_argv=True)
    assert (step.state, step.consent) == ("done", False)
    assert program.core.can_log_in(JANE, "Kd7w-mQx3-Rv9t-Hn4p")
    assert step.notes[0] == "It stood in the list of processes meanwhile."


def test_read_only_does_nothing(here: Site, core: Core) -> None:
    here.settings = replace(here.settings, read_only=True)
    runbook = runbook_of(here)
    runbook.run_all()
    assert {name for name, state in states(runbook).items() if state == "failed"} == {
        "hold", "password", "sessions", "cache", "connections",
    }  # fmt: skip
    assert core.can_log_in(JANE, "old")
    assert not here.settings.state.exists()


def test_a_session_that_is_left_is_seen_by_the_watch(here: Site, core: Core, rest: rest_standin.Standin) -> None:
    core.change(logs_in_again="UID-1")
    runbook = runbook_of(here)
    with ticking(runbook):
        steps = {step.name: step for step in runbook.run_all()}
        assert steps["sessions"].state == "failed"
        assert steps["sessions"].sentence.startswith("Sessions open after the logout: 2 (before: 2)")
        verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
        assert (verdict.missing, verdict.sentence) == (
            ("sessions",), "2 sessions from before are still open: log the account out again.",
        )  # fmt: skip
        core.change(logs_in_again=None)
        assert runbook.run("sessions").state == "done"
        assert "Open sessions: none" in verdict_of(runbook, lambda verdict: verdict.state == "watching").evidence


def test_holding_goes_on_while_bluemind_does_not_answer(here: Site, core: Core, rest: rest_standin.Standin) -> None:
    runbook = here.responder.runbook(here.messages, login=CAROL)
    rest.go.clear()
    with ticking(runbook):
        runbook.run("hold")
        runbook.run("watch")
        until(rest.waiting.is_set)
        (letter,) = Player(here.postfix).send(OFFICE, [Message("honest", CAROL, ("buyer@customer.example",))], CAROL)
        wait_until(lambda: letter.queue_id in here.on_hold())
        rest.go.set()
    assert runbook.run("purge").state == "done"


def test_holding_goes_on_while_another_action_runs(plain_site: Site) -> None:
    """An alarm of the watch goes into the journal, which another action has for itself; that is written after it."""
    runbook = plain_site.responder.runbook(plain_site.messages, login=ALICE)
    runbook.run("hold")
    begun = runbook.run("watch").time or 0
    wait_until(lambda: time.time() // 1 > begun, what="the log's second of the beginning is over")
    player = Player(plain_site.postfix)
    with ticking(runbook), (plain_site.settings.state / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(2):
            (spam,) = player.send(INTRUDER, [SPAM], ALICE)
            wait_until(lambda spam=spam: spam.queue_id in plain_site.on_hold(), 5)  # type: ignore[misc]
            verdict_of(runbook, lambda verdict: verdict.state == "alarm")
        fcntl.flock(lock, fcntl.LOCK_UN)
        wait_until(lambda: [entry for entry in plain_site.journal() if entry["action"] == "watch"])
    (told,) = [entry for entry in plain_site.journal() if entry["action"] == "watch"]
    assert told["state"] == "failed"
    assert told["sentence"].startswith("Still sending, from 203.0.113.60: its password is still the old one")


def test_a_suspension_that_nobody_saw_has_failed(
    here: Site, core: Core, rest: rest_standin.Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_after_update(core, rest, monkeypatch)
    runbook = runbook_of(here)
    step = runbook.run("suspend")
    assert step.state == "failed"
    assert f"{JANE} was not seen to be suspended; see its web console: BlueMind failed (500)" in step.sentence
    rest.instead = None
    step = runbook.run("suspend")
    assert (step.state, step.sentence) == ("done", f"{JANE} was suspended already.")


def test_what_is_shown_is_what_is_purged(plain_site: Site) -> None:
    """The purge acts on the list that was confirmed, whatever came in since."""
    player = Player(plain_site.postfix)
    (one,) = player.send(BROKEN_RELAY, [SPAM])
    plain_site.postfix.settle()
    runbook = plain_site.responder.runbook(plain_site.messages, client=Client(BROKEN_RELAY.address))
    plan = runbook.plan("purge")
    (two,) = player.send(BROKEN_RELAY, [SPAM])
    plain_site.postfix.settle()
    assert runbook.run("purge", plan=plan).sentence.startswith(
        "1 of 1 messages deleted. To bring them back: bmtop undo "
    )
    assert set(plain_site.postfix.queue()) == {two.queue_id}
    assert one.queue_id not in plain_site.on_hold()


def test_the_change_of_mynetworks_that_was_shown_is_made_or_none(plain_site: Site) -> None:
    postfix, responder, client = plain_site.postfix, plain_site.responder, Client(BROKEN_RELAY.address)

    def mynetworks() -> str:
        return run("postconf", "-c", str(postfix.etc), "-h", "mynetworks").stdout.decode().strip()

    runbook = responder.runbook(plain_site.messages, client=client)
    shown = responder.prepare_untrust(client)
    another = "127.0.0.0/8, 192.0.2.64/30, 198.51.100.7"
    postfix.postconf(mynetworks=another)
    assert runbook.run("untrust", change=shown).state == "failed"
    assert mynetworks() == another
    shown = responder.prepare_untrust(client)
    assert runbook.run("untrust", change=shown).state == "done"
    assert mynetworks() == shown.after


@pytest.mark.parametrize("with_the_connections", [False, True])
def test_a_relay_is_untrusted_and_its_connection_ended(plain_site: Site, with_the_connections: bool) -> None:
    postfix, clock = plain_site.postfix, Clock()
    client = Client(BROKEN_RELAY.address)
    runbook = plain_site.responder.runbook(plain_site.messages, client=client, clock=clock, passing=clock.passing)
    assert [step.name for step in runbook.steps] == ["hold", "untrust", "connections", "purge", "watch"]
    with Bot(postfix, BROKEN_RELAY, None, stays=True) as bot, ticking(runbook):
        wait_until(lambda: bot.sent)
        steps = runbook.run_all(without=() if with_the_connections else ("connections",))
        assert {step.name for step in steps if step.state == "failed"} <= {"watch"}
        if not with_the_connections:
            verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
            assert verdict.missing == ("connections",)
            assert "after it was untrusted: its SMTP connection from 192.0.2.66 is still open" in verdict.sentence
            assert runbook.run("connections").state == "done"
        # It connects again, and is refused; what it has for our own people is taken, and no alarm.
        wait_until(lambda: bot.connections > 1)
        before = len(bot.sent)
        (letter,) = Player(postfix).send(BROKEN_RELAY, [Message("own", "printer@example.com", (CAROL,))])
        wait_until(lambda: f"{letter.queue_id}: " in postfix.log.read_text())
        assert contained(runbook, clock, postfix).state == "contained"
        assert len(bot.sent) == before
    # Its neighbour in the same range is trusted as before.
    assert Player(postfix).send(HONEST_RELAY, [Message("relay", "printer@example.com", ("orders@supplier.test",))])
    wait_until(lambda: connected_to(postfix) == [])


def test_a_runbook_is_for_one_login_or_one_client(here: Site) -> None:
    both: dict[str, Any] = {"login": JANE, "client": Client("192.0.2.1")}
    for target in (both, dict[str, Any]()):
        with pytest.raises(Refused, match="for one login, or for one client"):
            here.responder.runbook(here.messages, **target)
