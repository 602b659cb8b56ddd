"""Toys for the tests, whose story is told up to a moment; and the real Postfix's programs on a toy's queue."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmtop.demo.story import write_past_and_wave
from bmtop.demo.toy import Toy

NOW = 1_795_000_000.25  # in epoch seconds
SECONDS = 45.0  # the wave has been rolling for half a minute


@dataclass(frozen=True, slots=True)
class Programs:
    """The toy's programs, or the real ones, on the same queue."""

    bin: Path
    config_directory: Path
    log: Path

    def run(self, program: str, *arguments: str, give: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a program on this configuration, whatever its exit status."""
        return subprocess.run(
            [self.bin / program, "-c", str(self.config_directory), *arguments],
            input=give, capture_output=True, timeout=60,
        )  # fmt: skip

    def told(self, done: "subprocess.CompletedProcess[bytes]") -> list[bytes]:
        """What a program said on standard error; the place it was called from, which some begin with, is left out."""
        return done.stderr.replace(bytes(self.bin) + b"/", b"").splitlines()


def of_toy(toy: Toy) -> Programs:
    return Programs(toy.bin, toy.config_directory, toy.log)


def of_postfix(toy: Toy) -> Programs:
    """The real programs, with a main.cf of their own that names the toy's queue, whose files are given to `postfix`."""
    etc = toy.folder / "real"
    etc.mkdir()
    log = toy.folder / "real.log"
    (etc / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {toy.queue_directory}\ndata_directory = {toy.folder}/data\n"
        f"hash_queue_names = deferred,defer\nmaillog_file = {log}\nmaillog_file_prefixes = /tmp\nmyhostname = mail\n"
    )
    log.touch()
    shutil.copy("/etc/postfix/master.cf.proto", etc / "master.cf")
    subprocess.run(["chown", "-R", "postfix", str(toy.queue_directory), str(toy.folder / "data"), str(log)], check=True)
    return Programs(Path("/usr/sbin"), etc, log)


def make_toy(seconds: float = SECONDS, seed: int = 1) -> Toy:
    """A toy in a new folder, where user postfix may go. The caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="bmtop-toy-"))
    folder.chmod(0o755)
    return write_past_and_wave(folder, NOW, seconds, seed)


@pytest.fixture
def toy() -> Iterator[Toy]:
    made = make_toy()
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="module")
def shared_toy() -> Iterator[Toy]:
    """One toy for all tests of a module that only look."""
    made = make_toy()
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="module")
def real(shared_toy: Toy) -> Programs:
    """The real programs on the shared toy's queue."""
    return of_postfix(shared_toy)
