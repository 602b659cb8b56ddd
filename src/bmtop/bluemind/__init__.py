"""What BlueMind does: sessions, passwords, accounts, settings; by its REST service and by bm-cli."""

from bmtop.bluemind.bluemind import Answer, BlueMind
from bmtop.bluemind.bmcli import BmCli, OnlyInArgv
from bmtop.bluemind.passwords import Password, make, refuse_bad
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import KEY_FILE, LOCAL, Service
from bmtop.bluemind.session import CannotList, Session

__all__ = [
    "KEY_FILE",
    "LOCAL",
    "Answer",
    "BlueMind",
    "BmCli",
    "CannotList",
    "OnlyInArgv",
    "Password",
    "Rest",
    "Service",
    "Session",
    "make",
    "refuse_bad",
]
