"""The machine that is looked at: run a command there, without a shell, and say how it ended."""

import contextlib
import os
import pwd
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import sh

from bmtop.checked import Refused
from bmtop.trusted import refuse_others
from bmtop.visible import visible

# Root's commands come from the system's folders, whatever PATH it came in with.
SYSTEM_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
# A queue of a million messages is listed in less.
_MOST_OUTPUT = 1 << 30
# A name or an offset (tzset(3)), never a file of the caller's.
_ZONE = re.compile(r"[A-Za-z0-9_+<][A-Za-z0-9_+<>,./:-]{0,80}", re.ASCII)


class CommandFailed(Exception):
    """A command that could not be run, or did not end well. Its text is one sentence with the next step."""

    def __init__(self, sentence: str, result: "Result | None" = None) -> None:
        super().__init__(sentence)
        self.result = result


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its argument list, exit status (negative: the signal), output, and seconds."""

    command: tuple[str, ...]
    status: int
    out: bytes
    err: str
    seconds: float

    @property
    def last_words(self) -> str:
        """The last line of its standard error, for a sentence; it may quote what others wrote."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return visible(lines[-1][:300]) if lines else f"exit status {self.status}"

    def check(self, what_to_do: str) -> "Result":
        """Return itself; raises `CommandFailed`, naming `what_to_do`, unless the exit status is 0."""
        if self.status != 0:
            raise CommandFailed(f"{self.command[0]} failed: {self.last_words.rstrip('.')}. {what_to_do}", self)
        return self


class Server:
    """This machine. `path` is where commands are looked for, before anything else."""

    def __init__(self, path: Sequence[str] = SYSTEM_PATH) -> None:
        self.path = tuple(path)

    def find(self, program: str) -> str:
        """Return the absolute path of `program`.

        Raises `CommandFailed` where there is none, or root would run what others can change.
        """
        # An absolute path stands for itself: os.path.join drops what comes before it.
        candidates = [os.path.join(folder, program) for folder in self.path or ("/",)]
        for candidate in candidates:
            if os.path.isabs(candidate) and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                _refuse_others(candidate)
                return candidate
        raise CommandFailed(f"{program} was not found; install it, or name its place in the settings.")

    def run(
        self,
        program: str,
        *arguments: str,
        give: bytes = b"",
        timeout: float = 60.0,
        watch: Callable[[], None] | None = None,
        most: int = _MOST_OUTPUT,
    ) -> Result:
        """Run `program` to its end with `give` on its standard input, and return how it ended.

        `watch` is called some ten times a second meanwhile; what it raises ends the command.
        `timeout` is in seconds, `most` in bytes of output. Raises `CommandFailed` where it cannot be started,
        or goes beyond them. Blocks: call it off the event loop.
        """
        for argument in arguments:
            _refuse_unfit(argument)
        found = self.find(program)
        began = time.monotonic()
        # Files in memory, not pipes: a listing of a large queue does not pass through Python a line at a time.
        with _memory() as given, _memory() as out, _memory() as err:
            given.write(give)
            given.seek(0)

            def check() -> None:
                if time.monotonic() - began >= timeout:
                    raise CommandFailed(
                        f"{program} did not end within {timeout:.0f} seconds and was stopped; see whether the"
                        " server is overloaded, then try again."
                    )
                if max(os.fstat(stream.fileno()).st_size for stream in (out, err)) > most:
                    raise CommandFailed(f"{program} floods its output and was stopped; run it by hand to see.")
                if watch:
                    watch()

            status = _to_its_end(lambda: _start(found, arguments, given, out, err), check)
            out.seek(0)
            err.seek(0)
            return Result(
                (program, *arguments),
                status,
                out.read(),
                err.read().decode("utf-8", "replace"),
                time.monotonic() - began,
            )


def _refuse_others(program: str) -> None:
    # Who can change this Python has this very process.
    if program == sys.executable:
        return
    try:
        # A link is in one folder, what it leads to in another one.
        refuse_others(Path(program).parent, "The folder")
        refuse_others(Path(program), "The program")
    except Refused as error:
        raise CommandFailed(str(error)) from None


def _refuse_unfit(argument: str) -> None:
    """Raise `Refused`, which does not quote it, for what cannot stand in an argument list."""
    try:
        unfit = b"\0" in os.fsencode(argument)
    except UnicodeError:
        unfit = True
    if unfit:
        raise Refused("An argument holds a NUL, or is no text; it cannot be passed to a command.")


def environment() -> dict[str, str]:
    """Return the whole environment of a command: nothing in it was chosen by who started bmtop but the time zone."""
    found = {"PATH": ":".join(SYSTEM_PATH), "LC_ALL": "C.UTF-8", "HOME": home()}
    # syslog(3) stamps a command's log lines in the command's own zone, and they must be in that of the others.
    zone = os.environ.get("TZ", "")
    if _ZONE.fullmatch(zone) and ".." not in zone:
        found["TZ"] = zone
    return found


def home() -> str:
    """Return the home folder of the user whom bmtop runs as, whatever HOME says: sudo may leave it as it was."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"


def _as_from_the_system() -> None:
    """In the new process: no signal is held back, and files are made as everybody's."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("bmtop"), "w+b", buffering=0)


def _start(found: str, arguments: Sequence[str], given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> Any:
    try:
        return sh.Command(found)(
            *arguments,
            _in=given,
            _out=out,
            _err=err,
            _env=environment(),
            _cwd="/",
            _preexec_fn=_as_from_the_system,
            _bg=True,
            _bg_exc=False,
            _tty_out=False,
            _tty_in=False,
            _new_session=True,
            _return_cmd=True,
            _ok_code=list(range(256)),
        )
    except (sh.ForkException, OSError):
        raise CommandFailed(f"{found} cannot be started; run it by hand to see why.") from None


def _to_its_end(start: Callable[[], Any], check: Callable[[], None]) -> int:
    """Return the exit status; where `check`, called ten times a second, or Ctrl-C raises, the command is killed."""
    # Between the start and the first wait, Ctrl-C would leave it running, and nobody would know.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        process = start()
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _wait(process, check)
        except BaseException:
            _kill(process)
            raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return int(process.exit_code)


def _wait(process: Any, check: Callable[[], None]) -> None:
    _until_it_ends(process.pid, check)
    while True:
        try:
            process.wait(timeout=0.1)
        except sh.TimeoutException:
            check()
        except sh.SignalException:
            return
        else:
            return


def _until_it_ends(pid: int, check: Callable[[], None]) -> None:
    """Return at the very end of the process, where the system tells of it (pidfd_open(2), Linux 5.3).

    `sh` only asks every tenth of a second, so that the shortest command would take as long.
    """
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        end = select.poll()
        end.register(process, select.POLLIN)
        while not end.poll(100):
            check()
    finally:
        os.close(process)


def _kill(process: Any) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    with contextlib.suppress(sh.SignalException, sh.TimeoutException):
        process.wait(timeout=5)
