"""What would be loaded when it is first needed is loaded soon after the start: an update may replace it on disk."""

import asyncio
from contextlib import suppress
from importlib import import_module

_LATER = ("bmtop.bluemind.exchange", "textual.scrollbar", "textual.system_commands")
_AFTER = 1.0


async def load() -> None:
    """Load the rest of the program, once the panes are there. What is missing is said where it is needed."""
    await asyncio.sleep(_AFTER)
    for name in _LATER:
        with suppress(ImportError):
            await asyncio.to_thread(import_module, name)
