"""Stand-ins for every program that bmtop runs, first in its path: each notes its call, then is the real one."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("postqueue", "postsuper", "postcat", "postconf", "postmap", "postfix", "ip", "ss", "systemctl", "bm-cli")
# In a file of its own: the arguments, after an empty one the environment; its standard input beside it.
STANDIN = """#!/bin/sh
note=$(mktemp '{calls}/XXXXXXXXXX')
cat >"$note.in"
{{ printf '%s\\0' '{name}' "$@"; printf '\\0'; cat /proc/self/environ; }} >"$note"
exec {real} "$@" <"$note.in"
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a program: its arguments without its name, its environment, and its standard input."""

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    given: bytes


class Recorder:
    """The stand-ins in `bin`; `settings` is a settings file that has them."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self._calls = folder / "calls"
        self.bin.mkdir()
        self._calls.mkdir()
        for name in PROGRAMS:
            # What is not on this machine succeeds, and says nothing.
            real = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or "true"
            (self.bin / name).write_text(STANDIN.format(calls=self._calls, name=name, real=real))
            (self.bin / name).chmod(0o755)
        self.settings = folder / "bmtop.toml"
        self.settings.write_text(
            f'path = ["{self.bin}"]\nbm_cli = "{self.bin}/bm-cli"\nbm_token = "{folder}/no-key"\n'
            'sasl_restart = ["systemctl", "restart", "{service}"]\n'
        )

    def calls(self) -> list[Call]:
        """Return all calls so far."""
        found = []
        for note in self._calls.iterdir():
            if note.suffix == ".in":
                continue
            arguments, _, environment = note.read_text("utf-8", "surrogateescape").partition("\0\0")
            program, *rest = arguments.split("\0")
            pairs = (pair.partition("=") for pair in environment.split("\0") if pair)
            given = note.with_suffix(".in").read_bytes()
            found.append(Call(program, tuple(rest), {name: value for name, _, value in pairs}, given))
        return found
