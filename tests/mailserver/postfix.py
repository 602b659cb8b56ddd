"""A real Postfix in a folder of its own, on loopback, for tests, benchmarks and for looking at by hand.

    with Postfix.start(Path("/tmp/mail")) as postfix:
        Player(postfix)...
        postfix.queue()

Its helpers are witnesses: each asks Postfix's own programs or reads its files, never bmtop.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from types import TracebackType
from typing import Any

from . import configuration
from .configuration import Ports
from .ports import free_ports, is_listening

QUEUES = ("incoming", "active", "deferred", "hold", "corrupt", "maildrop")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
IDS_PER_CALL = 5_000  # ids that fit well into one argument list


class PostfixError(RuntimeError):
    """Postfix, or a program of it, did not do what it was asked; the text is its own."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message as `postqueue -j` lists it (postqueue(1)): size in bytes, arrival in Unix seconds, and for the null
    sender MAILER-DAEMON."""

    queue_id: str
    queue_name: str
    arrival_time: int
    message_size: int
    sender: str
    recipients: tuple[str, ...]


def wait_until(predicate: Callable[[], object], seconds: float = 30, what: str = "") -> None:
    """Ask again and again until it is true; TimeoutError when it is not so within that many seconds."""
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s: {what or predicate}")
        time.sleep(0.02)


class Postfix:
    """A running Postfix: `folder` with `etc`, `data`, `log` and (unless it is elsewhere) `spool`; its ports; its
    passwords by login."""

    def __init__(self, folder: Path, spool: Path) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.log = folder / "mail.log"
        self.spool = spool
        self.ports = Ports(0, 0, 0)
        self.passwords: dict[str, str] = {}
        self._sinks: list[subprocess.Popen[bytes]] = []

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        long_queue_ids: bool = False,
        queue_on: Path | None = None,
        settings: Mapping[str, str] | None = None,
        users: Mapping[str, str] = configuration.USERS,
    ) -> "Postfix":
        """Set it up in this folder (which is made, or taken over from an earlier start) and start it.

        `queue_on`: a new folder for the queue, to be on another file system; it is removed at the end.
        `settings`: main.cf parameters that win. `users`: password by login.
        Raises PermissionError when it is not root or when user postfix cannot get into the folder; FileExistsError
        when `queue_on` is there already; PostfixError when something is not installed or does not start.
        """
        if os.geteuid() != 0:
            raise PermissionError("a Postfix for tests needs root: run the tests as root, or in a container")
        for program in ("postfix", "saslpasswd2", "smtp-sink"):
            if not shutil.which(program, path=PATH):
                raise PostfixError(f"no {program}: apt-get install postfix sasl2-bin libsasl2-modules")
        folder = folder.resolve()
        self = cls(folder, queue_on.resolve() if queue_on else folder / "spool")
        for place in (self.folder, self.spool):
            check_place(place)
        if queue_on and queue_on.exists():
            raise FileExistsError(f"the queue's folder is removed at the end, so it has to be a new one: {queue_on}")
        if self.processes():
            raise PostfixError(f"a Postfix is already running in {folder}")
        try:
            self._start(long_queue_ids=long_queue_ids, settings=settings or {}, users=users)
        except BaseException:
            self.stop()
            raise
        return self

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, **options: Any) -> Iterator["Postfix"]:
        """One in a fresh temporary folder, which is gone at the end; the options are those of `start`."""
        folder = Path(tempfile.mkdtemp(prefix="bmtop-postfix-"))
        try:
            folder.chmod(0o755)
            with cls.start(folder, **options) as postfix:
                yield postfix
        finally:
            shutil.rmtree(folder)

    def _start(self, *, long_queue_ids: bool, settings: Mapping[str, str], users: Mapping[str, str]) -> None:
        self.spool.mkdir(parents=True, exist_ok=True)
        self.spool.chmod(0o755)
        dead = self._sink("-f", "RCPT", "-B", "550 5.1.1 no such user")
        smtp, submission = free_ports(2)
        self.ports = Ports(smtp, submission, dead)
        parameters = configuration.main_cf(
            self.folder, self.spool, self.ports, long_queue_ids=long_queue_ids, settings=settings
        )
        configuration.write(self.folder, parameters, self.ports)
        for table in ("virtual_domains", "virtual_alias"):
            run("postmap", "-c", str(self.etc), f"hash:{self.etc / table}")
        for login, password in users.items():
            self.set_password(login, password)
        try:
            run("postfix", "-c", str(self.etc), "start")
        except PostfixError as error:
            said = self.log.read_text(errors="replace") if self.log.exists() else ""
            raise PostfixError(f"{error}\n{said}") from error

    def stop(self) -> None:
        """Stop it; at the end no process of it is left, and nothing of it outside of its folder."""
        with contextlib.suppress(OSError, ValueError):
            master = int((self.spool / "pid" / "master.pid").read_text())
            if master in self.processes():
                os.kill(master, signal.SIGTERM)
        for sink in self._sinks:
            sink.kill()
            sink.wait()
        self._sinks.clear()
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.processes(), 3)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.processes(), 3, "all processes of the test Postfix have ended")
        if self.spool.parent != self.folder:
            shutil.rmtree(self.spool, ignore_errors=True)

    def __enter__(self) -> "Postfix":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def processes(self) -> list[int]:
        """The process ids of this Postfix: master gives each of its children the configuration's folder."""
        mark = b"MAIL_CONFIG=" + os.fsencode(self.etc)
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in environment.read_bytes().split(b"\0"):
                    found.append(int(environment.parent.name))
        return found

    # What it is told

    def set_password(self, login: str, password: str) -> None:
        """Give this login (user@domain) a password; a new login is made."""
        user, _, domain = login.partition("@")
        database = configuration.sasl_database(self.folder)
        run("saslpasswd2", "-p", "-c", "-f", str(database), "-u", domain, user, stdin=password.encode())
        shutil.chown(database, "root", "postfix")
        database.chmod(0o640)
        self.passwords[login] = password

    def postconf(self, **settings: str) -> None:
        """Set main.cf parameters and reload; returns when Postfix has read them."""
        run("postconf", "-c", str(self.etc), "-e", *(f"{name}={value}" for name, value in settings.items()))
        configuration.let_cool(self.etc)
        with self.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            run("postfix", "-c", str(self.etc), "reload")
            wait_until(lambda: b": reload -- " in log.read(), what="Postfix has reloaded")

    def flush(self) -> None:
        """Have all deferred mail tried again soon, whatever defer_transports says (`postqueue -f`): smtp finds nobody
        listening, and defers it again, until `deliver` lets it out."""
        run("postqueue", "-c", str(self.etc), "-f")

    def deliver(self, seconds_each: int = 0) -> None:
        """From now on foreign mail leaves, to a server that takes this many seconds for each message; what is in the
        queue is tried soon."""
        sink = self._sink(*(("-w", str(seconds_each)) if seconds_each else ()))
        self.postconf(defer_transports="", relayhost=f"[127.0.0.1]:{sink}")
        self.flush()

    def settle(self, seconds: float = 30) -> None:
        """Wait until nothing is on its way: all mail is delivered, deferred or on hold, and the log tells so."""
        # In the order in which mail goes; and twice, for a message in `active` may leave a bounce in `incoming`
        moving = [self.spool / name for name in ("maildrop", "incoming", "active")] * 2
        wait_until(lambda: not any(has_files(folder) for folder in moving), seconds, "the queue is at rest")
        # postlogd(8) writes what it is sent in that order, and a moment later.
        last = f"at rest {time.monotonic_ns()}"
        run("postlog", "-c", str(self.etc), last)
        wait_until(lambda: self._has_logged(last), seconds, "all is in the log")

    def _has_logged(self, text: str) -> bool:
        """Whether that is in the log, or in one that was rotated meanwhile."""
        for log in self.folder.glob(f"{self.log.name}*"):
            with contextlib.suppress(OSError):
                if text.encode() in log.read_bytes():
                    return True
        return False

    def _sink(self, *options: str) -> int:
        """Start an SMTP server that keeps nothing (smtp-sink(1)), and return its port."""
        port = free_ports(1)[0]
        command = ["smtp-sink", "-u", "postfix", *options, f"127.0.0.1:{port}", "256"]
        environment = {"PATH": PATH, "MAIL_CONFIG": str(self.etc)}
        self._sinks.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        wait_until(lambda: is_listening(port), what="smtp-sink listens")
        return port

    # What it says

    def queue(self) -> dict[str, Queued]:
        """The whole queue by queue id, as `postqueue -j` lists it."""
        listing = run("postqueue", "-c", str(self.etc), "-j").stdout
        entries = map(json.loads, listing.splitlines())
        return {
            entry["queue_id"]: Queued(
                entry["queue_id"],
                entry["queue_name"],
                entry["arrival_time"],
                entry["message_size"],
                entry["sender"],
                tuple(recipient["address"] for recipient in entry["recipients"]),
            )
            for entry in entries
        }

    def files(self) -> dict[str, Path]:
        """All queue files by queue id, as they lie in the folders."""
        found = {}
        for name in QUEUES:
            for parent, _, names in os.walk(self.spool / name):
                found.update({queue_id: Path(parent, queue_id) for queue_id in names})
        return found

    def raw(self, queue_id: str) -> bytes:
        """Every byte of this message's queue file. Raises KeyError when it is not in the queue."""
        return self.files()[queue_id].read_bytes()

    def content(self, queue_id: str) -> bytes:
        """The message as it would be delivered: header and body (`postcat -bhq`)."""
        return run("postcat", "-c", str(self.etc), "-bhq", queue_id).stdout

    def header(self, queue_id: str, name: str) -> str | None:
        """The first header line of that name, or None; read from the header section only."""
        value = message_from_bytes(self.headers([queue_id])[queue_id])[name]
        return None if value is None else str(value)

    def headers(self, queue_ids: Iterable[str]) -> dict[str, bytes]:
        """The header section of each message, by `postcat -ehq`; what has left the queue meanwhile is left out."""
        todo, found = list(queue_ids), dict[str, bytes]()
        while todo:
            batch, todo = todo[:IDS_PER_CALL], todo[IDS_PER_CALL:]
            answer = run("postcat", "-c", str(self.etc), "-ehq", *batch, check=False)
            found.update(header_sections(answer.stdout))
            if answer.returncode:
                # postcat ends at the first id that it does not find
                gone = re.search(rb"open queue file (\w+): No such file", answer.stderr)
                if gone is None:
                    raise PostfixError(answer.stderr.decode(errors="replace"))
                todo += [queue_id for queue_id in batch if queue_id not in found and queue_id != gone[1].decode()]
        return found


def run(*command: str, stdin: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """Run a program of Postfix's or SASL's; PostfixError with what it said when it fails."""
    environment = {"PATH": PATH, "LC_ALL": "C"} | {key: os.environ[key] for key in ("TZ",) if key in os.environ}
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=120)
    if check and done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise PostfixError(f"{command[0]} ended with {done.returncode}: {said}")
    return done


def header_sections(listing: bytes) -> Iterator[tuple[str, bytes]]:
    """Each queue id and its header section out of `postcat -ehq`.

    No header line can look like postcat's own separators: a line that begins with `*` and is no header ends the
    header section, and what goes on a header line begins with a blank.
    """
    pattern = rb"^\*\*\* MESSAGE CONTENTS \S*?(\w+) \*\*\*\n(.*?)^\*\*\* HEADER EXTRACTED "
    for match in re.finditer(pattern, listing, re.MULTILINE | re.DOTALL):
        yield match[1].decode(), match[2]


def has_files(folder: Path) -> bool:
    """Whether a file lies in this folder, or below it."""
    return any(names for _, _, names in os.walk(folder))


def check_place(place: Path) -> None:
    """Raise when Postfix could not work in this folder, with what to do about it."""
    if len(str(place)) > 80 or not re.fullmatch(r"[\w./+@-]+", str(place)):
        raise ValueError(f"choose a short folder without blanks (socket names are limited): {place}")
    for parent in place.parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise PermissionError(f"user postfix cannot get through {parent}: choose another folder, or chmod o+x it")
