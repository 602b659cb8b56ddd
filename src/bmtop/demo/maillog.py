"""The toy's log file: lines as syslog writes them, `Nov  4 08:00:01 mail postfix/smtpd[4619]: …`, in local time."""

import os
import time
from pathlib import Path

# Above Linux' highest process id (4,194,304): no pid in the toy's log can be that of a real process but its own,
# whatever someone who reads the log then does to it.
FIRST_PID = 4_194_500
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MailLog:
    """The log file at `path`, in the name of the machine `host`."""

    def __init__(self, path: Path, host: str) -> None:
        self.path = path
        self.host = host

    def line(self, when: float, daemon: str, pid: int, text: str) -> str:
        """Return one line; `when` is in epoch seconds."""
        at = time.localtime(when)
        stamp = f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday:2} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
        return f"{stamp} {self.host} postfix/{daemon}[{pid}]: {text}\n"

    def write(self, lines: str) -> None:
        """Append whole lines in one piece: several programs write into this file."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, lines.encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)
