"""A witness that looks at every process's arguments again and again, as another user of the server could."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def until(true: Callable[[], object], deadline: float = 20) -> None:
    """Wait until `true` is; fail after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class Sampler:
    """What was seen while it looked: the command lines that hold the secret, and those of bm-cli."""

    def __init__(self, secret: str) -> None:
        self.secret = secret.encode()
        self.rounds = 0
        self.seen: set[bytes] = set()
        self.of_bm_cli: set[bytes] = set()

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (process / "cmdline").read_bytes()
                if self.secret in line:
                    self.seen.add(line)
                if b"bm-cli" in line:
                    self.of_bm_cli.add(line)
        self.rounds += 1

    def wait_for_a_look(self) -> None:
        """Wait until it has looked at all processes once from now on."""
        enough = self.rounds + 2
        until(lambda: self.rounds >= enough)


@contextlib.contextmanager
def sampling(secret: str) -> Iterator[Sampler]:
    sampler, stop = Sampler(secret), threading.Event()

    def run() -> None:
        while not stop.is_set():
            sampler.look()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sampler
    finally:
        stop.set()
        thread.join()
