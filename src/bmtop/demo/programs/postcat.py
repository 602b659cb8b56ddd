"""postcat(1): what stands in queue files, their envelopes (-e), headers (-h) and bodies (-b)."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bmtop.demo import queuefile
from bmtop.demo.programs.common import Fatal, complain, configuration, getopt, spool
from bmtop.demo.spool import Spool, is_id

_USAGE = (
    "usage: {} [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)]"
    " [-h (header text)] [-q (access queue)] [-v] [file(s)...]"
)
_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
_FIRST = "MCTcFILSDRO/WVA>K<ion"  # rec_type.h, REC_TYPE_ENVELOPE
_HEADER = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:")


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Print the parts that the arguments ask for; return the exit status. Ends at the first id that is gone."""
    try:
        options, operands = getopt(sys.argv[0], arguments, "bc:ehqv", _USAGE.format(sys.argv[0]))
        letters = {letter for letter, _ in options}
        parts = letters & set("ebh") or set("ebh")
        queues = spool(configuration(folder, options))
        for operand in operands:
            name, file = _open(queues, operand) if "q" in letters else _open_path(operand)
            if file and chr(file[0]) not in _FIRST:
                complain(sys.argv[0], f"warning: {name}: input is not a valid queue file")
            elif file:
                sys.stdout.buffer.write(b"".join(line + b"\n" for line in _print(name, file, parts)))
    except ValueError:
        sys.stdout.flush()
        complain(sys.argv[0], "fatal: record read error")
        return 1
    except Fatal as error:
        sys.stdout.flush()
        complain(sys.argv[0], f"fatal: {error}")
        return error.status
    return 0


def _open(queues: Spool, id: str) -> tuple[str, bytes]:
    if not is_id(id):
        raise Fatal(f"bad mail queue ID: {id}")
    for queue in _QUEUES * 2:
        file = queues.load(queue, id)
        if file is not None:
            return queues.name(queue, id), file
    raise Fatal(f"open queue file {id}: No such file or directory")


def _open_path(path: str) -> tuple[str, bytes]:
    try:
        return path, Path(path).read_bytes()
    except OSError as error:
        raise Fatal(f"open {path}: {error.strerror}") from None


def _print(name: str, file: bytes, parts: set[str]) -> list[bytes]:
    """Return the lines for one file, as postcat.c goes through its states: envelope, headers, body."""
    lines: list[bytes] = []
    state, pending = "e", b""
    marks = {"M": ("MESSAGE CONTENTS", "h"), "X": ("HEADER EXTRACTED", "e"), "E": ("MESSAGE FILE END", "e")}

    def mark(text: str) -> None:
        if "e" in parts:
            lines.append(f"*** {text} {name} ***".encode())

    mark("ENVELOPE RECORDS")
    for record in queuefile.records(file):
        if record.kind in marks:
            text, state = marks[record.kind]
            mark(text)
        elif state == "e":
            if "e" in parts:
                lines.append(_envelope_line(record))
        elif record.kind == "L":
            pending += record.data
        else:
            line, pending = pending + record.data, b""
            if state == "h" and not (_HEADER.match(line) or line[:1] in (b" ", b"\t")):
                state = "b"
            if state in parts:
                lines.append(line)
    return lines


def _envelope_line(record: queuefile.Record) -> bytes:
    name = queuefile.ENVELOPE_NAMES[record.kind]
    value = record.data
    if record.kind in "TW":
        value = _date(value.split()[0])
    elif record.kind == "A" and value.startswith(b"create_time="):
        name, value = "create_time", _date(value[12:])
    return name.encode() + b": " + value


def _date(seconds: bytes) -> bytes:
    return time.asctime(time.localtime(int(seconds))).encode()
