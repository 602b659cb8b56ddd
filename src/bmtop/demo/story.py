"""The incident of `bmtop --demo`: a quiet past, a brute force that gets in, and the wave.

`script` says what the clients do and when; the toy's daemons say what comes of it, so that the story goes the way that
the administrator gives it. `python -m bmtop.demo.story DIR` plays it in real time, until it is interrupted.
"""

import contextlib
import heapq
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from bmtop.demo import actors, cast
from bmtop.demo.beats import Beat
from bmtop.demo.daemons.machine import Machine
from bmtop.demo.daemons.processes import Processes
from bmtop.demo.daemons.qmgr import QueueManager
from bmtop.demo.daemons.smtpd import Smtpd
from bmtop.demo.folder import Toy, lay_out

READY = b"ready\n"
GOODBYE = b"goodbye\n"


def script(seed: int) -> Iterator[Beat]:
    """Yield what the clients do, in the order of time; the same for the same seed."""

    def rng(name: str) -> Random:
        return Random(f"{seed} {name}")

    parts = [
        *(actors.colleague(rng(person.login), person, number) for number, person in enumerate(cast.COLLEAGUES)),
        actors.queued_offer(rng("offer")),
        actors.strangers(rng("strangers")),
        actors.erp(rng("erp")),
        actors.website(rng("website")),
        *(actors.guesser(rng(client.address), client, number) for number, client in enumerate(cast.GUESSERS)),
        actors.prober(rng("prober")),
        actors.break_in(rng("break-in")),
        *(actors.wave(rng(f"wave {n}"), (cast.THIEF, cast.THIEF_V6)[n % 2], n) for n in range(4)),
        actors.second_login(rng("second")),
    ]
    return heapq.merge(*parts, key=lambda beat: beat.at)


class Player:
    """Plays the script of `seed` on the toy in `folder`; `start` is the moment 0 of the story, in epoch seconds."""

    def __init__(self, folder: Path, seed: int, start: float, *, steady_ids: bool = False) -> None:
        self.start = start
        self.machine = Machine(folder, start - actors.PAST, steady_ids=steady_ids)
        queue_manager = QueueManager(self.machine, Random(f"{seed} chance"))
        self.smtpd = Smtpd(self.machine, queue_manager.accept)
        self._beats = script(seed)
        self._next = next(self._beats, None)

    @property
    def next_moment(self) -> float:
        """When something happens next, in epoch seconds."""
        beat = float("inf") if self._next is None else self.start + self._next.at
        return min(beat, self.machine.next_action)

    def step(self) -> None:
        """Let the next thing happen."""
        if self._next is not None and self.start + self._next.at <= self.machine.next_action:
            beat, self._next = self._next, next(self._beats, None)
            self.machine.now = self.start + beat.at
            self.smtpd.perform(beat)
        else:
            self.machine.act()

    def play_until(self, moment: float) -> None:
        """Let everything happen that happens before `moment`, at once."""
        while self.next_moment < moment:
            self.step()
        self.machine.flush()

    def play_live(self, wait: Callable[[float], bool]) -> None:
        """Go on in real time; `wait` sleeps for so many seconds and says whether to go on."""
        self.smtpd.processes = processes = Processes(self.machine.folder)
        try:
            while wait(max(0.0, self.next_moment - time.time())):
                self.play_until(time.time())
        finally:
            processes.close()


def write_past_and_wave(folder: Path, now: float, until_seconds: float, seed: int = 1) -> Toy:
    """Lay out a toy in `folder` and play the story on it, all at once, up to `until_seconds` after its start.

    `now`, in epoch seconds, is that moment. Queue ids are the same each time, so that pictures can be
    compared: for that they end in a counter, not in the file's inode number.
    """
    start = now - until_seconds
    toy = lay_out(folder, start)
    Player(folder, seed, start, steady_ids=True).play_until(now)
    return toy


def main() -> int:
    """Lay out and play the toy in the folder that is the first argument, with the seed that is the second.

    With `--child` as third: says when the past is written, goes on until standard input ends, and removes
    the folder where that comes without a good-bye: then its parent has died.
    """
    if len(sys.argv) < 2:
        print("usage: python -m bmtop.demo.story DIR [SEED]", file=sys.stderr)
        return 2
    folder, seed = Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    child = sys.argv[3:] == ["--child"]
    start = time.time()
    try:
        toy = lay_out(folder, start)
    except FileExistsError:
        print(f"There is a toy in {folder} already; name a new folder.", file=sys.stderr)
        return 2
    player = Player(folder, seed, start)
    player.play_until(start)
    if child:
        os.write(1, READY)
        player.play_live(_parent_lives)
        if os.read(0, len(GOODBYE)) != GOODBYE:
            shutil.rmtree(folder, ignore_errors=True)
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        print(f"bmtop --postfix {toy.config_directory} --log {toy.log} --bm-cli {toy.bm_cli} --state {toy.state}")
        print(f"with {toy.bin} before the other folders of commands. Ctrl-C ends the story; the folder stays.")
        player.play_live(_sleep)
    return 0


def _parent_lives(seconds: float) -> bool:
    return not select.select([0], [], [], min(seconds, 3600.0))[0]


def _sleep(seconds: float) -> bool:
    time.sleep(min(seconds, 3600.0))
    return True


if __name__ == "__main__":
    sys.exit(main())
