"""Files that the user asks for: made new, readable by their owner alone, never through a link."""

import os
import time
from pathlib import Path

from bmtop.checked import Refused


def save(folder: Path, what: str, suffix: str, text: str, now: float) -> Path:
    """Write `text` to a new file in `folder`, and return its path; raises `Refused` where that fails.

    `what` and `suffix` are the console's own words: no name on the server becomes part of a path.
    """
    stem = f"bmtop-{what}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"
    for number in range(1, 100):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}.{suffix}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise Refused(f"{path} cannot be written: {error.strerror}. Start bmtop in another folder.") from None
        try:
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Refused(f"{path} cannot be written: {error.strerror}. Make room, then try again.") from None
        return path
    raise Refused(f"There are 99 files of this moment in {folder} already; wait a second.")
