"""A program that bmtop runs, or a call that it makes, stopped in the middle until the test lets it go on."""

from collections.abc import Mapping
from pathlib import Path
from threading import Event

from tests.bluemind.rest_standin import Standin
from tests.mailserver import wait_until

# A session of its own is what bmtop gives it; it goes on when bmtop is gone.
STANDIN = """#!/bin/sh
case "$*" in
*'{arguments}'*)
    echo $$ >'{folder}/reached'
    n=0
    while [ ! -e '{folder}/open' ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
    ;;
esac
exec {real} "$@"
"""


class Barrier:
    """In front of the programs that `real` names, each with what it then is; `settings` is a settings file."""

    def __init__(self, folder: Path, arguments: str, real: Mapping[str, str]) -> None:
        folder.mkdir()
        self._folder = folder
        for name, program in real.items():
            (folder / name).write_text(STANDIN.format(arguments=arguments, folder=folder, real=program))
            (folder / name).chmod(0o755)
        self.settings = folder / "bmtop.toml"
        self.settings.write_text(
            f'path = ["{folder}", "/usr/sbin", "/usr/bin", "/bin"]\nbm_cli = "{folder}/bm-cli"\n'
            f'bm_token = "{folder}/no-key"\n'
        )

    def wait(self) -> int:
        """Wait until bmtop is at the barrier; return the program's process id."""
        reached = self._folder / "reached"
        wait_until(lambda: reached.exists() and reached.read_text().strip(), 30, "bmtop runs the program")
        return int(reached.read_text())

    def open(self) -> None:
        """Let it go on, also whoever comes later."""
        (self._folder / "open").touch()


class CallBarrier:
    """In front of every call that changes something in BlueMind's REST service."""

    def __init__(self, rest: Standin) -> None:
        self._reached, self._open, self._answered = Event(), Event(), Event()
        answer = rest.answer

        def waits(method: str, target: str, key: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
            if method == "GET":
                return answer(method, target, key, body)
            self._reached.set()
            self._open.wait(60)
            try:
                return answer(method, target, key, body)
            finally:
                self._answered.set()

        rest.answer = waits  # type: ignore[method-assign]

    def wait(self) -> None:
        """Wait until bmtop is at the barrier."""
        assert self._reached.wait(30), "bmtop never called"

    def open(self) -> None:
        """Let it go on, also whoever comes later; return once BlueMind has done what it was asked."""
        self._open.set()
        assert self._answered.wait(30), "BlueMind never answered"
