"""What happens to a mail server meanwhile: its log is rotated, it is reloaded, stopped and started."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver import Postfix
from tests.mailserver.postfix import run


def _rename(postfix: Postfix) -> None:
    """Rename and create, as logrotate(8) does: the daemon goes on writing to the old file until it is reloaded."""
    postfix.log.rename(_room(postfix.log))
    postfix.log.touch()


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


def _nothing(postfix: Postfix) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens right before an incident, in its middle, and right after it; `rotates`: another log is begun."""

    name: str
    before: Callable[[Postfix], None] = _nothing
    during: Callable[[Postfix], None] = _nothing
    after: Callable[[Postfix], None] = _nothing
    rotates: bool = False


DISTURBANCES = (
    Disturbance("log renamed", during=_rename, after=_reload, rotates=True),
    Disturbance("restart", before=_restart),
    Disturbance("log copied, cut", before=_copy_and_cut, rotates=True),
    Disturbance("reload", before=_reload),
)
