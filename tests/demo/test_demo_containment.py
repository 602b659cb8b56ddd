"""The runbook on the toy, as it plays: the thief's connections are found and ended, and it is contained."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmtop.config import Settings
from bmtop.demo.toy import Toy, toy_server
from bmtop.monitor import Monitor
from bmtop.postfix.instance import Postfix
from bmtop.response.responder import Responder
from bmtop.server import Server
from tests.demo.test_demo_toy import wait_for

SALES = "sales@example.com"
CONNECTED = re.compile(r"smtpd\[(\d+)\]: (connect|disconnect) from unknown\[(203\.0\.113\.57|2001:db8:4b1d::25)\]")


@pytest.fixture
def playing() -> Iterator[Toy]:
    with toy_server() as toy:
        yield toy


def settings_of(toy: Toy) -> Settings:
    return Settings(
        log=toy.log, postfix=toy.config_directory, state=toy.state, path=(str(toy.bin), "/usr/bin", "/bin"),
        bm_cli=str(toy.bm_cli), bm_token=toy.folder / "no-key", sasl_restart=("true",), default_domain="example.com",
    )  # fmt: skip


def thieves(toy: Toy) -> set[str]:
    """The processes that serve the thief, by the log alone."""
    last = {pid: what for pid, what, _ in CONNECTED.findall(toy.log.read_text())}
    return {pid for pid, what in last.items() if what == "connect"}


def sent(toy: Toy) -> int:
    """How many messages were taken with its login; refused logins name it, too."""
    return len(re.findall(rf": client=.*, sasl_username={re.escape(SALES)}$", toy.log.read_text(), re.MULTILINE))


def test_the_thief_is_contained(playing: Toy) -> None:
    settings, ahead = settings_of(playing), 0.0
    responder = Responder(settings, Postfix(Server(settings.path), settings.postfix))
    messages = Monitor(settings, Postfix(Server(settings.path), settings.postfix)).read_queue
    runbook = responder.runbook(
        lambda: messages().values(),
        login=SALES,
        clock=lambda: time.time() + ahead,
        passing=lambda: time.monotonic() + ahead,
    )
    wait_for(lambda: len(thieves(playing)) >= 2, 60)
    assert {Path(f"/proc/{pid}/comm").read_text() for pid in thieves(playing)} == {"smtpd\n"}

    steps = {step.name: step for step in runbook.run_all()}
    assert {name for name, step in steps.items() if step.state == "failed"} == set(), runbook.summary()
    assert re.search(r"were ended and gone: .*(203\.0\.113\.57|2001:db8:4b1d::25) ", steps["connections"].sentence)
    wait_for(lambda: "lost connection after RSET from unknown[" in playing.log.read_text())
    # It comes back, and is refused; others are served on.
    wait_for(lambda: playing.log.read_text().count(f"authentication failure, sasl_username={SALES}") > 20, 60)
    before = sent(playing)
    assert before > 0
    ahead = 660.0

    def contained() -> bool:
        runbook.tick()
        return runbook.verdict is not None and runbook.verdict.state == "contained"

    wait_for(contained)
    assert runbook.problem == ""
    assert sent(playing) == before
