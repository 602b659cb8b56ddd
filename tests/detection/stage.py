"""The stage for one kind of incident after the other: one Postfix, an empty queue, and a log of its own for each."""

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bmtop.config import Settings
from bmtop.incident.picture import Picture
from bmtop.monitor import Monitor
from bmtop.postfix.instance import Postfix as Instance
from bmtop.server import Server
from tests.mailserver import Client, Message, Player, Postfix

USERS = {
    f"{name}@example.com": f"Right-{name}-1"
    for name in ("alice", "bob", "carol", "dave", "erin", "frank", "news")
} | {"alice@alias.example": "Right-alice-2", "alice@0f3a9c.internal": "Right-alice-3"}  # fmt: skip
_STAMP = re.compile(r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?= )", re.MULTILINE)


@dataclass(frozen=True)
class Truth:
    """Who did what, as the story has it: logins by account, relay clients by address.

    `relays` has the kind of every relay there is, `guilty_relays` those of them that send the spam.
    `break_ins` are the clients that guessed a password. `settings` are bmtop's, as this server needs them.
    """

    guilty: frozenset[str] = frozenset()
    guilty_relays: frozenset[str] = frozenset()
    relays: Mapping[str, str] = field(default_factory=dict)
    break_ins: frozenset[str] = frozenset()
    settings: Mapping[str, object] = field(default_factory=dict)


class Stage:
    """What a story plays on."""

    def __init__(self, postfix: Postfix) -> None:
        self.postfix = postfix
        self.player = Player(postfix)
        self._began = postfix.log.stat().st_size
        self._earlier = ""

    def send(self, client: Client, messages: list[Message], login: str | None = None, connections: int = 1) -> None:
        self.player.send(client, messages, login, connections=connections)

    def fail(self, client: Client, *logins: str) -> None:
        self.player.fail_logins(client, logins)

    def minutes_pass(self, minutes: float) -> None:
        """Let all that was played so far be so long ago: the log's lines are dated back."""
        self.postfix.settle()
        self._earlier = _dated_back(self._earlier + self._new_lines(), minutes)

    def _new_lines(self) -> str:
        with self.postfix.log.open("rb") as file:
            file.seek(self._began)
            new = file.read()
        self._began += len(new)
        return new.decode("utf-8", "surrogateescape")

    def picture(self, settings: Mapping[str, object] | None = None) -> Picture:
        """Return what bmtop makes of the log and the queue."""
        self.postfix.settle()
        log = self.postfix.folder / "kind.log"
        self._earlier += self._new_lines()
        log.write_text(self._earlier, encoding="utf-8", errors="surrogateescape")
        found = Settings(log=log, postfix=self.postfix.etc, state=self.postfix.folder / "state")
        found = replace(found, **(settings or {}))  # type: ignore[arg-type]
        return Monitor(found, Instance(Server(), self.postfix.etc)).read_once()


def _dated_back(log: str, minutes: float) -> str:
    def back(found: re.Match[str]) -> str:
        # A leap year has every day.
        then = datetime.strptime(f"2024 {found[1]}", "%Y %b %d %H:%M:%S") - timedelta(minutes=minutes)
        return f"{then:%b} {then.day:2} {then:%H:%M:%S}"

    return _STAMP.sub(back, log)


@contextlib.contextmanager
def postfix_for_all() -> Iterator[Postfix]:
    """Start the one Postfix that all kinds are played on."""
    with Postfix.temporary(users=USERS) as postfix:
        yield postfix


@contextlib.contextmanager
def stage(postfix: Postfix) -> Iterator[Stage]:
    """Give a story an empty queue, and clean up after it."""
    try:
        yield Stage(postfix)
    finally:
        postfix.settle()
        subprocess.run(["postsuper", "-c", str(postfix.etc), "-d", "ALL"], check=True, capture_output=True, timeout=60)
        for left in ("kind.log", "state/known-relays"):
            Path(postfix.folder / left).unlink(missing_ok=True)
