"""The end of the start, once the panes are there: the rest is loaded, and rubbish is looked for again."""

import asyncio
import gc
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules

from bmtop import console, response
from bmtop.console import deeds, dialogs

# What would be loaded when it is first needed: an update may replace it on disk meanwhile.
_NEXT = (response, console, dialogs, deeds)
_LATER = ("textual.scrollbar", "textual.system_commands", "bmtop.bluemind.exchange")
_AFTER = 1.0
# The first picture of a very long window may take longer than rubbish can wait.
_LONGEST = 30.0
_LOOKED_EVERY = 0.25


async def finish_start(complete: Callable[[], bool]) -> None:
    """Load the rest of the program, and look for rubbish once the first picture is `complete`. What is missing is
    said where it is needed.

    First what a key may need at once, which takes some hundredths of a second.
    """
    await _load(f"{package.__name__}.{found.name}" for package in _NEXT for found in iter_modules(package.__path__))
    await asyncio.sleep(_AFTER)
    await _load(_LATER)
    waited = 0.0
    while not complete() and waited < _LONGEST:
        await asyncio.sleep(_LOOKED_EVERY)
        waited += _LOOKED_EVERY
    if not gc.isenabled():
        # What is there now, a long queue above all, stays; to look through it would hold up the keys for a moment.
        gc.freeze()
        gc.enable()


async def _load(names: Iterable[str]) -> None:
    for name in names:
        with suppress(ImportError, SyntaxError):
            await asyncio.to_thread(import_module, name)
