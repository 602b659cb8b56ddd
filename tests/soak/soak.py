"""The soak: an incident a minute on a real Postfix that is rotated and restarted, and a console that must bear it."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.hostile.programs import below, is_alive, on
from tests.hostile.screen import Screen
from tests.mailserver import Client, Played, Player, Postfix, incident, wait_until
from tests.mailserver.postfix import run

from . import hands, vitals
from .disturbances import DISTURBANCES, Disturbance
from .truth import Incident, Truth, Wrong
from .vitals import Vitals

# Each incident has one message of the stolen account's more than the one before.
_MESSAGES = 60
# Of an incident's log, in bytes.
_MIDDLE = 20_000
_IDLE = 10.0
# A renamed log is kept open for two minutes after the last line that came to it.
_OLD_LOG_KEPT = 150.0
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result: what was looked at, what it was in numbers, and whether that is right."""

    what: str
    figures: str
    right: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """So many rounds of so many seconds; the window, in seconds, begins in the quiet half of a round."""

    rounds: int
    seconds: float

    @classmethod
    def of(cls, minutes: float) -> "Pace":
        """An incident a minute; three a minute where there are only a few."""
        seconds = 60.0 if minutes >= 10 else 20.0
        return cls(max(6, round(minutes * 60 / seconds)), seconds)

    @property
    def window(self) -> float:
        return (max(2, self.rounds // 6) + 0.5) * self.seconds

    @property
    def warm_up(self) -> int:
        """After so many rounds the window is full; in half an hour, Textual's cache of 1,024 widgets is, too."""
        return self.rounds // 2


class Soak:
    """One run; `say` is told of each round."""

    def __init__(self, postfix: Postfix, terminal: Screen, pace: Pace, say: Callable[[str], None]) -> None:
        self._postfix = postfix
        self._terminal = terminal
        self._pace = pace
        self._say = say
        self._player = Player(postfix)
        self._truth = Truth(postfix, pace.window)
        self._rotated: list[float] = []
        self._pid = terminal.pid()

    def run(self) -> list[Finding]:
        """Return what came of it. Raises `Wrong` as soon as something is shown, or done, that is not the truth."""
        began = time.monotonic()
        warm = last = self._vitals()
        for number in range(self._pace.rounds):
            disturbance = DISTURBANCES[number % len(DISTURBANCES)]
            counted = self._round(number, disturbance)
            last = self._vitals()
            if number + 1 == self._pace.warm_up:
                warm = last
            self._say(
                f"{time.monotonic() - began:6.0f} s  {disturbance.name:16}{counted}"
                f"  {last.resident / _MB:6.1f} MB  {last.descriptors}+{last.logs} descriptors  {last.threads} threads"
            )
            time.sleep(max(0.0, began + (number + 1) * self._pace.seconds - time.monotonic()))
        self._truth.check_report()
        return [*self._counts(), *self._held(warm, last), self._idle()]

    def _round(self, number: int, disturbance: Disturbance) -> str:
        """Play one incident, and act on it; return what was counted."""
        # What the round before left is taken away by another hand.
        run("postsuper", "-c", str(self._postfix.etc), "-d", "ALL")
        begin = time.time()
        disturbance.before(self._postfix)
        size = self._postfix.log.stat().st_size
        with ThreadPoolExecutor(1) as pool:
            playing = pool.submit(self._play, number)
            wait_until(lambda: playing.done() or self._postfix.log.stat().st_size > size + _MIDDLE, 30)
            disturbance.during(self._postfix)
            played = playing.result()
        disturbance.after(self._postfix)
        self._truth.incidents.append(Incident(begin, time.time(), played))
        if disturbance.rotates:
            self._rotated.append(time.monotonic())
        queued = self._truth.check_queue(self._terminal)
        shown = self._truth.check_senders(self._terminal)
        hands.by_keys(self._terminal, self._postfix)
        hands.by_commands(self._postfix)
        self._truth.check_queue(self._terminal)
        return f"{queued:4} queued  {shown:4} in the window"

    def _play(self, number: int) -> Played:
        """An incident, and addresses that never came before."""
        chance = random.Random(number)
        for _ in range(3):
            stranger = Client(f"2001:db8:{number:x}::{chance.getrandbits(16):x}")
            self._player.fail_logins(stranger, [f"user{chance.getrandbits(20)}@example.com" for _ in range(3)])
        return incident(self._player, _MESSAGES + 2 * number, seed=number)

    def _vitals(self) -> Vitals:
        return vitals.at_rest(self._pid, self._postfix.log)

    def _counts(self) -> list[Finding]:
        sent = self._truth.messages.total()
        return [
            Finding("incidents, each followed by hold, purge and undo", f"{len(self._truth.incidents)}"),
            Finding("messages of each login, on the screen and in the report", f"{sent:,} of {sent:,}"),
            Finding("messages in the queue, on the screen and in the report", f"{len(self._postfix.queue()):,}"),
        ]

    def _held(self, warm: Vitals, last: Vitals) -> list[Finding]:
        recent = sum(time.monotonic() - moment < _OLD_LOG_KEPT for moment in self._rotated)
        return [
            Finding(
                "resident memory, after the warm-up and at the end",
                f"{warm.resident / _MB:.1f} MB, {last.resident / _MB:.1f} MB",
                last.resident <= 1.2 * warm.resident + 4 * _MB,
            ),
            Finding(
                "file descriptors besides logs",
                f"{warm.descriptors}, {last.descriptors}",
                last.descriptors <= warm.descriptors,
            ),
            Finding(f"open logs, {recent} rotated lately", f"{last.logs}", last.logs <= 1 + recent),
            Finding("threads", f"{warm.threads}, {last.threads}", last.threads <= warm.threads),
            Finding("child processes at rest", f"{last.children}", last.children == 0),
        ]

    def _idle(self) -> Finding:
        busy = vitals.busy(self._pid)
        time.sleep(_IDLE)
        return Finding("processor of the idle console", f"{100 * (vitals.busy(self._pid) - busy) / _IDLE:.1f} %")


def soak(minutes: float, say: Callable[[str], None]) -> list[Finding]:
    """Run it for about that long, and return what came of it; `say` is told of each round. Raises `Wrong`."""
    pace = Pace.of(minutes)
    with Postfix.temporary() as postfix:
        with Screen.running(on(postfix, f"--window={pace.window:g}s")) as terminal:
            terminal.wait_for("Relay clients")
            pid = terminal.pid()
            findings = Soak(postfix, terminal, pace, say).run()
            processes = {pid, *below(pid)}
        # The terminal is gone.
        try:
            wait_until(lambda: not any(map(is_alive, processes)), 30)
        except TimeoutError:
            raise Wrong("the console went on running, or left a process, 30 s after its terminal was gone") from None
    return [*findings, Finding("processes once the terminal was gone", "0")]
