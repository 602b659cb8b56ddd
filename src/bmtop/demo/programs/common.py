"""What Postfix's programs have in common: getopt(3), fatal errors, and where the queue is."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bmtop.demo.maillog import MailLog
from bmtop.demo.maincf import MainCf
from bmtop.demo.spool import Spool


class Fatal(Exception):
    """A program cannot go on; its text comes after `fatal: `, and `status` is the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def getopt(program: str, arguments: Sequence[str], known: str, usage: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return options with their values, and the operands, as getopt(3) does. Raises `Fatal` with the usage."""
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(arguments) and arguments[place].startswith("-") and arguments[place] != "-":
        word = arguments[place]
        place += 1
        if word == "--":
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == ":" or letter not in known:
                complain(program, f"invalid option -- '{letter}'")
                raise Fatal(usage)
            if not known[known.index(letter) + 1 :].startswith(":"):
                found.append((letter, ""))
                continue
            if not letters and place >= len(arguments):
                complain(program, f"option requires an argument -- '{letter}'")
                raise Fatal(usage)
            if not letters:
                letters = arguments[place]
                place += 1
            found.append((letter, letters))
            letters = ""
    return found, list(arguments[place:])


def complain(program: str, text: str) -> None:
    """Say something on standard error in the program's name."""
    print(f"{program}: {text}", file=sys.stderr)


def configuration(folder: Path, options: Sequence[tuple[str, str]]) -> MainCf:
    """Return the main.cf of option `-c`, or the toy's own. Raises `Fatal` where it cannot be read."""
    chosen = Path(dict(options).get("c") or folder / "etc")
    try:
        return MainCf(chosen)
    except OSError as error:
        raise Fatal(f"open {chosen}/main.cf: {error.strerror}") from None


def spool(main_cf: MainCf) -> Spool:
    """Return the queue that main.cf names."""
    return Spool(Path(main_cf.expanded("queue_directory")))


def mail_log(main_cf: MainCf) -> MailLog:
    """Return the log file that main.cf names."""
    return MailLog(Path(main_cf.expanded("maillog_file")), main_cf.expanded("myhostname").partition(".")[0])


def standard_input_lines() -> Iterator[str]:
    """Yield the lines of standard input, without their ends."""
    for line in os.fdopen(os.dup(0), encoding="utf-8", errors="surrogateescape", newline="\n"):
        yield line.removesuffix("\n")


def quoted(address: str) -> str:
    """Return an address in its external form: a local part that is no dot-string in quotes (RFC 5322, 3.4.1).

    The null sender stays empty.
    """
    if not address:
        return ""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    plain = local and ".." not in local and local[0] != "." and local[-1] != "."
    if plain and not any(c in ' ()<>@,;:\\"[]' or ord(c) < 32 or ord(c) == 127 for c in local):
        return address
    escaped = "".join(f"\\{c}" if c in '"\\\r' else c for c in local)
    return f'"{escaped}"{at}{domain}'
