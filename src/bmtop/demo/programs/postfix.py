"""postfix(1): `reload` and `status`."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bmtop.demo.maillog import FIRST_PID
from bmtop.demo.maincf import VERSION, MainCf
from bmtop.demo.programs.common import Fatal, complain, configuration, getopt, mail_log

_USAGE = "usage: postfix [-c config_dir] [-Dv] command"
MASTER_PID = FIRST_PID + 1


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Do one command; return the exit status."""
    try:
        options, operands = getopt("postfix", arguments, "c:Dv", _USAGE)
        if len(operands) != 1:
            raise Fatal(_USAGE)
        main_cf = configuration(folder, options)
    except Fatal as error:
        complain("postfix", f"fatal: {error}")
        return error.status
    if operands == ["reload"]:
        reload(main_cf)
        return 0
    if operands == ["status"]:
        _say(main_cf, f"the Postfix mail system is running: PID: {MASTER_PID}")
        return 0
    _say(main_cf, f"error: unknown command: '{operands[0]}'")
    _say(main_cf, "fatal: usage: postfix start (or stop, reload, abort, flush, check, status, set-permissions,"
         " upgrade-configuration, logrotate)")  # fmt: skip
    return 1


def reload(main_cf: MainCf) -> None:
    """Log what a reload logs; the toy reads main.cf for each new connection anyway."""
    _say(main_cf, "refreshing the Postfix mail system")
    log = mail_log(main_cf)
    said = f"reload -- version {VERSION}, configuration {main_cf.folder}"
    log.write(log.line(time.time(), "master", MASTER_PID, said))


def _say(main_cf: MainCf, text: str) -> None:
    """Log in the name of postfix-script, and say it on a terminal, as its logger does."""
    if sys.stderr.isatty():
        print(f"postfix/postfix-script: {text}", file=sys.stderr)
    log = mail_log(main_cf)
    log.write(log.line(time.time(), "postfix-script", os.getpid(), text))
