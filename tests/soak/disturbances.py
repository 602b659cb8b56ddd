"""What happens to a mail server meanwhile: its log is rotated, it is reloaded, stopped and started."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver import Postfix
from tests.mailserver.postfix import run


def _rename(postfix: Postfix) -> None:
    """Rename and create, as logrotate(8) does: the daemon goes on writing to the old file until it is told."""
    postfix.log.rename(_room(postfix.log))
    postfix.log.touch()
    _reload(postfix)


def _copy_and_cut(postfix: Postfix) -> None:
    """logrotate's copytruncate. What is written between copy and cut is lost to everyone, so nothing may be."""
    shutil.copyfile(postfix.log, _room(postfix.log))
    os.truncate(postfix.log, 0)


def _reload(postfix: Postfix) -> None:
    run("postfix", "-c", str(postfix.etc), "reload")


def _restart(postfix: Postfix) -> None:
    run("postfix", "-c", str(postfix.etc), "stop")
    run("postfix", "-c", str(postfix.etc), "start")


def _room(log: Path) -> Path:
    """Make room for a newest rotated file, and return its name."""
    rotated = len(list(log.parent.glob(f"{log.name}.*")))
    for number in range(rotated, 0, -1):
        log.with_name(f"{log.name}.{number}").rename(log.with_name(f"{log.name}.{number + 1}"))
    return log.with_name(f"{log.name}.1")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """`under_load`: it comes in the middle of an incident, else right before. `rotates`: another log is begun then."""

    name: str
    happen: Callable[[Postfix], None]
    under_load: bool
    rotates: bool


DISTURBANCES = (
    Disturbance("log renamed", _rename, under_load=True, rotates=True),
    Disturbance("restart", _restart, under_load=False, rotates=False),
    Disturbance("log copied, cut", _copy_and_cut, under_load=False, rotates=True),
    Disturbance("reload", _reload, under_load=True, rotates=False),
)
