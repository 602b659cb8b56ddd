"""What was really sent, and whether the console and the report say so."""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass

from tests.hostile.programs import on, run
from tests.hostile.screen import Screen
from tests.mailserver import Played, Postfix
from tests.mailserver.stories import BROKEN_RELAY, KNOCKER

# The window's bins and the time stamps are this coarse, in seconds.
_COARSE = 4.0


class Wrong(Exception):
    """What is shown is not the truth, or did not come; the text has both."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: what was played, from when to when (Unix seconds)."""

    begin: float
    end: float
    played: Played

    @property
    def messages(self) -> Counter[str]:
        """How many messages the server took, by login."""
        return Counter(sent.login for sent in self.played.sent if sent.login is not None)


class Truth:
    """All incidents so far."""

    def __init__(self, postfix: Postfix, window: float) -> None:
        self._postfix = postfix
        self._window = window
        self.incidents: list[Incident] = []

    @property
    def messages(self) -> Counter[str]:
        """How many messages the server took in all, by login."""
        return sum((incident.messages for incident in self.incidents), Counter[str]())

    def check_queue(self, terminal: Screen) -> int:
        """Wait until the gauge shows what `postqueue` lists; return that."""
        self._postfix.settle()
        total = len(self._postfix.queue())
        try:
            terminal.wait_for(rf"(?<![\d,]){total:,} queued", 60)
        except AssertionError as error:
            raise Wrong(f"{total:,} messages are queued: {error}") from None
        return total

    def check_senders(self, terminal: Screen) -> int:
        """Wait until each login's row shows what it sent within the window; return how many that is in all."""
        until = time.monotonic() + 90
        while time.monotonic() < until:
            shown, wanted = _senders(terminal.screen()), self._within_window()
            if wanted is not None and shown == wanted:
                return wanted.total()
            time.sleep(0.2)
        raise Wrong(f"{self._within_window()} were sent within the window, and shown is:\n{terminal.screen()}")

    def _within_window(self) -> Counter[str] | None:
        """Return the messages within the window, by login; None while it begins in the middle of an incident."""
        begin = time.time() - self._window
        if any(one.begin - _COARSE < begin < one.end + _COARSE for one in self.incidents):
            return None
        return sum((one.messages for one in self.incidents if one.begin > begin), Counter[str]())

    def check_report(self) -> None:
        """Compare the report over all rotated logs with all that was ever sent."""
        done = run(on(self._postfix, "report", "--since=1d", "--json"))
        if done.returncode:
            raise Wrong(f"the report ended with {done.returncode}: {done.stderr}")
        report = json.loads(done.stdout)
        played = [incident.played for incident in self.incidents]
        relayed = sum(sent.client == BROKEN_RELAY.address for one in played for sent in one.sent)
        failures = sum(one.failures(KNOCKER.address).total() for one in played)
        said = (
            report["complete"],
            report["queue"]["total"],
            {row["login"]: row["messages"] for row in report["senders"]},
            {row["client"]: row["messages"] for row in report["relays"]}.get(BROKEN_RELAY.address),
            {row["client"]: row["failures"] for row in report["failed_logins"]}.get(KNOCKER.address),
        )
        wanted = (True, len(self._postfix.queue()), dict(self.messages), relayed, failures)
        if said != wanted:
            raise Wrong(f"the report says {said}, and the truth is {wanted}")


def _senders(screen: str) -> Counter[str]:
    """Return the messages of each login, as the pane shows them."""
    rows = re.findall(r"^│[ ▸]*(\S+@\S+) +([\d,]+) ", screen.partition("─ Senders")[2], re.MULTILINE)
    return Counter({login: int(count.replace(",", "")) for login, count in rows})
