"""The clock is set while the watch looks: quiet is what passed, and who sends is seen all the same."""

import time

import pytest

from bmtop.checked import Client
from bmtop.incident.watch import clock as shown
from bmtop.response.runbook import Runbook
from tests.containment.conftest import JANE, Site
from tests.containment.test_bots import Clock, contained, ticking, verdict_of
from tests.mailserver import Session, wait_until
from tests.mailserver.stories import BROKEN_RELAY, OFFICE

HOUR = 3600.0


def looked_again(runbook: Runbook, clock: Clock) -> None:
    """Wait until the connections were looked at once more, and shown with the time that the clock says."""

    def has_looked() -> bool:
        verdict = runbook.verdict
        times = {f"at {shown(clock() - second)}:" for second in range(3)}
        return verdict is not None and any(time in line for line in verdict.evidence for time in times)

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
