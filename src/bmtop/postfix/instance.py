"""One Postfix: its configuration directory, its commands, and what postconf(1) says of it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bmtop.checked import Refused
from bmtop.server import CommandFailed, Result, Server


class Postfix:
    """The Postfix with this configuration directory, or the system's where it is None."""

    def __init__(self, server: Server, config_directory: Path | None = None) -> None:
        if config_directory is not None and not config_directory.is_absolute():
            raise Refused(f"{config_directory} is not an absolute path; postsuper takes no other.")
        self.server = server
        self._config_directory = config_directory
        self._options = () if config_directory is None else ("-c", str(config_directory))
        self._queue_directory: Path | None = None
        self._stopped = False

    def stop_queries(self) -> None:
        """End every query that is running; the actions run to their end."""
        self._stopped = True

    def _go_on(self) -> None:
        if self._stopped:
            raise CommandFailed("bmtop is closing.")

    def query(self, program: str, *arguments: str, timeout: float = 60.0) -> Result:
        """Run a program that only reads; `stop_queries` ends it."""
        return self.run(program, *arguments, timeout=timeout, watch=self._go_on)

    def run(
        self,
        program: str,
        *arguments: str,
        give: bytes = b"",
        timeout: float = 60.0,
        watch: Callable[[], None] | None = None,
    ) -> Result:
        """Run one of Postfix's programs on this configuration; see `Server.run`."""
        return self.server.run(program, *self._options, *arguments, give=give, timeout=timeout, watch=watch)

    def runs(self, program: str) -> bool:
        """Tell whether this program runs on this machine, and not for another configuration (proc(5))."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "comm").read_text(encoding="ascii", errors="replace").rstrip("\n") != program:
                    continue
                arguments = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
                theirs = arguments[arguments.index("-c") + 1] if "-c" in arguments[:-1] else None
                if None in (theirs, self._config_directory) or theirs == str(self._config_directory):
                    return True
        return False

    def settings(self, *names: str) -> dict[str, str]:
        """Return the expanded values of these parameters (postconf(5)).

        Raises `CommandFailed` where there is no Postfix, or its configuration cannot be read.
        """
        result = self.query("postconf", "-x", *names).check("See whether Postfix is installed and --postfix is right.")
        pairs = (line.partition("=") for line in result.out.decode("utf-8", "replace").splitlines())
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def queue_directory(self) -> Path:
        """The folder of the queues. Raises `CommandFailed` where Postfix does not say."""
        if self._queue_directory is None:
            value = self.settings("queue_directory").get("queue_directory", "")
            if not value.startswith("/"):
                raise CommandFailed("postconf names no queue_directory; see whether --postfix is right.")
            self._queue_directory = Path(value)
        return self._queue_directory
