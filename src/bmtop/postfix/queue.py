"""The queue: how many messages each queue holds, and what `postqueue -j` lists."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from sys import intern
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message
from bmtop.incident.picture import QUEUES
from bmtop.incident.selection import unquoted
from bmtop.postfix.instance import Postfix

# The queues whose messages postsuper(1) can hold, release and delete by id.
MESSAGE_QUEUES = ("incoming", "active", "deferred", "hold")
_NULL_SENDER = "MAILER-DAEMON"


def counts_by_listing(messages: Iterable[Message]) -> dict[str, int]:
    """Return the number of messages in each queue by a listing, which knows nothing of corrupt and maildrop files."""
    found = dict.fromkeys(QUEUES, 0)
    for message in messages:
        found[message.queue] = found.get(message.queue, 0) + 1
    return found


def files(queue_directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the queue id and path of every file in the queues that postsuper can act on."""
    for folder, names in folders(queue_directory):
        for name in names:
            yield name, f"{folder}/{name}"


def folders(queue_directory: Path, queues: Iterable[str] = MESSAGE_QUEUES) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder of these queues, and the names of the files in it."""
    for queue in queues:
        waiting = [f"{queue_directory}/{queue}"]
        while waiting:
            folder = waiting.pop()
            names = os.listdir(folder)
            # A hashed subfolder has a name of one character (postconf(5), hash_queue_depth).
            hashed = [name for name in names if len(name) == 1]
            waiting += [f"{folder}/{name}" for name in hashed]
            yield folder, [name for name in names if len(name) > 1] if hashed else names


def listing(postfix: Postfix, timeout: float = 120.0) -> list[bytes]:
    """Return what `postqueue -j` (postqueue(1)) lists, a line a message.

    Raises `CommandFailed` where postqueue fails: no Postfix, or no right to its queue.
    """
    result = postfix.query("postqueue", "-j", timeout=timeout)
    if result.status != 0:
        # A reload of Postfix ends showq(8) in the middle of its answer.
        result = postfix.query("postqueue", "-j", timeout=timeout)
    who = ", or run `sudo bmtop`: authorized_mailq_users may not name you" if os.geteuid() else ""
    result.check(f"See whether Postfix runs{who}.")
    return result.out.splitlines()


def parse(line: bytes) -> Message | None:
    """Return the message of a line, addresses unquoted, without its envelope.

    A line that is not understood is no message: None. Nothing is guessed at.
    """
    try:
        return _message(json.loads(line.decode("utf-8", "surrogateescape")))
    except (ValueError, KeyError, TypeError, Refused):
        return None


def _message(entry: dict[str, Any]) -> Message:
    recipients = entry["recipients"]
    sender = str(entry["sender"])
    return Message(
        id=QueueId(entry["queue_id"]),
        queue=str(entry["queue_name"]),
        arrival=int(entry["arrival_time"]),
        size=int(entry["message_size"]),
        sender="" if sender == _NULL_SENDER else unquoted(sender),
        recipients=tuple(unquoted(str(r["address"])) for r in recipients),
        # A few reasons stand at many messages.
        reason=intern(str(recipients[0].get("delay_reason", ""))) if recipients else "",
    )
