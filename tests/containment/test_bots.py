"""A bot that keeps its connection, and one that logs in again with the old password: found, stopped, and proved."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from bmtop.incident.watch import Verdict
from bmtop.response.runbook import Runbook
from tests.bluemind.core import Core
from tests.bluemind.sampler import sampling
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, OLD, SMITH, Site
from tests.mailserver import Client, Message, Postfix, Session, wait_until

STAYS = Client("203.0.113.60", helo="[203.0.113.60]")
RETURNS = Client("2001:db8:bad::60", "host-60.botnet.example", "host-60")
OFFICE = Client("198.51.100.7", "office.isp.example", "laptop")
LETTER = Message("honest", SMITH, ("buyer@customer.example",))


class Clock:
    """The time, and what a test puts on top of it; `set_by` is by how much the clock is set, no time passing."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.set_by = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead + self.set_by

    def passing(self) -> float:
        return time.monotonic() + self.ahead


@contextmanager
def ticking(runbook: Runbook) -> Iterator[None]:
    """Call `tick` as the console does, beside the steps; what it raises fails the test."""
    stop, errors = Event(), list[Exception]()

    def run() -> None:
        while not stop.wait(0.1):
            try:
                runbook.tick()
            except Exception as error:
                errors.append(error)
                return

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        runbook.close()
    assert not errors


def connected_to(postfix: Postfix) -> list[str]:
    """Our ends of the connections that the server holds now, by ss."""
    ports = (postfix.ports.smtp, postfix.ports.submission)
    which = " or ".join(f"sport = {port}" for port in ports)
    listing = subprocess.run(["ss", "-tnH", "state", "established", which], capture_output=True, text=True, check=True)
    return [line.split()[3] for line in listing.stdout.splitlines()]


def verdict_of(runbook: Runbook, is_it: Callable[[Verdict], bool]) -> Verdict:
    """Wait until the watch says what `is_it` looks for."""
    found: list[Verdict] = []

    def look() -> bool:
        verdict = runbook.verdict
        if verdict is not None and is_it(verdict):
            found.append(verdict)
        return bool(found)

    wait_until(look, 30, "the watch says so")
    return found[0]


def contained(runbook: Runbook, clock: Clock, postfix: Postfix) -> Verdict:
    """Let ten quiet minutes pass, and somebody else connect, so that the log is seen to be written."""
    clock.ahead += 660
    with Session(postfix.ports.smtp, OFFICE):
        pass
    return verdict_of(runbook, lambda verdict: verdict.state == "contained")


def test_without_the_connections_the_watch_says_that_one_is_still_open(bluemind_site: Site) -> None:
    postfix, clock = bluemind_site.postfix, Clock()
    runbook = bluemind_site.responder.runbook(bluemind_site.messages, login=JANE, clock=clock, passing=clock.passing)
    with Bot(postfix, STAYS, JANE, OLD[JANE], stays=True) as bot, ticking(runbook):
        wait_until(lambda: bot.sent)
        steps = {step.name: step for step in runbook.run_all(without=("connections",))}
        assert {name for name, step in steps.items() if step.state == "done"} == {
            "hold", "password", "sessions", "cache", "purge",
        }  # fmt: skip

        verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
        assert verdict.missing == ("connections",)
        assert "after the new password: its SMTP connection from 203.0.113.60 is still open" in verdict.sentence
        assert [step.name for step in runbook.steps if step.missing] == ["connections"]
        assert bot.connections == 1

        assert runbook.run("connections").state == "done"
        wait_until(lambda: bot.shut_out)
        # It goes on trying to log in, and is disconnected each time.
        wait_until(lambda: connected_to(postfix) == [])
        assert bot.connections == 1
        before = len(bot.sent)
        assert contained(runbook, clock, postfix).missing == ()
        assert len(bot.sent) == before
    assert [entry["state"] for entry in bluemind_site.journal() if entry["action"] == "watch"] == ["failed", "done"]


def test_without_the_cache_the_watch_says_that_it_has_the_old_password(bluemind_site: Site, core: Core) -> None:
    postfix, clock = bluemind_site.postfix, Clock()
    runbook = bluemind_site.responder.runbook(bluemind_site.messages, login=JANE, clock=clock, passing=clock.passing)
    with Bot(postfix, RETURNS, JANE, OLD[JANE], stays=False) as bot, ticking(runbook):
        wait_until(lambda: bot.sent)
        runbook.run_all(without=("cache",))
        assert not core.can_log_in(JANE, OLD[JANE])

        verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm" and "cache" in verdict.missing)
        assert "It logged in again with its old password" in verdict.sentence
        assert f"the SASL cache still has it; run {bluemind_site.settings.sasl_restart[0]}" in verdict.sentence

        assert runbook.run("cache").state == "done"
        wait_until(lambda: bot.shut_out)
        before = len(bot.sent)
        evidence = contained(runbook, clock, postfix).evidence
        assert any(line.startswith("SASL cache emptied: ") for line in evidence)
        assert any(line.endswith(": none") and "connections" in line for line in evidence)
        assert len(bot.sent) == before


def test_the_runbook_stops_both_and_nobody_else(bluemind_site: Site, core: Core) -> None:
    postfix, clock = bluemind_site.postfix, Clock()
    runbook = bluemind_site.responder.runbook(bluemind_site.messages, login=JANE, clock=clock, passing=clock.passing)
    password = bluemind_site.responder.make_password()
    with (
        Bot(postfix, STAYS, JANE, OLD[JANE], stays=True) as one,
        Bot(postfix, RETURNS, JANE, OLD[JANE], stays=False) as other,
        Session(postfix.ports.submission, OFFICE) as colleague,
        ticking(runbook),
        sampling(password) as sampler,
    ):
        assert colleague.log_in(SMITH, OLD[SMITH])
        letters = {colleague.send(LETTER).queue_id}
        wait_until(lambda: one.sent and other.sent)

        runbook.run("hold")
        sampler.wait_for_a_look()
        runbook.run("password", password=password)
        sampler.wait_for_a_look()
        steps = {step.name: step for step in runbook.run_all()}
        assert {name: step.state for name, step in steps.items() if name not in ("watch", "suspend")} == dict.fromkeys(
            ("hold", "password", "sessions", "cache", "connections", "purge"), "done"
        )

        wait_until(lambda: one.shut_out and other.shut_out)
        sent = one.ids + other.ids
        verdict = contained(runbook, clock, postfix)
        assert verdict.sentence.startswith("Contained")
        assert one.ids + other.ids == sent

        # The colleague's connection was left alone, and so is the port.
        letters.add(colleague.send(LETTER).queue_id)
        with Session(postfix.ports.smtp, OFFICE) as again:
            assert again.log_in(SMITH, OLD[SMITH])
            letters.add(again.send(LETTER).queue_id)
        assert core.can_log_in(JANE, password)
        assert sampler.seen == set()
    queue = postfix.queue()
    assert {queue[id].queue_name for id in letters} == {"deferred"}
    # What the purge did not delete came after it was listed, and is on hold.
    assert set(sent) & set(queue) <= bluemind_site.on_hold()
    state = b"".join(path.read_bytes() for path in bluemind_site.settings.state.iterdir() if path.is_file())
    assert password.encode() not in state


def test_who_knows_the_new_password_too_is_told_apart(bluemind_site: Site, core: Core) -> None:
    runbook = bluemind_site.responder.runbook(bluemind_site.messages, login=JANE)
    with ticking(runbook):
        done = max(step.time or 0 for step in runbook.run_all())
        wait_until(lambda: time.time() // 1 > done, what="the log's second of the last step is over")
        with Bot(bluemind_site.postfix, STAYS, JANE, runbook.take_password(), stays=False):
            verdict = verdict_of(runbook, lambda verdict: verdict.state == "alarm")
            assert verdict.missing == ("suspend",)
            assert "somebody has the new password" in verdict.sentence
    assert runbook.take_password() == ""
    assert runbook.run("suspend").state == "done"
    assert core.load()["users"]["UID-1"]["archived"] is True
