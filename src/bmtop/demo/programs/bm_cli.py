"""bm-cli: BlueMind's command line, with the manners that its source shows: its streams and its exit statuses.

A subcommand knows no --help: it prints its usage on standard error and ends with 2; `bm-cli user help logout` is the
way that ends with 0.
"""

import ipaddress
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from bmtop.demo.accounts import Account, Accounts, set_password
from bmtop.demo.maincf import MainCf
from bmtop.demo.programs import argfile, postfix

_START_SECONDS = 0.5  # a JVM
_CELL = 78  # characters of a table's cell
_EMAIL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([a-z0-9-]+\.)+[a-z0-9-]{2,}", re.I)


class Failure(Exception):
    """A command failed: the text goes to standard error, in red."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class _Command(NamedTuple):
    about: str
    synopsis: str
    explained: str
    options: frozenset[str]
    flags: frozenset[str]
    act: Callable[["_BlueMind", dict[str, str], list[str]], None]


class _BlueMind:
    """The BlueMind of the toy in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.accounts = Accounts(folder / "accounts.json")
        self.configuration = folder / "etc"

    def logout(self, options: dict[str, str], operands: list[str]) -> None:
        if len(options) != 1:
            raise Failure("(--uid=<userUid> | --email=<userEmail>)", 2)
        uid = options.get("--uid")
        if uid is None:
            email = options["--email"]
            if not _EMAIL.fullmatch(email):
                raise Failure(f"Invalid email : {email}")
            self._check_domain(email)
            account = self.accounts.find(email)
            if account is None:
                raise Failure(f"User {email} not found")
            uid = account["uid"]
        with self.accounts.changing() as data:
            data["sessions"] = [session for session in data["sessions"] if session["userUid"] != uid]

    def sessions(self, options: dict[str, str], operands: list[str]) -> None:
        domain = options.get("--domain")
        if domain is not None:
            self._check_domain(f"@{domain}")
        sessions: list[dict[str, Any]] = self.accounts.data()["sessions"]
        if "--json" in options:
            print(json.dumps(sessions, separators=(",", ":")))
            return
        heads = ("Created (UTC)", "Email", "Domain UID", "User UID", "Origin", "Remote addresses")
        _table(heads, [
            (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s["created"] / 1000)), s["email"], s["domainUid"],
             s["userUid"], s["origin"], ", ".join(s["remoteAddresses"]))
            for s in sessions
        ])  # fmt: skip

    def get(self, options: dict[str, str], operands: list[str]) -> None:
        shown = options.get("--display", "").split()
        for account in self._targets(operands):
            everything = {
                "uid": account["uid"], "email": account["email"], "extId": account["extId"],
                "login": account["email"].partition("@")[0], "aliases": [account["email"], *account["aliases"]],
            }  # fmt: skip
            print(json.dumps({n: v for n, v in everything.items() if n in shown or not shown}, separators=(",", ":")))

    def update(self, options: dict[str, str], operands: list[str]) -> None:
        targets = self._targets(operands)
        password = options.get("--password")
        if password is None:
            return
        password = password.strip()
        if not password:
            raise Failure("Password must not be empty")
        for target in targets:
            if target["extId"]:
                # A failure of the server, not of the command: said, but the exit status stays 0.
                _red(f"Error handling {target['email']}: The password of a directory user is changed in the directory")
                continue
            with self.accounts.changing() as data:
                set_password(next(a for a in data["accounts"] if a["uid"] == target["uid"]), password)

    def list_settings(self, options: dict[str, str], operands: list[str]) -> None:
        values: dict[str, str] = self.accounts.data()["sysconf"]
        _table(("Attribute", "Value"), list(values.items()))

    def set_setting(self, options: dict[str, str], operands: list[str]) -> None:
        if len(operands) != 1:
            raise Failure("Missing required parameter: '<key>'", 2)
        if "--value" not in options:
            raise Failure("Missing required option: '--value=<value>'", 2)
        key, value = operands[0], options["--value"]
        if key == "mynetworks":
            value = self._networks(value)
        with self.accounts.changing() as data:
            data["sysconf"][key] = value
        if key == "mynetworks":
            main_cf = MainCf(self.configuration)
            main_cf.edit({"mynetworks": value})
            postfix.reload(main_cf)

    def _networks(self, value: str) -> str:
        """Return mynetworks as BlueMind writes it: `!` goes, its own addresses come."""
        if not value:
            raise Failure("parameter is empty")
        always = ["127.0.0.0/8", self.accounts.data()["server"]]
        parts = [part.removeprefix("!") for part in re.split(r"[ ,]+", value) if part]
        for part in parts:
            address, slash, length = part.partition("/")
            if slash and not (length.isdecimal() and int(length) <= (128 if ":" in address else 32)):
                raise Failure(f"Invalid mynetworks: {value}")
            try:
                ipaddress.ip_address(address.strip("[]"))
            except ValueError:
                raise Failure(f"Invalid mynetworks: {part} - must contain only IP or subnet") from None
        return ", ".join(dict.fromkeys([part for part in parts if part not in always] + always))

    def _check_domain(self, address: str) -> None:
        domain = address.rpartition("@")[2]
        known = self.accounts.data()["domain"]
        if domain not in (known["name"], known["uid"]):
            raise Failure(f"Invalid or unknown domain : {domain}")

    def _targets(self, operands: list[str]) -> list[Account]:
        """Return the accounts that are meant: one by its address; all by a domain, or by the word `all`."""
        if len(operands) != 1:
            raise Failure("(<target> | --direntry-uid=<dirEntryUid> | --all-domains)", 2)
        target = operands[0]
        accounts: list[Account] = self.accounts.data()["accounts"]
        if target == "all":
            return accounts
        self._check_domain(target)
        if "@" not in target:
            return accounts
        if not _EMAIL.fullmatch(target):
            raise Failure(f"Target is not a valid email {target}")
        found = self.accounts.find(target)
        if found is None:
            raise Failure(f"No mailbox matches {target}")
        return [found]


_TARGET = """\
      <target>              email address or domain name
"""
_COMMANDS = {
    "user": {
        "get": _Command("display users", "[--display=<display>] <target>", _TARGET + """\
      --display=<display>   attributes to display separated by spaces can be :email,
                              uid, extId, quota, aliases, familyNames, givenNames
""", frozenset({"--display"}), frozenset(), _BlueMind.get),
        "logout": _Command("close all user sessions", "(--uid=<userUid> | --email=<userEmail>)", """\
      --email=<userEmail>   User email to logout
      --uid=<userUid>       User UID to logout
""", frozenset({"--email", "--uid"}), frozenset(), _BlueMind.logout),
        "sessions": _Command("Get current sessions informations", "[--json] [--domain=<domain>]", """\
      --domain=<domain>   Get sessions from this domain UID or alias
      --json              Display sessions using Json format
                          Tabel format otherwise
""", frozenset({"--domain"}), frozenset({"--json"}), _BlueMind.sessions),
        "update": _Command("Update users", "<target> [[--password=<password>]]", _TARGET + """\
Other update options
      --password=<password> update user password
""", frozenset({"--password"}), frozenset(), _BlueMind.update),
    },
    "sysconf": {
        "list": _Command("Show Sysconf values.", "", "", frozenset(), frozenset(), _BlueMind.list_settings),
        "set": _Command("Set a value by using a parameter", "-v=<value> <key>", """\
      <key>             key
  -v, --value=<value>   value
""", frozenset({"--value", "-v"}), frozenset(), _BlueMind.set_setting),
    },
}  # fmt: skip


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Run one command of bm-cli; return the exit status."""
    time.sleep(_START_SECONDS)
    words = argfile.expand(arguments)
    group = words[0] if words else ""
    if group not in _COMMANDS:
        help_wanted = group in ("-h", "--help", "help")
        return _groups_help("bm-cli", list(_COMMANDS), words[:1], help_wanted=help_wanted)
    commands, rest = _COMMANDS[group], words[1:]
    if rest[:1] == ["help"] and len(rest) > 1 and rest[1] in commands:
        sys.stdout.write(_usage(group, rest[1], commands[rest[1]]))
        return 0
    if not rest or rest[0] not in commands:
        help_wanted = rest[:1] in (["-h"], ["--help"], ["help"])
        return _groups_help(f"bm-cli {group}", list(commands), rest[:1], help_wanted=help_wanted)
    command = commands[rest[0]]
    try:
        options, operands = _parse(command, rest[1:])
        command.act(_BlueMind(folder), options, operands)
    except Failure as failure:
        if failure.status == 2 and str(failure).startswith("("):
            _red(f"Error: Missing required argument (specify one of these): {failure}")
        else:
            _red(str(failure))
        if failure.status == 2:
            sys.stderr.write(_usage(group, rest[0], command))
        return failure.status
    return 0


def _parse(command: _Command, words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options with their values, and the operands. Raises `Failure` with status 2 where they do not fit."""
    options: dict[str, str] = {}
    operands: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name in command.flags and not equals:
            options[name] = "true"
        elif name in command.options:
            if not equals and not left:
                raise Failure(f"Missing required parameter for option '{name}' (<{name.strip('-')}>)", 2)
            options["--value" if name == "-v" else name] = value if equals else left.pop(0)
        elif word.startswith("-"):
            raise Failure(f"Unknown option: '{word}'", 2)
        elif "<" not in command.synopsis.replace("=<", ""):
            raise Failure(f"Unmatched argument at index {len(words) - len(left) + 1}: '{word}'", 2)
        else:
            operands.append(word)
    return options, operands


def _usage(group: str, name: str, command: _Command) -> str:
    return f"Usage: bm-cli {group} {name} {command.synopsis}".rstrip() + f"\n{command.about}\n{command.explained}"


def _groups_help(name: str, commands: list[str], wrong: list[str], *, help_wanted: bool) -> int:
    lines = [
        f"Usage: {name} [-hV] [COMMAND]",
        "  -h, --help      Show this help message and exit.",
        "  -V, --version   Print version information and exit.",
        "Commands:",
        "  help  Display help information about the specified command.",
        *(f"  {command}" for command in commands),
    ]
    if wrong and not help_wanted:
        _red(f"Unmatched argument at index {name.count(' ')}: '{wrong[0]}'")
    print("\n".join(lines), file=sys.stdout if help_wanted else sys.stderr)
    return 51 if wrong and not help_wanted else 0


def _red(text: str) -> None:
    print(f"\x1b[31m{text}\x1b[m", file=sys.stderr)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table as AsciiTable does: heads to the left, cells to the right and wrapped at a width."""
    wrapped = [[wrap(cell, _CELL, break_on_hyphens=False) or [""] for cell in row] for row in rows]
    columns = zip(heads, *([max(cell, key=len) for cell in row] for row in wrapped), strict=True)
    widths = [max(map(len, column)) for column in columns]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    print(rule)
    print("|" + "|".join(f" {head:<{width}} " for head, width in zip(heads, widths, strict=True)) + "|")
    print(rule)
    for row in wrapped:
        for line in zip_longest(*row, fillvalue=""):
            print("|" + "|".join(f" {cell:>{width}} " for cell, width in zip(line, widths, strict=True)) + "|")
        print(rule)
