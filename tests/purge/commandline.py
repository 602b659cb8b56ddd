"""bmtop's command line on a test Postfix, and witnesses of what it did that never ask bmtop."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmtop import cli
from bmtop.commands import reader_and_responder
from bmtop.config import Settings
from bmtop.incident.selection import Filter, select
from bmtop.response.plan import MessageAction, Plan
from bmtop.response.responder import Responder
from tests.mailserver import Postfix, played
from tests.mailserver.postfix import run

HERE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Bmtop:
    """The command line, with the options that lead it to this Postfix."""

    def __init__(self, postfix: Postfix, state: Path | None = None, *options: str) -> None:
        self.state = state or postfix.folder / "state"
        self.options = ("--postfix", str(postfix.etc), "--log", str(postfix.log), "--state", str(self.state), *options)

    def __call__(self, *arguments: str) -> Said:
        """Run it in this process; nobody sits at a terminal."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main([*self.options, *arguments])
            except SystemExit as end:
                status = int(end.code or 0)
        return Said(status, out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "bmtop", *self.options, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PYTHONPATH": str(HERE / "src"), "PATH": os.environ["PATH"]},
        )  # fmt: skip

    def journal(self) -> list[dict[str, Any]]:
        """Every line of the journal."""
        return [json.loads(line) for line in (self.state / "journal.jsonl").read_text().splitlines()]


def frozen(postfix: Postfix, login: str, action: MessageAction = "purge") -> tuple[Responder, Plan]:
    """What a dialog has frozen: all messages of a login, and the one who acts on them."""
    settings = Settings(postfix=postfix.etc, log=postfix.log, state=postfix.folder / "state")
    monitor, responder = reader_and_responder(settings)
    wanted = Filter(login=login)
    return responder, Plan(action, wanted, select(monitor.read_queue().values(), wanted, monitor.accounts))


def raw(postfix: Postfix) -> dict[str, bytes]:
    """Every byte of every message's queue file, by queue id."""
    return {queue_id: path.read_bytes() for queue_id, path in postfix.files().items()}


def labels(postfix: Postfix) -> Counter[str]:
    """How many messages of each label are in the queue."""
    return Counter(played(postfix).values())


def queues(postfix: Postfix) -> dict[str, str]:
    """The queue that each message is in."""
    return {queue_id: queued.queue_name for queue_id, queued in postfix.queue().items()}


def several_links(postfix: Postfix) -> list[Path]:
    """Queue files that have a second name, so that the queue manager leaves them alone."""
    return [path for path in postfix.files().values() if path.stat().st_nlink > 1]


def clear(postfix: Postfix) -> None:
    """Empty the queue, and forget what bmtop knows."""
    run("postsuper", "-c", str(postfix.etc), "-d", "ALL")
    for left in (postfix.spool / "bmtop-undo", postfix.folder / "state"):
        shutil.rmtree(left, ignore_errors=True)
