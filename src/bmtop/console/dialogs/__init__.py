"""A file a dialog. In each, Cancel has the focus, and escape cancels."""

from typing import TYPE_CHECKING

from bmtop.later import modules_of

if TYPE_CHECKING:
    from bmtop.console.dialogs import help as help
    from bmtop.console.dialogs import messages as messages
    from bmtop.console.dialogs import notice as notice
    from bmtop.console.dialogs import progress as progress

__getattr__ = modules_of(__name__)
