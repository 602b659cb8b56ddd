"""What the administrator sees and presses. The only place that knows Textual."""

from typing import TYPE_CHECKING

from bmtop.later import modules_of

if TYPE_CHECKING:
    from bmtop.console import details as details
    from bmtop.console import picture as picture
    from bmtop.console import runbook as runbook

__getattr__ = modules_of(__name__)
