"""What hold, release and purge share: where a plan's messages are now, and which are still the ones shown."""

from collections.abc import Collection, Iterable
from pathlib import Path

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Message
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queue import files
from bmtop.response.verify import CHANGED, GONE, file_is_still
from bmtop.server import Result

_NO_RIGHT = "bmtop may not look into the queue, so it cannot check again what it would act on; run it as root."


def locate(queue_directory: Path, ids: Collection[QueueId]) -> dict[QueueId, str]:
    """Return the path of each id that is in a queue. Raises `Refused` without the right to look."""
    asked = {str(id): id for id in ids}
    try:
        return {asked[name]: path for name, path in files(queue_directory) if name in asked}
    except PermissionError:
        raise Refused(_NO_RIGHT) from None
    except OSError as error:
        raise Refused(f"The queue {queue_directory} cannot be read ({(error.strerror or 'no').lower()}).") from None


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
    return result.check("See the journal for what was done; run bmtop as root.")
