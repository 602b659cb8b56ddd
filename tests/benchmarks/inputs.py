"""What the benchmarks run on: a real Postfix with a large queue, and the lines that it logged."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver import Player, Postfix, incident
from tests.mailserver.stories import ALICE, Played

from .lines import bodies

# So many messages are sent by SMTP; the others are copies of their queue files.
_PLAYED = 1_000


@dataclass(frozen=True)
class Inputs:
    """`folder` is for what a benchmark makes. `lines` are those of the incident, without time stamps."""

    folder: Path
    postfix: Postfix
    truth: Played
    lines: tuple[bytes, ...]
    queued: int
    queued_by_alice: int

    def bmtop(self, log: Path, *more: str) -> list[str]:
        """Return the command that starts bmtop on this Postfix and a log."""
        return [
            sys.executable, "-m", "bmtop", "--postfix", str(self.postfix.etc), "--log", str(log),
            "--state", str(self.folder / "state"), "--config", str(self.folder / "none.toml"), *more,
        ]  # fmt: skip

    def postqueue(self, *arguments: str) -> list[str]:
        """Return the command that asks this Postfix's queue."""
        return ["/usr/sbin/postqueue", "-c", str(self.postfix.etc), *arguments]


@contextmanager
def inputs(queued: int) -> Iterator[Inputs]:
    """Play the incident on a real Postfix, and make its queue about as long as `queued`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bmtop-benchmark-")))
        folder.chmod(0o755)
        (folder / "none.toml").touch()
        postfix = stack.enter_context(Postfix.start(folder / "postfix"))
        truth = incident(Player(postfix), min(queued, _PLAYED))
        lines = tuple(bodies(postfix.log))
        copies = queued // _PLAYED
        _multiply(postfix, copies)
        alices = truth.queued()["spam/alice"] * (copies + 1)
        yield Inputs(folder, postfix, truth, lines, len(postfix.files()), alices)


def _multiply(postfix: Postfix, copies: int) -> None:
    """Copy every deferred message so many times, each under the queue id of its own file."""
    for id, path in postfix.files().items():
        content = path.read_bytes()
        reasons = postfix.spool / "defer" / id[0] / id
        for number in range(copies):
            draft = postfix.spool / "deferred" / "draft"
            draft.touch(0o600)
            # A short queue id is a part of a second, and the number of the file's inode.
            copy = f"{number:05X}{draft.stat().st_ino:X}"
            draft.write_bytes(content.replace(f"log_ident={id}".encode(), f"log_ident={copy}".encode(), 1))
            _place(draft, path, postfix.spool / "deferred" / copy[0] / copy)
            if reasons.exists():
                shutil.copyfile(reasons, draft)
                _place(draft, reasons, postfix.spool / "defer" / copy[0] / copy)


def _place(draft: Path, like: Path, target: Path) -> None:
    """Move a file to where Postfix looks for it, with owner, mode and times as `like` has them."""
    shutil.copystat(like, draft)
    shutil.chown(draft, "postfix", "postfix")
    if not target.parent.exists():
        target.parent.mkdir(0o700)
        shutil.chown(target.parent, "postfix", "postfix")
    draft.rename(target)


@contextmanager
def written(log: Path, lines: Sequence[bytes], rate: int, folder: Path) -> Iterator[None]:
    """Have a process of its own append these lines to `log`, `rate` a second, until the block ends."""
    source = folder / "lines"
    source.write_bytes(b"".join(lines))
    command = [sys.executable, "-m", "tests.benchmarks.writer", str(log), str(source), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def timed(command: Sequence[str]) -> float:
    """Run a command with its output thrown away, and return the seconds that it took; raises where it fails."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600)
    return time.monotonic() - began


__all__ = ["ALICE", "Inputs", "inputs", "timed", "written"]
