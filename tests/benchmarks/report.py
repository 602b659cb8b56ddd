"""`bmtop report` over a long log, beside lnav, pflogsumm and grep on the same one.

The log is that of a real Postfix on which some thousand messages were played, multiplied, each time with other
queue ids. The mix is that of a mail server under attack: half of the messages come from outside, each over a
connection of its own; a stolen login sends a third, a few messages a connection, to one to five recipients each;
most are delivered, some bounce; colleagues and relays send now and then, and passwords are guessed.
"""

import json
import math
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bmtop.postfix import instance, networks
from bmtop.server import Server
from tests.mailserver import Client, Message, Player, Postfix, stories

from . import bound
from .lines import bodies, stamp
from .table import Row, Wrong

Write = Callable[[int, random.Random], Message]

_PLAYED = 3000
# Who sends which share of a hundred messages, and how many over a connection.
_MIX: tuple[tuple[int, int, Client, str | None, Write], ...] = (
    (25, 4, stories.INTRUDER, stories.ALICE, stories.alices_spam),
    (10, 4, stories.INTRUDER6, stories.ALICE, stories.alices_spam),
    (5, 4, stories.THIEF, stories.BOB, stories.bobs_spam),
    (4, 4, stories.BROKEN_RELAY, None, stories.relayed_spam),
    (1, 1, stories.HONEST_RELAY, None, stories.printed),
    (3, 1, stories.OFFICE, stories.CAROL, stories.carols_mail),
    (2, 1, stories.WEBMAIL, stories.ERIN, stories.erins_mail),
    *((16, 1, server, None, stories.incoming_mail) for server in stories.OUTSIDE),
)
_ID = re.compile(rb"\b([0-9A-F]{10,12})(?=[:@.\n)])")
_WINDOW = 3600


def play(postfix: Postfix, messages: int) -> list[bytes]:
    """Send so many messages of that mix, deliver what goes elsewhere, and return the log without time stamps."""
    player, chance = Player(postfix), random.Random(1)
    postfix.deliver()
    for share, each, client, login, write in _MIX:
        letters = [write(number, chance) for number in range(messages * share // 100)]
        for first in range(0, len(letters), each):
            player.send(client, letters[first : first + each], login)
    player.fail_logins(stories.KNOCKER, [f"user{number % 50}@example.com" for number in range(messages // 20)])
    for _ in range(5):
        player.probe(stories.PROBER, [Message("probe", "a@b.example", (f"c{n}@d.test",)) for n in range(4)])
    postfix.settle(300)
    return bodies(postfix.log)


def write_log(path: Path, lines: Sequence[bytes], count: int, until: float) -> None:
    """Write `count` lines, again and again these with other queue ids, over the hour up to `until`."""
    pieces = _ID.split(b"".join(lines))
    numbers = {id: f"{number:07X}" for number, id in enumerate(dict.fromkeys(pieces[1::2]))}
    ids = [numbers[id] for id in pieces[1::2]]
    written = 0
    with path.open("wb") as log:
        for copy in range(math.ceil(count / len(lines))):
            # As long as short queue ids are: they begin with a part of a second.
            pieces[1::2] = [f"{copy + 0xA000:X}{id}".encode() for id in ids]
            for line in b"".join(pieces).splitlines(keepends=True)[: count - written]:
                log.write(stamp(until - 3500 + 3400 * written // count) + line)
                written += 1


def counted(log: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the messages of each login and the failures of each client, as they are in the log's own words."""
    text = log.read_bytes()
    logins = re.findall(rb": client=[^,\n]*, sasl_method=\w+, sasl_username=(\S+)$", text, re.MULTILINE)
    failures = re.findall(rb"warning: \w+\[(\S+)\]: SASL LOGIN authentication failed", text)
    return Counter(map(bytes.decode, logins)), Counter(map(bytes.decode, failures))


def check(report: bytes, log: Path) -> None:
    """Raise `Wrong` unless the report has every login's messages and every client's failures."""
    told = json.loads(report)
    found = (
        {row["login"]: row["messages"] for row in told["senders"]},
        {row["client"]: row["failures"] for row in told["failed_logins"]},
    )
    if found != counted(log):
        raise Wrong(f"the report says {found}, and the log {counted(log)}")


def measure(*, lines: int, repeat: int) -> list[Row]:
    """Return the rows about a report. Raises `Wrong` where it says something else than the log."""
    with Postfix.temporary() as postfix, tempfile.TemporaryDirectory(prefix="bmtop-benchmark-") as temporary:
        folder = Path(temporary)
        log = folder / "mail.log"
        write_log(log, play(postfix, _PLAYED), lines, time.time())
        bmtop = [
            sys.executable, "-m", "bmtop", "--postfix", str(postfix.etc), "--log", str(log),
            "--state", str(folder / "state"), "report", "--since", f"{_WINDOW}s", "--json",
        ]  # fmt: skip
        commands = {
            "bmtop": bmtop,
            "lnav": ["lnav", "-n", "-c", ";select count(*) from syslog_log", str(log)],
            "pflogsumm": ["pflogsumm", str(log)],
            "grep -c sasl_username": ["grep", "-c", "sasl_username", str(log)],
        }
        samples: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeat):
            for name, command in commands.items():
                began = time.monotonic()
                out = _run(command, folder)
                samples[name].append(time.monotonic() - began)
                if name == "bmtop":
                    check(out, log)
        size = log.stat().st_size / 1e6
        nothing = folder / "empty.log"
        nothing.touch()
        around = [str(nothing) if part == str(log) else part for part in bmtop]
        ours = networks.territory(instance.Postfix(Server(), postfix.etc))
        steps = bound.measure(log, _WINDOW, ours, around, repeat=repeat)
    what = f"report over {lines:,} lines ({size:,.0f} MB)"
    bounds = {"lnav": 1.0, "pflogsumm": 0.12, "grep -c sasl_username": math.inf}
    return [Row(what, "s", most, samples["bmtop"], name, samples[name]) for name, most in bounds.items()] + steps


def _run(command: Sequence[str], home: Path) -> bytes:
    """Run a program with its settings and caches in a folder of their own, and return its output."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    environment["PYTHONPATH"] = ":".join(sys.path)
    done = subprocess.run(command, env=environment, capture_output=True, timeout=900, check=True)
    return done.stdout
