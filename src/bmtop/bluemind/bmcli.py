"""What is asked of bm-cli, BlueMind's command: one at a time, and never believed by its exit status alone."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from bmtop.bluemind import table
from bmtop.bluemind.argfile import argument_file
from bmtop.bluemind.passwords import Password
from bmtop.bluemind.session import CannotList, Session, read_sessions
from bmtop.checked import Login, Refused
from bmtop.server import CommandFailed, Result, Server
from bmtop.visible import visible

_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII)
# What a JVM or BlueMind's launcher says on standard error although all is well, and the lines of a stack trace.
_NOISE = re.compile(
    r"OpenJDK |Java HotSpot|WARNING: |Picked up |SLF4J|LOGBACK|CLI stopped|Global progress "
    r"|at [\w.$/]+\(|\.\.\. \d+ more"
)
# All sessions of a large domain are less.
_MOST_OUTPUT = 1 << 26
_UNKNOWN = re.compile(
    r"No mailbox matches|User .* not found|did not match anything|Invalid or unknown domain|(Invalid|not a valid) email"
)


class OnlyInArgv(CommandFailed):
    """The password can only be passed in bm-cli's arguments, where every user of the server can read it."""


class BmCli:
    """bm-cli on `server`. Each call starts a JVM, and takes seconds.

    `folder` is where the lock file is kept (None: nowhere, since nothing may be written), `memory` one that
    is in memory, `disabled` the file that switches bm-cli off. `timeout` is in seconds, and holds for the wait
    for another bm-cli as well. All calls raise `CommandFailed`. They block: call them off the event loop.
    """

    def __init__(
        self,
        server: Server,
        program: str = "/usr/bin/bm-cli",
        *,
        folder: Path | None,
        disabled: Path = Path("/etc/bm/bm-cli.disabled"),
        memory: Path = Path("/dev/shm"),
        timeout: float = 90.0,
    ) -> None:
        self.server = server
        self.program = program
        self.folder = folder
        self.disabled = disabled
        self.memory = memory
        self.timeout = timeout

    def exists(self) -> bool:
        """Tell whether there is a bm-cli."""
        try:
            self.server.find(self.program)
        except CommandFailed:
            return False
        return True

    def logout(self, login: Login) -> Result:
        """End the account's sessions. Succeeds as well where there was none."""
        return self._do("user", "logout", f"--email={login}" if self.is_recent else login)

    def set_password(self, login: Login, password: str, *, allow_argv: bool = False) -> Result:
        """Set the account's password; the result does not hold it.

        Raises `Refused` for a password that bm-cli cannot be given, and `OnlyInArgv` where there is no
        folder in memory, unless `allow_argv` says that the process list may show the password.
        """
        password = Password(password)
        with ExitStack() as stack:
            try:
                argument = stack.enter_context(argument_file(self.memory, f"--password={password}"))
            except OSError as error:
                if not allow_argv:
                    raise OnlyInArgv(
                        f"{self.memory} cannot be used ({error.strerror}), so that every user of the server would see"
                        " the password in the list of processes; give bmtop a key for BlueMind's REST service, or"
                        " allow that."
                    ) from None
                argument = f"--password={password}"
            return self._do("user", "update", login, argument, secret=password)

    def sessions(self, domain: str) -> tuple[Session, ...]:
        """Return the sessions of the domain with this name, alias or uid; raises `CannotList` for an old BlueMind."""
        if not _DOMAIN.fullmatch(domain):
            raise Refused(f"{domain[:80]!a} is not a domain; write it like example.com.")
        if not self.is_recent:
            raise CannotList
        listing = self._do("user", "sessions", "--json", f"--domain={domain}")
        return read_sessions(_json(listing, listing.out))

    def uid(self, login: Login) -> str:
        """Return the uid of the account that `login` belongs to, be it by an alias."""
        answer = self._do("user", "get", login, "--display=uid")
        lines = answer.out.splitlines()
        user = _json(answer, lines[0]) if len(lines) == 1 else None
        if not isinstance(user, dict) or not isinstance(user.get("uid"), str):
            raise CommandFailed(f"bm-cli did not say which account {login} is; run `bm-cli user get {login}`.", answer)
        return str(user["uid"])

    def mynetworks(self) -> str:
        """Return BlueMind's setting of the trusted networks, empty where it is not set."""
        # The other settings hold passwords: nothing else of the table leaves this function.
        listing = self._do("sysconf", "list").out.decode("utf-8", "replace")
        return visible(table.values(listing).get("mynetworks", ""))

    def set_mynetworks(self, text: str) -> Result:
        """Set the trusted networks; BlueMind writes them to Postfix, and reloads it."""
        return self._do("sysconf", "set", "mynetworks", f"--value={text}")

    @cached_property
    def is_recent(self) -> bool:
        """Whether it is of April 2023 or later: logout takes --email, and sessions can be listed."""
        # The usage comes on either stream and with any status, depending on the version.
        answer = self._run("user", "logout", "--help")
        usage = answer.out.decode("utf-8", "replace") + answer.err
        if "--email" in usage:
            return True
        if re.search(r"logout .*<", usage):
            return False
        raise CommandFailed(
            f"bm-cli does not say how a logout is asked of it ({_words(answer)}); see `bm-cli user logout --help`.",
            answer,
        )

    def _do(self, *arguments: str, secret: str = "") -> Result:
        """Run bm-cli, and return how it ended; raises `CommandFailed` unless it ended well, and without complaint."""
        result = self._run(*arguments, secret=secret)
        what = f"bm-cli {arguments[0]} {arguments[1]}"
        trouble = _words(result)
        if _UNKNOWN.search(trouble):
            raise CommandFailed(f"BlueMind knows no such account: {trouble}. See whose the login is.", result)
        if result.status < 0:
            raise CommandFailed(f"{what} was ended by signal {-result.status}; see whether memory is short.", result)
        if result.status == 0 and trouble:
            raise CommandFailed(f"{what} says that it ended well, but also: {trouble}. Take it as not done.", result)
        if result.status != 0:
            raise CommandFailed(
                f"{what} failed: {trouble or f'exit status {result.status}'}. See whether BlueMind's core is up: "
                "`systemctl status bm-core`.",
                result,
            )
        return result

    def _run(self, *arguments: str, secret: str = "") -> Result:
        if os.path.lexists(self.disabled):
            raise CommandFailed(f"bm-cli is switched off by {self.disabled}; remove that file, and try again.")
        with self._alone():
            result = _harmless(
                self.server.run(self.program, *arguments, timeout=self.timeout, most=_MOST_OUTPUT), secret
            )
        if re.search(rb"bm-cli is disabled|bm-cli\.disabled exist", result.out):
            raise CommandFailed("bm-cli says that it is switched off; see /etc/bm/bm-cli.disabled.", result)
        return result

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for any other bm-cli of bmtop to end: when it starts as root, it rebuilds its own folder."""
        if self.folder is None:
            yield
            return
        file = self.folder / "bm-cli.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Every call opens the file anew, so that the lock keeps threads apart as well as processes.
            lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CommandFailed(f"{file} cannot be opened ({error.strerror}); run `sudo bmtop`.") from None
        try:
            deadline = time.monotonic() + self.timeout
            while not _locked(lock):
                if time.monotonic() > deadline:
                    raise CommandFailed("Another bmtop is still running bm-cli; wait for it, then try again.")
                time.sleep(0.05)
            yield
        finally:
            os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _harmless(result: Result, secret: str) -> Result:
    """Return `result` without colours, and without the password, which an error message may repeat."""

    def hide(text: str) -> str:
        return text.replace(secret, "…") if secret else text

    return replace(
        result,
        command=tuple(hide(argument) for argument in result.command),
        out=hide(_COLOUR.sub("", result.out.decode("utf-8", "replace"))).encode(),
        err=hide(_COLOUR.sub("", result.err)),
    )


def _words(result: Result) -> str:
    """Return the line that says what went wrong, or nothing where there is none."""
    lines = [line for line in map(str.strip, result.err.splitlines()) if line and not _NOISE.match(line)]
    if not lines and result.status != 0:
        lines = [result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]]
    told = next((line for line in lines if line.startswith("Error handling")), lines[0] if lines else "")
    return visible(told[:300]).rstrip(". ")


def _json(result: Result, text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise CommandFailed(
            f"{' '.join(result.command[:3])} did not answer in JSON; run it by hand, and see what it says.", result
        ) from None
