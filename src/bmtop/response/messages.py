"""What hold, release and purge share: where a plan's messages are now, and which are still the ones shown."""

import fcntl
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import MESSAGE_QUEUES, folders
from bmtop.postfix.queuefile import has_recipients
from bmtop.response.plan import MessageAction
from bmtop.response.verify import CHANGED, GONE, file_is_still
from bmtop.server import Result

# The queues from which a message may leave at any moment.
MOVING = ("incoming", "active")
DELIVERED = "was delivered before it could be held"
MOVES = "moves between the queues"
# What postsuper(1) left as it was, though it should have dealt with it.
NOT_DONE: Mapping[MessageAction, str] = {
    "purge": "was not deleted by postsuper",
    "hold": "was not put on hold by postsuper",
    "release": "was not released by postsuper",
}
_STILL: Mapping[MessageAction, str] = {
    "purge": "in the queue; purge again",
    "hold": "not on hold; hold again",
    "release": "on hold; release again",
}

_NO_RIGHT = "bmtop may not look into the queue, so it cannot check again what it would act on; run `sudo bmtop`."
_SAID = re.compile(r"^postsuper: ([0-9A-Za-z]+): (?:removed|placed on hold|released from hold)$", re.MULTILINE)


def locate(queue_directory: Path, ids: Iterable[QueueId]) -> dict[QueueId, str]:
    """Return the path of each id that is in a queue.

    Raises `Refused` without the right to look, and where one id has two files: what postsuper(1) would
    do with it cannot be told.
    """
    asked = dict.fromkeys(ids)
    found = _look(queue_directory, asked, MESSAGE_QUEUES)
    if len(found) < len(asked):
        # A message that goes from one queue to another may be in neither while they are read.
        found |= _look(queue_directory, {id: None for id in asked if id not in found}, MESSAGE_QUEUES)
    return found


def on_the_move(queue_directory: Path, ids: Iterable[QueueId]) -> dict[QueueId, str]:
    """Return the path of each id that may leave at any moment. Raises `Refused` as `locate` does."""
    return _look(queue_directory, dict.fromkeys(ids), MOVING)


def _look(queue_directory: Path, asked: dict[QueueId, None], queues: Iterable[str]) -> dict[QueueId, str]:
    seen: dict[QueueId, str] = {}
    try:
        for folder, names in folders(queue_directory, queues):
            for name in names:
                if name not in asked:
                    continue
                id, path = QueueId(name), f"{folder}/{name}"
                if id in seen and _are_two(seen[id], path):
                    raise Refused(
                        f"Two files in the queue are named {id} ({seen[id]} and {path}), so nothing was done;"
                        " run `postsuper -s`, and try again."
                    )
                seen[id] = path
    except PermissionError:
        raise Refused(_NO_RIGHT) from None
    except OSError as error:
        raise Refused(f"The queue {queue_directory} cannot be read ({(error.strerror or 'no').lower()}).") from None
    return seen


def _are_two(one: str, other: str) -> bool:
    """Tell whether these are two files; one that was moved meanwhile is found twice, but is at one place only."""
    try:
        return not os.path.samestat(os.lstat(one), os.lstat(other))
    except FileNotFoundError:
        return False


def in_queue(queue_directory: Path, path: str, *names: str) -> bool:
    """Tell whether the queue file at `path` is in one of these queues."""
    return any(path.startswith(f"{queue_directory}/{name}/") for name in names)


def unchanged(messages: Iterable[Message], where: dict[QueueId, str]) -> tuple[list[Message], dict[QueueId, str]]:
    """Return the messages that are still the ones shown, and why each other one is left out."""
    still: list[Message] = []
    left_out: dict[QueueId, str] = {}
    for message in messages:
        path = where.get(message.id)
        try:
            if path is None:
                left_out[message.id] = GONE
            elif file_is_still(message, path):
                still.append(message)
            else:
                left_out[message.id] = CHANGED
        except FileNotFoundError:
            # It moves between queues while it is looked at; delivery has begun, or ended.
            left_out[message.id] = GONE
        except PermissionError:
            raise Refused(_NO_RIGHT) from None
    return still, left_out


def postsuper(postfix: Postfix, option: str, ids: Iterable[QueueId]) -> Result:
    """Run postsuper(1) with `option` on these ids, given on standard input. Raises `CommandFailed`."""
    lines = "".join(f"{id}\n" for id in ids)
    result = postfix.run("postsuper", option, "-", give=lines.encode("ascii"), timeout=60 + lines.count("\n") / 50)
    return result.check("See the journal for what was done." + (" Run `sudo bmtop`." if os.geteuid() else ""))


def acted_on(result: Result) -> frozenset[str]:
    """Return the ids that postsuper(1) itself said it deleted, held or released."""
    return frozenset(_SAID.findall(result.err))


def not_done(action: MessageAction, left_out: Mapping[QueueId, str]) -> str:
    """Return a sentence for the messages that are as they were all the same; empty where there are none."""
    count = sum(reason in (MOVES, NOT_DONE[action]) for reason in left_out.values())
    return f"{count:,} of them {'is' if count == 1 else 'are'} still {_STILL[action]}." if count else ""


class Deliveries(NamedTuple):
    """What delivery agents did with messages before these were taken from them, or are still doing."""

    delivered: list[QueueId]
    under_way: list[QueueId]

    @property
    def said(self) -> tuple[str, ...]:
        """What the user must know of it, in words."""
        count = len(self.under_way)
        verb = "was" if count == 1 else "were"
        return (f"{count:,} of them {verb} being delivered just then, and may still arrive.",) if count else ()


def deliveries(where: Mapping[QueueId, str], ids: Iterable[QueueId]) -> Deliveries:
    """Look at messages that were active and are on hold now. Raises `Refused` where their files cannot be read."""
    found = Deliveries([], [])
    for id in ids:
        try:
            descriptor = os.open(where[id], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except (KeyError, FileNotFoundError):
            continue
        except PermissionError:
            raise Refused(_NO_RIGHT) from None
        try:
            # A delivery agent keeps the file locked while it works on it (postfix/src/global/deliver_request.c).
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not has_recipients(descriptor):
                found.delivered.append(id)
        except BlockingIOError:
            found.under_way.append(id)
        except ValueError:
            continue
        finally:
            os.close(descriptor)
    return found
