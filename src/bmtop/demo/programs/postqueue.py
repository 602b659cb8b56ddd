"""postqueue(1): the queue as JSON lines (-j) or as a listing for people (-p)."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bmtop.demo import queuefile
from bmtop.demo.programs.common import Fatal, complain, configuration, getopt, quoted, spool
from bmtop.demo.spool import Spool, is_id

_USAGE = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site"
_UNAVAILABLE = 69
_ORDER = ("maildrop", "active", "incoming", "deferred", "hold")


class _Entry(NamedTuple):
    queue: str
    id: str
    arrival: int
    size: int
    forced_expire: bool
    sender: str
    recipients: list[tuple[str, str]]


def run(folder: Path, arguments: Sequence[str]) -> int:
    """List the queue as the arguments say; return the exit status."""
    try:
        options, operands = getopt("postqueue", arguments, "c:jpv", _USAGE)
        modes = [letter for letter, _ in options if letter in "jp"]
        if len(modes) != 1 or operands:
            raise Fatal(_USAGE)
        entries = _entries(spool(configuration(folder, options)))
    except Fatal as error:
        complain("postqueue", f"fatal: {error}")
        return _UNAVAILABLE
    if modes == ["j"]:
        for entry in entries:
            print(_as_json(entry))
    else:
        _listing(entries)
    return 0


def _entries(queues: Spool) -> Iterator[_Entry]:
    for queue in _ORDER:
        for id, _ in queues.names(queue):
            status = queues.status(queue, id) if is_id(id) else None
            file = queues.load(queue, id) if status else None
            if status and file:
                with contextlib.suppress(ValueError):
                    yield _entry(queues, queue, id, file, status)


def _entry(queues: Spool, queue: str, id: str, file: bytes, status: os.stat_result) -> _Entry:
    queued = queuefile.read(file)
    recipients = queues.reasons(id)
    known = {address for address, _ in recipients}
    waiting = (quoted(record.text) for record in queued.waiting)
    recipients += ((address, "") for address in waiting if address not in known)
    arrival = int(queued.arrival or status.st_mtime)
    forced = status.st_mode & 0o010 != 0
    return _Entry(queue, id, arrival, queued.size, forced, quoted(queued.sender or "MAILER-DAEMON"), recipients)


def _as_json(entry: _Entry) -> str:
    recipients = [
        {"address": address, "delay_reason": reason} if reason else {"address": address}
        for address, reason in entry.recipients
    ]
    return json.dumps(
        {
            "queue_name": entry.queue,
            "queue_id": entry.id,
            "arrival_time": entry.arrival,
            "message_size": entry.size,
            "forced_expire": entry.forced_expire,
            "sender": entry.sender,
            "recipients": recipients,
        },
        ensure_ascii=False,
    )


def _listing(entries: Iterator[_Entry]) -> None:
    count = size = 0
    for entry in entries:
        if count == 0:
            print(f"{'-Queue ID-':<11} {'--Size--':>7} {'----Arrival Time----':<20} -Sender/Recipient-------")
        else:
            print()
        mark = {"active": "*", "hold": "!"}.get(entry.queue, "") + ("#" if entry.forced_expire else "")
        arrived = f"{time.asctime(time.localtime(entry.arrival))}\n"[:20]
        print(f"{entry.id + mark:<11} {entry.size:>7} {arrived:>20} {entry.sender}")
        said = ""
        for address, reason in entry.recipients:
            if reason != said:
                said = reason
                print(f"({reason or 'reason unavailable'})".rjust(78))
            print(f"{'':<11} {'':>7} {'':<20} {address}")
        count += 1
        size += entry.size
    if count:
        print(f"\n-- {size // 1024} Kbytes in {count} Request{'' if count == 1 else 's'}.")
    else:
        print("Mail queue is empty")
