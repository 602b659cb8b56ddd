"""The watch says what it cannot see, and nothing counts as contained that nobody could see."""

import os
import re
from collections.abc import Callable

import pytest

from bmtop.checked import Client
from bmtop.response import account
from bmtop.response.runbook import Runbook
from tests.bluemind import rest_standin
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, Site
from tests.containment.test_bots import Clock, contained, ticking, verdict_of
from tests.mailserver import Message, Postfix, Session, wait_until
from tests.mailserver.stories import BROKEN_RELAY, CAROL, OFFICE


def test_what_the_watch_cannot_see_is_said_until_it_sees_it_again(plain_site: Site) -> None:
    pid_file = plain_site.postfix.spool / "pid" / "master.pid"
    runbook = plain_site.responder.runbook(plain_site.messages, client=Client(BROKEN_RELAY.address))

    def problem() -> str:
        runbook.tick()
        return runbook.problem

    with Bot(plain_site.postfix, BROKEN_RELAY, None, stays=True) as bot:
        wait_until(lambda: bot.sent)
        runbook.run("watch")
        assert problem() == ""
        aside = pid_file.rename(pid_file.with_name("aside"))
        wait_until(problem)
        # Most ticks do not look at the connections: they say what the last look found.
        for _ in range(3):
            assert "no connection can be found" in problem()
        aside.rename(pid_file)
        wait_until(lambda: not problem())


def watched(site: Site, clock: Clock) -> Runbook:
    """A runbook with nothing left to be done, which watches."""
    runbook = site.responder.runbook(
        site.messages, client=Client(BROKEN_RELAY.address), clock=clock, passing=clock.passing
    )
    for step in ("untrust", "connections"):
        runbook.skip(step)
    runbook.run("watch")
    return runbook


def told(site: Site) -> list[str]:
    """What the watch wrote into the journal."""
    if not site.settings.state.exists():
        return []
    return [entry["sentence"] for entry in site.journal() if entry["action"] == "watch"]


def hide_the_log(postfix: Postfix) -> Callable[[], None]:
    """Have something else in its place, and return what puts it back."""
    aside = postfix.log.rename(postfix.log.with_name("aside.log"))
    postfix.log.mkdir()

    def put_back() -> None:
        postfix.log.rmdir()
        aside.rename(postfix.log)

    return put_back


def hide_the_connections(postfix: Postfix) -> Callable[[], None]:
    """Have nobody tell which processes are Postfix's, and return what ends that."""
    pid_file = postfix.spool / "pid" / "master.pid"
    aside = pid_file.rename(pid_file.with_name("aside"))

    def put_back() -> None:
        aside.rename(pid_file)

    return put_back


@pytest.mark.parametrize(
    ("hide", "why"),
    [
        (hide_the_log, r"The log cannot be read \(.+\), so nobody can be watched\."),
        (hide_the_connections, r"No process here is .*, so no connection can be found; .*\."),
    ],
)
def test_nothing_is_contained_while_nobody_can_see(
    plain_site: Site, hide: Callable[[Postfix], Callable[[], None]], why: str
) -> None:
    postfix, clock = plain_site.postfix, Clock()
    with Session(postfix.ports.smtp, BROKEN_RELAY) as stays:
        stays.send(Message("own", "printer@example.com", (CAROL,)))
        runbook = watched(plain_site, clock)
        with ticking(runbook):
            verdict_of(runbook, lambda verdict: any("connections at" in line for line in verdict.evidence))
            put_back = hide(postfix)
            wait_until(lambda: runbook.problem, 30)
            clock.ahead += 660
            verdict = verdict_of(runbook, lambda verdict: "but not all can be seen" in verdict.sentence)
            assert re.fullmatch(rf"Quiet for \d+ s, but not all can be seen: {why}", verdict.sentence)
            put_back()
            # It counts anew from when it sees again.
            verdict = verdict_of(runbook, lambda verdict: "more will show" in verdict.sentence)
            assert "10 min more will show" in verdict.sentence
            assert told(plain_site) == []
            contained(runbook, clock, postfix)
            wait_until(lambda: told(plain_site), 30)
    assert told(plain_site)[0].startswith("Contained: quiet for 11 min.")


def test_nothing_is_contained_while_sessions_cannot_be_asked_for(here: Site, rest: rest_standin.Standin) -> None:
    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    for step in ("password", "cache", "connections"):
        runbook.skip(step)
    assert runbook.run("sessions").state == "done"
    runbook.run("watch")
    with ticking(runbook):
        verdict_of(runbook, lambda verdict: "Open sessions: none" in verdict.evidence)
        rest.instead = (500, {}, b'{"message": "out of memory"}')
        clock.ahead += 660
        verdict = verdict_of(runbook, lambda verdict: "but not all can be seen" in verdict.sentence)
        assert "BlueMind failed (500): out of memory" in verdict.sentence
        with Session(here.postfix.ports.smtp, OFFICE):
            wait_until(lambda: verdict is not runbook.verdict, 30)
            assert "not all can be seen" in verdict_of(runbook, lambda verdict: True).sentence
        rest.instead = None
        contained(runbook, clock, here.postfix)


def test_nothing_is_contained_while_bmtop_itself_fails_to_ask_for_sessions(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*given: object) -> None:
        raise ImportError("No module named 'bmtop.bluemind.service'", name="bmtop.bluemind.service")

    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    for step in ("password", "cache", "connections"):
        runbook.skip(step)
    assert runbook.run("sessions").state == "done"
    monkeypatch.setattr(account, "sessions", missing)
    runbook.run("watch")
    with ticking(runbook):
        clock.ahead += 660
        with Session(here.postfix.ports.smtp, OFFICE):
            verdict = verdict_of(runbook, lambda verdict: "but not all can be seen" in verdict.sentence)
        assert "A part of bmtop cannot be loaded (bmtop.bluemind.service)" in verdict.sentence
        assert verdict.state == "watching"


def test_nothing_is_contained_while_nothing_is_written_to_the_log(plain_site: Site) -> None:
    clock = Clock()
    runbook = watched(plain_site, clock)
    with ticking(runbook):
        verdict_of(runbook, lambda verdict: verdict.state == "watching")
        clock.ahead += 660
        verdict = verdict_of(runbook, lambda verdict: "more will show" not in verdict.sentence)
        assert verdict.state == "watching"
        assert "but the log has not grown since " in verdict.sentence
        assert "see whether syslog still writes (logger -p mail.info test)" in verdict.sentence
        with Session(plain_site.postfix.ports.smtp, OFFICE):
            verdict_of(runbook, lambda verdict: verdict.state == "contained")


@pytest.mark.parametrize("how", ["renamed", "cut"])
def test_a_log_that_is_rotated_has_not_grown_by_that(plain_site: Site, how: str) -> None:
    clock, log = Clock(), plain_site.postfix.log
    runbook = watched(plain_site, clock)
    with ticking(runbook):
        verdict_of(runbook, lambda verdict: verdict.state == "watching")
        clock.ahead += 660
        verdict_of(runbook, lambda verdict: "has not grown since" in verdict.sentence)
        if how == "renamed":
            log.rename(log.with_name("mail.log.1"))
            log.touch()
        else:
            os.truncate(log, 0)
        clock.ahead += 60
        verdict = verdict_of(runbook, lambda verdict: "Quiet for 12 min" in verdict.sentence)
        assert "has not grown since" in verdict.sentence
        with log.open("a") as syslog:
            syslog.write("Nov 26 12:00:00 mail root: test\n")
        verdict_of(runbook, lambda verdict: verdict.state == "contained")
