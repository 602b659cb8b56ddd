"""The machine that is looked at: run a command there, without a shell, and say how it ended."""

import os
import pwd
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

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
        # It takes its time to load, and the first screen needs no command.
        from bmtop import process

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

            status = process.run(found, arguments, environment(), (given, out, err), check)
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


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("bmtop"), "w+b", buffering=0)
