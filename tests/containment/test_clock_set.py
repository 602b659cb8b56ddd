"""The clock is set while the watch looks: quiet is what passed, and who sends is seen all the same."""

import time

import pytest

from bmtop.checked import Client
from bmtop.incident.watch import clock as shown
from bmtop.response.runbook import Runbook
from tests.bluemind.core import Core
from tests.containment.conftest import JANE, Site
from tests.containment.test_bots import Clock, contained, ticking, verdict_of
from tests.mailserver import Session, wait_until
from tests.mailserver.stories import BROKEN_RELAY, OFFICE

HOUR = 3600.0


def looked_again(runbook: Runbook, clock: Clock) -> None:
    """Wait until the connections were looked at once more, and shown with the time that the clock says."""

    def has_looked() -> bool:
        verdict = runbook.verdict
        looks = tuple(f"Open SMTP connections at {shown(clock() - second)}" for second in range(3))
        return verdict is not None and any(line.startswith(looks) for line in verdict.evidence)

    wait_until(has_looked)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_only_time_that_passes_is_quiet(plain_site: Site, step: float) -> None:
    clock = Clock()
    runbook = plain_site.responder.runbook(
        plain_site.messages, client=Client(BROKEN_RELAY.address), clock=clock, passing=clock.passing
    )
    for name in ("untrust", "connections"):
        runbook.skip(name)
    runbook.run("watch")
    with ticking(runbook):
        looked_again(runbook, clock)
        clock.set_by = step
        with Session(plain_site.postfix.ports.smtp, OFFICE):
            looked_again(runbook, clock)
        verdict = verdict_of(runbook, lambda verdict: True)
        assert verdict.state == "watching"
        assert verdict.sentence.endswith(" s; 10 min more will show that it is contained.")
        assert contained(runbook, clock, plain_site.postfix).sentence == "Contained: quiet for 11 min."


def test_who_sends_after_the_clock_was_set_back_is_seen(here: Site) -> None:
    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    runbook.run("password")
    runbook.run("watch")
    with ticking(runbook):
        looked_again(runbook, clock)
        clock.set_by = -HOUR
        looked_again(runbook, clock)
        # What syslog writes by that clock.
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(clock()))
        client = "unknown[203.0.113.60]"
        with here.postfix.log.open("a") as log:
            log.write(f"{stamp} mail postfix/smtpd[999999]: connect from {client}\n")
            log.write(
                f"{stamp} mail postfix/smtpd[999999]: ABC1220CC3D: client={client}, sasl_method=LOGIN,"
                f" sasl_username={JANE}\n"
            )
        verdict = verdict_of(runbook, lambda verdict: "cache" in verdict.missing)
        assert verdict.state == "alarm"
        assert f"Last message: {stamp.split()[-1]}, from 203.0.113.60" in verdict.evidence


def test_a_session_from_before_stays_one_after_the_clock_was_set_back(here: Site, core: Core) -> None:
    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    opened = int(1000 * clock())
    clock.ahead += 5
    clock.set_by = -60
    for name in ("password", "sessions", "cache", "connections"):
        assert runbook.run(name).state == "done"
    # BlueMind said that it was ended.
    core.change(sessions=[["UID-1", "webmail", opened]])
    runbook.run("watch")
    with ticking(runbook):
        verdict_of(runbook, lambda verdict: verdict.missing == ("sessions",))
        clock.ahead += 660
        with Session(here.postfix.ports.smtp, OFFICE):
            looked_again(runbook, clock)
        for _ in range(15):
            time.sleep(0.1)
            assert verdict_of(runbook, lambda verdict: True).sentences == (
                "1 session from before is still open: log the account out again.",
            )


def test_who_is_connected_since_before_the_clock_was_set_back_is_so_later_too(here: Site) -> None:
    clock = Clock()
    log, client = here.postfix.log, "unknown[203.0.113.61]"

    def write(line: str) -> None:
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(clock()))
        with log.open("a") as file:
            file.write(f"{stamp} mail postfix/smtpd[999998]: {line}\n")

    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    write(f"connect from {client}")
    clock.ahead += 5
    clock.set_by = -60
    for name in ("password", "sessions", "watch"):
        runbook.run(name)
    with ticking(runbook):
        looked_again(runbook, clock)
        clock.ahead += 120
        looked_again(runbook, clock)
        write(f"ABC1220CC3E: client={client}, sasl_method=LOGIN, sasl_username={JANE}")
        verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
        assert verdict.missing == ("connections",)


def test_mail_that_came_before_it_was_seen_that_the_clock_was_set_back_is_an_alarm(here: Site) -> None:
    """Something else took long just then: the next look comes later."""
    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    for name in ("password", "sessions", "watch"):
        runbook.run(name)
    clock.ahead += 3
    runbook.tick()
    clock.set_by = -HOUR
    clock.ahead += 3
    stamp, client = time.strftime("%b %e %H:%M:%S", time.localtime(clock())), "unknown[203.0.113.62]"
    with here.postfix.log.open("a") as log:
        log.write(f"{stamp} mail postfix/smtpd[999997]: connect from {client}\n")
        log.write(
            f"{stamp} mail postfix/smtpd[999997]: ABC1220CC3F: client={client}, sasl_method=LOGIN,"
            f" sasl_username={JANE}\n"
        )
    clock.ahead += 30
    with ticking(runbook):
        verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
        assert verdict.missing == ("cache",)


def test_that_the_clock_is_set_is_seen_at_each_tick_before_the_watch_begins(here: Site) -> None:
    clock = Clock()
    runbook = here.responder.runbook(here.messages, login=JANE, clock=clock, passing=clock.passing)
    clock.ahead += 3
    runbook.tick()
    clock.set_by = -60
    clock.ahead += 3
    runbook.tick()
    runbook.run("password")
    runbook.tick()
    clock.ahead += 120
    clock.set_by = 0
    runbook.run("watch")
    runbook.tick()
    assert runbook.verdict is not None
    password = next(step.time for step in runbook.steps if step.name == "password")
    assert f"New password: {shown(password or 0)}" in runbook.verdict.evidence
