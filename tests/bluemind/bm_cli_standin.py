"""A stand-in for /usr/bin/bm-cli: a program of its own, with the answers, the exit statuses and the traps of it.

The texts are those of BlueMind's source and of picocli 4.6.2. The folder beside the program holds the
core's state (core.json), how bm-cli is to behave (behaviour.json), and what was asked of it (calls).
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.bluemind.core import DOMAIN, Core, Fault
from tests.bluemind.picocli import expanded

PROJECT = Path(__file__).parents[2]
RED, GREEN, YELLOW, RESET = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[m"

RECENT_USAGE = """Usage: bm-cli user logout (--uid=<userUid> | --email=<userEmail>)
close all user sessions
      --email=<userEmail>   User email to logout
      --uid=<userUid>       User UID to logout
"""
OLD_USAGE = "Usage: bm-cli user logout <email>\nclose all user sessions\n      <email>   email address\n"


class Standin:
    """The program in a folder, for a test to set and to look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "bm-cli"
        self.core = Core(folder)
        self.program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(PROJECT)!r})\n"
            f"from pathlib import Path\nfrom tests.bluemind.bm_cli_standin import main\n"
            f"sys.exit(main(Path({str(folder)!r}), sys.argv[1:]))\n"
        )
        self.program.chmod(0o755)
        self.behave()

    def behave(self, **behaviour: Any) -> None:
        """Set how it behaves, anew each time.

        True or not: `old`, `down`, `disabled`, `warns`, `no_expansion`. `fault` is what a failure on the
        server says, `floods` a number of lines, `waits_for` a file, `says` a line for standard error.
        """
        (self.folder / "behaviour.json").write_text(json.dumps(behaviour))

    def calls(self) -> list[list[str]]:
        """Return the arguments of each call so far."""
        return [json.loads(words) for words, _ in self.log() if words.startswith("[")]

    def log(self) -> list[tuple[str, int]]:
        """Return what began (its arguments) and what ended (`end`) in this order, each with its process id."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(line.partition(" ")[2], int(line.partition(" ")[0])) for line in lines]


class Usage(Exception):
    """Arguments that picocli does not take: what it says of them."""


def main(folder: Path, arguments: list[str]) -> int:
    behaviour = json.loads((folder / "behaviour.json").read_text())
    log = os.open(folder / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{os.getpid()} {json.dumps(arguments)}\n".encode())
    try:
        return _behaved(Core(folder), behaviour, arguments)
    finally:
        os.write(log, f"{os.getpid()} end\n".encode())


def _behaved(core: Core, behaviour: dict[str, Any], arguments: list[str]) -> int:
    if behaviour.get("disabled"):
        print("File: /etc/bm/bm-cli.disabled exist. bm-cli is disabled.")
        return 0
    while not os.path.exists(behaviour.get("waits_for", "/")):
        time.sleep(0.01)
    if behaviour.get("warns"):
        print("OpenJDK 64-Bit Server VM warning: Options -Xverify:none were deprecated", file=sys.stderr)
        print(f"{GREEN}Global progress 1/1 (100%){RESET}", file=sys.stderr)
    if behaviour.get("says"):
        print(behaviour["says"], file=sys.stderr)
    if not behaviour.get("no_expansion"):
        arguments = expanded(arguments)
    try:
        for line in _run(core, behaviour, arguments):
            print(line)
    except Usage as complaint:
        print(f"{RED}{complaint}{RESET}", file=sys.stderr)
        return 2
    except Fault as fault:
        print(f"{RED}{fault.message}{RESET}", file=sys.stderr)
        return 50
    except ConnectionError:
        print(f"{RED}java.net.ConnectException: Connection refused: /127.0.0.1:8090{RESET}", file=sys.stderr)
        for number in (50, 91, 12):
            print(
                f"\tat net.bluemind.core.rest.http.ClientSideServiceProvider.call(Client.java:{number})",
                file=sys.stderr,
            )
        print("\t... 12 more", file=sys.stderr)
        return 1
    for _ in range(behaviour.get("floods", 0)):
        print("WARNING: flood " + "x" * 1000, file=sys.stderr)
    return 0


def _run(core: Core, behaviour: dict[str, Any], arguments: list[str]) -> Iterator[str]:
    group, command, *rest = arguments
    old = behaviour.get("old", False)
    options = {word.partition("=")[0]: word.partition("=")[2] for word in rest if word.startswith("--")}
    targets = [word for word in rest if not word.startswith("--")]
    if (group, command) == ("user", "logout"):
        return _logout(core, behaviour, old, options, targets)
    if (group, command) == ("user", "sessions") and old:
        raise Usage("Unmatched arguments from index 1: 'sessions', '--json'\nUsage: bm-cli user [-hV] [COMMAND]")
    if behaviour.get("down"):
        raise ConnectionError
    if (group, command) == ("user", "sessions"):
        return _sessions(core, options)
    if (group, command) == ("user", "update"):
        return _update(core, behaviour, options, targets)
    if (group, command) == ("user", "get"):
        return iter([json.dumps({"uid": uid}) for uid in _targets(core, targets)])
    if (group, command) == ("sysconf", "list"):
        return iter([drawn(core.load()["sysconf"])])
    if (group, command) == ("sysconf", "set"):
        core.set_configuration({targets[0]: options["--value"]})
        return iter([])
    raise Usage(f"Unmatched arguments from index 1: {command!r}")


def _logout(
    core: Core, behaviour: dict[str, Any], old: bool, options: dict[str, str], targets: list[str]
) -> Iterator[str]:
    if old:
        if len(targets) != 1 or options:
            raise Usage(f"Missing required parameter: '<email>'\n{OLD_USAGE}")
        email = targets[0]
    else:
        if "--help" in options:
            raise Usage(f"Unknown option: '--help'\n{RECENT_USAGE}")
        if targets or list(options) != ["--email"]:
            raise Usage(f"Unmatched argument at index 2: {targets[:1]}\n{RECENT_USAGE}")
        email = options["--email"]
    if behaviour.get("down"):
        raise ConnectionError
    _domain(core, email.partition("@")[2])
    uid = core.by_email(email)
    if uid is None:
        raise Fault("UNKNOWN", f"User {email} not found")
    core.logout(uid)
    return iter([])


def _sessions(core: Core, options: dict[str, str]) -> Iterator[str]:
    domain = _domain(core, options["--domain"]) if "--domain" in options else None
    yield json.dumps(core.sessions(domain))


def _update(core: Core, behaviour: dict[str, Any], options: dict[str, str], targets: list[str]) -> Iterator[str]:
    unmatched = sorted(set(options) - {"--password"}) + targets[1:]
    if unmatched or not targets:
        raise Usage(f"Unmatched argument at index 3: {', '.join(unmatched)!r}\nUsage: bm-cli user update <target>")
    for uid in _targets(core, targets):
        user = core.user(uid) or {}
        if behaviour.get("fault"):
            reason = behaviour["fault"].replace("PASSWORD", options["--password"])
            print(f"{RED}Error handling {user['emails'][0]}: {reason}{RESET}", file=sys.stderr)
        else:
            core.set_password(uid, options["--password"].strip())
    yield from ()


def _targets(core: Core, targets: list[str]) -> list[str]:
    """Return the users that a target means: the word `all` and a bare domain mean everybody."""
    target = targets[0]
    if target == "all":
        return list(core.load()["users"])
    if "@" not in target:
        _domain(core, target)
        return list(core.load()["users"])
    if not re.fullmatch(r"[^@]+@([\w-]+\.)+\w{2,}", target):
        raise Fault("UNKNOWN", f"Target is not a valid email {target}")
    _domain(core, target.partition("@")[2])
    uid = core.by_email(target)
    if uid is None:
        raise Fault("UNKNOWN", f"No mailbox matches {target}")
    return [uid]


def _domain(core: Core, name: str) -> str:
    if core.domain(name) is None:
        raise Fault("UNKNOWN", f"Invalid or unknown domain : {name}")
    return DOMAIN


def drawn(values: dict[str, str]) -> str:
    """Return the table of the library ascii-table: values to the right, wrapped at a space, at most 78 wide."""
    titles = ["Attribute", "Value"]
    rows = [["", ""], *([name, value] for name, value in values.items())]
    widths = [min(78, max(len(row[column]) for row in [titles, *rows])) for column in (0, 1)]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [border, f"| {titles[0]:<{widths[0]}} | {titles[1]:<{widths[1]}} |"]
    for row in rows:
        lines.append(border)
        for name, value in zip_longest(*map(_wrapped, row, widths), fillvalue=""):
            lines.append(f"| {name:>{widths[0]}} | {value:>{widths[1]}} |")
    return "\n".join([*lines, border])


def _wrapped(text: str, width: int) -> list[str]:
    lines, at = [], 0
    while width < len(text) - at:
        space = text.rfind(" ", 0, at + width + 1)
        if space > at:
            lines.append(text[at:space])
            at = space + 1
        else:
            lines.append(text[at : at + width])
            at += width
    return [*lines, text[at:]]
