"""The end of the start, once the panes are there: the rest is loaded, and rubbish is looked for again."""

import asyncio
import gc
from contextlib import suppress
from importlib import import_module

# What would be loaded when it is first needed: an update may replace it on disk meanwhile.
_LATER = ("bmtop.bluemind.exchange", "textual.scrollbar", "textual.system_commands")
_AFTER = 1.0


async def finish_start() -> None:
    """Load the rest of the program, and look for rubbish from then on. What is missing is said where it is needed."""
    await asyncio.sleep(_AFTER)
    for name in _LATER:
        with suppress(ImportError, SyntaxError):
            await asyncio.to_thread(import_module, name)
    if not gc.isenabled():
        # What is there now stays; to look through all of it would hold up the keys for a moment.
        gc.freeze()
        gc.enable()
