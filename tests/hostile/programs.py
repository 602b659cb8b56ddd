"""How the tests call bmtop, and what they see of its processes."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mailserver import Postfix

BMTOP = (sys.executable, "-m", "bmtop")


def on(postfix: Postfix, *arguments: str) -> list[str]:
    """The command for bmtop on this Postfix; its journal is in the Postfix's folder."""
    return [
        *BMTOP, "--postfix", str(postfix.etc), "--log", str(postfix.log),
        "--state", str(postfix.folder / "state"), *arguments,
    ]  # fmt: skip


def run(
    command: Sequence[str], give: str = "", environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end, whatever its exit status."""
    return subprocess.run(
        command, input=give, capture_output=True, encoding="utf-8", errors="surrogateescape", timeout=120,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


def below(pid: int) -> set[int]:
    """All processes that this one started, and those that they started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rpartition(") ")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def is_alive(pid: int) -> bool:
    """Whether this process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
