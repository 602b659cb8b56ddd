"""From a key to a result: ask, act in a thread, show what came of it. A file a kind of action."""

from typing import TYPE_CHECKING

from bmtop.later import modules_of

if TYPE_CHECKING:
    from bmtop.console.deeds import accounts as accounts
    from bmtop.console.deeds import containment as containment
    from bmtop.console.deeds import holding as holding
    from bmtop.console.deeds import leaving as leaving
    from bmtop.console.deeds import messages as messages
    from bmtop.console.deeds import relays as relays
    from bmtop.console.deeds import unfinished as unfinished

__getattr__ = modules_of(__name__)
