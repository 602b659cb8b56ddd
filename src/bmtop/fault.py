"""What to say where bmtop itself fails: where it was, never what it had in hand."""

import traceback
from pathlib import Path

from bmtop.visible import visible


def sentence(error: BaseException) -> str:
    """Return the kind of error, and its place. Its own text is left out: it may hold a password."""
    if isinstance(error, ImportError):
        return (
            f"A part of bmtop cannot be loaded ({visible(str(error.name))}): it was updated or removed while it ran,"
            " or it is not installed whole. Start it again; if that does not help, install it again."
        )
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"bmtop itself failed ({type(error).__name__}{place}); the journal says how far it came. Please report it."


def report(error: BaseException) -> str:
    """Return the sentence and, for who mends it, the lines of code that led there, without the values in them."""
    return "".join([*traceback.format_tb(error.__traceback__), f"bmtop: {sentence(error)}"])
