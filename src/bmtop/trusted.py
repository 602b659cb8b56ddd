"""What root may go by: nobody else can change it, or put something else in its place."""

import os
import stat
from pathlib import Path

from bmtop.checked import Refused


def refuse_others(path: Path, what: str) -> None:
    """Raise `Refused` where bmtop runs as root, and another user could change `path` or a folder above it.

    Links are followed. What is not there yet is as good as the folder that it would be made in. `what` is
    the beginning of the sentence.
    """
    if os.geteuid() != 0:
        return
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Refused(f"{what} {path} cannot be looked at ({(error.strerror or 'no').lower()}).") from None
        if _by_others(found):
            raise Refused(
                f"{what} {path} could be changed by others than root, because of the owner or mode of {place};"
                f" run `chown root {place}` and `chmod go-w {place}`, or take another one."
            )


def _by_others(found: os.stat_result) -> bool:
    if found.st_uid != 0:
        return True
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        # As in /tmp: others can add to it, and change nothing of root's.
        return False
    return bool(found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != 0))
