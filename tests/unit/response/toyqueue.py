"""A toy of Postfix's queue for tests: real queue files in real folders, a postsuper that is a function, and others who
move, deliver and delete messages in between."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bmtop.checked import QueueId
from bmtop.incident.message import Envelope, Message
from bmtop.postfix.instance import Postfix
from bmtop.postfix.queuefile import Head
from bmtop.server import Result, Server

QUEUES = ("incoming", "active", "deferred", "hold")
FOLDERS = {"incoming": "incoming", "active": "active", "deferred": "deferred/A", "hold": "hold"}
# The order in which postsuper(1) looks for an id.
LOOKS = ("hold", "incoming", "active", "deferred")


def record(kind: bytes, value: bytes) -> bytes:
    """One record as postfix/src/global/record.c writes it."""
    length, digits = len(value), bytearray()
    while True:
        digit, length = length & 0x7F, length >> 7
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return kind + bytes(digits) + value


def queue_file(head: Head, *, recipients: bytes | None = None, body: bytes = b"", extracted: bytes = b"") -> bytes:
    """A whole queue file with this head."""
    data = record(b"C", b"%15d %15d %15d" % (head.size, 700, 1)) + record(b"T", b"%d 5" % head.arrival)
    if head.login is not None:
        data += record(b"A", b"sasl_username=" + head.login)
    data += record(b"S", head.sender)
    if head.client is not None:
        data += record(b"A", b"log_client_address=" + head.client)
    data += record(b"R", b"v@x.example") if recipients is None else recipients
    return data + record(b"M", b"") + body + record(b"X", b"") + extracted + record(b"E", b"")


class ToyPostfix(Postfix):
    """A Postfix whose only program is a postsuper. `meanwhile` is called whenever others could act."""

    def __init__(self, queue_directory: Path) -> None:
        super().__init__(Server())
        self._queue_directory = queue_directory
        self.meanwhile: Callable[[], None] = lambda: None
        self.deleted: list[bytes] = []
        for folder in FOLDERS.values():
            (queue_directory / folder).mkdir(parents=True)

    def place(self, queue: str, id: str) -> Path:
        return self.queue_directory / FOLDERS[queue] / id

    def find(self, id: str) -> tuple[str, Path] | None:
        return next(((queue, self.place(queue, id)) for queue in LOOKS if self.place(queue, id).exists()), None)

    def ids(self) -> dict[str, str]:
        """The queue of each id."""
        return {name: queue for queue in QUEUES for name in os.listdir(self.queue_directory / FOLDERS[queue])}

    def runs(self, program: str) -> bool:
        # That of another test, on this machine, has nothing to do with this queue.
        return False

    def settings(self, *names: str) -> dict[str, str]:
        return {"hash_queue_names": "deferred, defer"}

    def run(
        self,
        program: str,
        *arguments: str,
        give: bytes = b"",
        timeout: float = 60.0,
        watch: Callable[[], None] | None = None,
    ) -> Result:
        """postsuper(1): -d, -h and -H of the ids on standard input."""
        option, operand = arguments
        assert (program, operand) == ("postsuper", "-")
        said = []
        for id in give.decode().split():
            self.meanwhile()
            found = self.find(id)
            if found is None:
                continue
            queue, path = found
            if option == "-d":
                self.deleted.append(path.read_bytes())
                path.unlink()
                said.append(f"postsuper: {id}: removed")
            elif option == "-h" and queue != "hold":
                path.rename(self.place("hold", id))
                said.append(f"postsuper: {id}: placed on hold")
            elif option == "-H" and queue == "hold":
                path.rename(self.place("deferred", id))
                said.append(f"postsuper: {id}: released from hold")
        self.meanwhile()
        return Result((program, *arguments), 0, b"", "\n".join([*said, "postsuper: so many messages"]), 0.0)


@dataclass
class World:
    """A toy queue, the messages that were put into it, and who else acts on it."""

    postfix: ToyPostfix
    chance: random.Random
    made: int = 0
    others: list[bytes] = field(default_factory=list)

    def put(self, queue: str, id: str, login: str | None) -> Message:
        """Put a new message into a queue; no two have the same content."""
        self.made += 1
        # An id that is used again is so in another second: it has the microseconds of the first one.
        arrival, size = 1_795_531_000 + self.made, 300 + self.made % 2
        body = record(b"N", b"message %d" % self.made)
        sender = self.chance.choice(("", "s@x.example", "carol@example.com"))
        head = Head(size, arrival, sender.encode(), None if login is None else login.encode(), b"203.0.113.5")
        path = self.postfix.place(queue, id)
        path.write_bytes(queue_file(head, body=body))
        path.chmod(0o700)
        envelope = Envelope(login, "203.0.113.5", sender=sender)
        return Message(QueueId(id), queue, arrival, size, sender, ("v@x.example",), envelope=envelope)

    def act(self) -> None:
        """Somebody else does something: the queue manager, a delivery agent, another administrator, a new message."""
        if self.chance.random() > 0.15 or not (ids := self.postfix.ids()):
            return
        id = self.chance.choice(sorted(ids))
        queue, path = ids[id], self.postfix.place(ids[id], id)
        pinned = path.stat().st_nlink > 1
        match self.chance.choice(("try", "defer", "deliver", "delete", "hold", "release", "reuse")):
            case "try" if queue in ("incoming", "deferred") and not pinned:
                path.rename(self.postfix.place("active", id))
            case "defer" if queue == "active":
                path.rename(self.postfix.place("deferred", id))
            case "deliver" if queue == "active":
                self.leave(path)
            case "delete":
                self.leave(path)
            case "hold" if queue != "hold":
                path.rename(self.postfix.place("hold", id))
            case "release" if queue == "hold":
                path.rename(self.postfix.place("deferred", id))
            case "reuse" if not pinned:
                # The inode is free, and so is the id that is made of its number.
                self.leave(path)
                self.put(self.chance.choice(QUEUES), id, self.chance.choice(("carol@example.com", "alice@example.com")))

    def leave(self, path: Path) -> None:
        self.others.append(path.read_bytes())
        path.unlink()
