"""What bmtop does to the server: every action is gated, journalled, and ends in a result to check."""

from typing import TYPE_CHECKING

from bmtop.later import modules_of

if TYPE_CHECKING:
    from bmtop.response import account as account
    from bmtop.response import cache as cache
    from bmtop.response import connections as connections
    from bmtop.response import copies as copies
    from bmtop.response import gate as gate
    from bmtop.response import hold as hold
    from bmtop.response import journal as journal
    from bmtop.response import keep as keep
    from bmtop.response import known as known
    from bmtop.response import other_servers as other_servers
    from bmtop.response import plan as plan
    from bmtop.response import purge as purge
    from bmtop.response import responder as responder
    from bmtop.response import runbook as runbook
    from bmtop.response import subjects as subjects
    from bmtop.response import undo as undo
    from bmtop.response import unfinished as unfinished
    from bmtop.response import untrust as untrust
    from bmtop.response import watch as watch
    from bmtop.response import witness as witness

__getattr__ = modules_of(__name__)
