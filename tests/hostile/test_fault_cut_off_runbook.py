"""The console is killed, or loses its terminal, in the middle of a step of the runbook: done whole, or told of.

Judged by BlueMind's stand-in, by ss, by the queue, and by the journal's lines as they are on disk.
"""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.hostile.barrier import Barrier, CallBarrier
from tests.hostile.programs import is_alive, on
from tests.hostile.screen import Screen
from tests.hostile.spam import ALICE, BOT, COUNT, spammed
from tests.hostile.test_cut_off import HUP, KILL, POSTSUPER, TERM, held, is_told, lines
from tests.mailserver import Message, Player, Postfix, Session, wait_until

ROWS = {
    "hold": (0, "Hold what is queued"),
    "password": (1, "Set a new password"),
    "cache": (3, "Empty the SASL cache"),
    "connections": (4, "End its SMTP connections"),
    "suspend": (7, "Suspend the account"),
}
CUT_OFF = "Not finished"


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with spammed({"hash_queue_names": "deferred, defer, hold"}) as postfix:
        yield postfix


@dataclass
class Site:
    """A Postfix and a BlueMind that knows alice, one connection of hers, and a SASL cache to be restarted."""

    postfix: Postfix
    core: Core
    rest: rest_standin.Standin
    session: Session
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def restarts(self) -> Path:
        return self.folder / "restarts"

    @property
    def stored(self) -> str:
        return str(self.core.load()["users"]["UID-9"]["stored"])

    def is_connected(self) -> bool:
        which = f"dport = {self.session.local_port}"
        shown = subprocess.run(["ss", "-tnH", "state", "established", which], capture_output=True, check=True)
        return bool(shown.stdout.strip())

    def barrier(self, arguments: str, **programs: str) -> Barrier:
        """Stop these programs; the SASL cache's restart is one of them where it is named."""
        restart = self.program("restart", f"echo restarted >>{self.restarts}")
        barrier = Barrier(self.folder / "bin", arguments, programs or {"restart": restart})
        restart = f"{self.folder}/bin/restart" if not programs else restart
        with barrier.settings.open("a") as settings:
            settings.write(f'sasl_restart = ["{restart}"]\n')
        return barrier

    def program(self, name: str, lines: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    def command(self, barrier: Barrier) -> list[str]:
        token = self.folder / "bm-core.tok"
        token.write_text(rest_standin.KEY)
        return on(
            self.postfix, f"--state={self.state}", f"--config={barrier.settings}", f"--bm-api={self.rest.url}",
            f"--bm-token={token}", "--window=1h",
        )  # fmt: skip


@pytest.fixture
def site(postfix: Postfix, tmp_path: Path) -> Iterator[Site]:
    core = Core(tmp_path)
    alice = {"login": "alice", "emails": [ALICE], "stored": "old", "archived": False}
    core.change(users={**core.load()["users"], "UID-9": alice})
    with rest_standin.serving(core) as rest, Player(postfix).connect(BOT, ALICE) as session:
        sent = session.send(Message("spam", "winner@lottery.example", ("victim@bank.example",)))
        wait_until(lambda: f"{sent.queue_id}: client=" in postfix.log.read_text(), 30)
        yield Site(postfix, core, rest, session, tmp_path)
        session.hang_up()


def opened(console: Screen) -> None:
    """The runbook of alice."""
    console.wait_for(r"queue listed \d", 30)
    console.wait_for(rf"{ALICE} +\d", 30)
    console.press_until("c", rf"─ Contain {ALICE}")


def chosen(console: Screen, step: str) -> None:
    """Put the cursor on this step."""
    row, title = ROWS[step]
    for _ in range(10):
        console.press("Home", *["Down"] * row)
        try:
            console.wait_for(f"▸ {title}", 3)
            return
        except AssertionError:
            continue
    raise AssertionError(console.screen())


def run(console: Screen, step: str) -> None:
    """Run the step under the cursor."""
    console.press("Enter")
    if step == "password":
        console.wait_for("Make one and set it")
        console.click_while("Make one and set it", "Set the typed one")
    elif step != "hold":
        console.wait_for("Do it")
        console.press_while("y", "Do it")


def ended(console: Screen, number: int, barrier: Barrier | CallBarrier) -> None:
    """End the console in the middle, let the step go on, and wait until all is over."""
    pid = console.pid()
    if number == HUP:
        console.hang_up()
    else:
        os.kill(pid, number)
    if number == KILL:
        wait_until(lambda: not is_alive(pid), 30, "the console is gone")
    barrier.open()
    wait_until(lambda: not is_alive(pid), 30, "the console has ended")


def nothing_left(site: Site) -> None:
    """No file of a step that has ended, none for others to read, and none with a password."""
    files = [path for path in site.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"journal.jsonl", "lock"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert site.stored == "old" or site.stored not in path.read_text()


@dataclass(frozen=True)
class Case:
    """A step, where it is stopped, what shows that it took effect, and whether that comes also without bmtop."""

    step: str
    barrier: Callable[[Site], Barrier]
    took: Callable[[Site], bool]
    goes_on: bool = True
    call: bool = False


def deaf(site: Site) -> Barrier:
    """A kernel that ends no connection for ss: bmtop then takes the socket out of its process."""
    ss = site.program("ss", 'case "$1" in -K*) exit 0;; *) exec /usr/bin/ss "$@";; esac')
    return site.barrier("-KtnH", ss=ss)


CASES = {
    "password": Case("password", lambda s: s.barrier("-"), lambda s: s.stored != "old", call=True),
    "cache": Case("cache", lambda s: s.barrier(""), lambda s: s.restarts.exists()),
    "ss": Case("connections", lambda s: s.barrier("-KtnH", ss="/usr/bin/ss"), lambda s: not s.is_connected()),
    "pidfd": Case("connections", deaf, lambda s: not s.is_connected(), goes_on=False),
    "suspend": Case(
        "suspend", lambda s: s.barrier("-"), lambda s: s.core.load()["users"]["UID-9"]["archived"] is True, call=True
    ),
}


@pytest.mark.parametrize("number", [KILL, HUP, TERM])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step(site: Site, case: Case, number: int) -> None:
    programs = case.barrier(site)
    barrier = CallBarrier(site.rest) if case.call else programs
    command = site.command(programs)
    with Screen.running(command) as console:
        opened(console)
        chosen(console, case.step)
        run(console, case.step)
        barrier.wait()
        assert not case.took(site)
        ended(console, number, barrier)
    if number == KILL:
        assert lines(site.state, case.step) == ["begun"]
        if case.goes_on:
            wait_until(lambda: case.took(site), 30, "what was to do it went on")
        assert is_told(command)
        done_again(site, command, case.step)
    else:
        assert lines(site.state, case.step) == ["begun", "done"]
    assert case.took(site)
    assert not is_told(command)
    nothing_left(site)


def done_again(site: Site, command: list[str], step: str) -> None:
    """The next console asks about it, and the runbook has it as a step to run again."""
    with Screen.running(command) as console:
        console.wait_for(rf"(?s){CUT_OFF}.*{step} {ALICE}", 30)
        console.close(CUT_OFF)
        opened(console)
        chosen(console, step)
        console.wait_for("It was cut off; run it again")
        run(console, step)
        wait_until(lambda: lines(site.state, step) == ["begun", "begun", "done"], 30, "it is done")
        if step == "password":
            console.wait_for("note it down")
            console.close("note it down")
        console.wait_for(f"{ROWS[step][1]}.* DONE ")
        console.press_while("q", ROWS[step][1])
        assert console.wait_ended() == 0


@pytest.mark.parametrize("number", [KILL, HUP])
def test_hold_and_keep_holding(site: Site, number: int) -> None:
    """The step does both: it is one action, and one that goes on until it is ended."""
    subprocess.run(["postsuper", "-c", site.postfix.etc, "-H", "ALL"], check=True, capture_output=True)
    site.postfix.settle()
    barrier = site.barrier("-h -", **POSTSUPER)
    command = site.command(barrier)
    with Screen.running(command) as console:
        opened(console)
        chosen(console, "hold")
        run(console, "hold")
        program = barrier.wait()
        assert held(site.postfix) == 0
        assert not is_told(command), "it is under way"
        ended(console, number, barrier)
    wait_until(lambda: not is_alive(program), 30, "postsuper has ended")
    assert held(site.postfix) == len(site.postfix.queue()) > COUNT
    assert lines(site.state, "keep holding") == ["begun", "done"]
    if number == HUP:
        assert lines(site.state, "hold") == ["begun", "done"]
        assert lines(site.state, "stop holding") == ["begun", "done"]
    else:
        assert lines(site.state, "hold") == ["begun"]
        assert "stop holding" not in (site.state / "journal.jsonl").read_text()
        assert is_told(command)
        settled(command)
        assert lines(site.state, "keep holding") == ["begun", "done", "failed"]
        assert lines(site.state, "hold")[0] == "begun"
        assert len(lines(site.state, "hold")) == 2
        assert held(site.postfix) == len(site.postfix.queue())
    assert not is_told(command)
    nothing_left(site)


def settled(command: list[str]) -> None:
    """In the next console, oldest first: nothing is held on any more, and the hold is finished."""
    with Screen.running(command) as console:
        console.wait_for(rf"(?s){CUT_OFF}.*keep holding {ALICE}.*held no more; H holds on", 30)
        console.click_while("Leave it so", f"keep holding {ALICE}, by")
        console.wait_for(rf"(?s){CUT_OFF}.* hold {ALICE}, \d+ messages", 30)
        console.click_while("Finish it", CUT_OFF)
        console.wait_for(rf"Cut off: hold {ALICE}")
        console.close("Cut off")
