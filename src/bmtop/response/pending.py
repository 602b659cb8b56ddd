"""What a running action is about, message by message, on disk for as long as it runs: one that is cut off can
then be finished, on exactly these messages."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.message import Envelope, Message
from bmtop.response.journal import state_folder


class Pending:
    """A file an action, under the action's number in the journal."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "pending"

    def write(self, number: str, messages: Sequence[Message]) -> None:
        """Write them down. Raises `Refused` where that cannot be."""
        state_folder(self._folder)
        path = self._folder / number
        data = json.dumps([_as_list(m) for m in messages]).encode("ascii")
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise Refused(
                f"{path} cannot be written ({(error.strerror or 'no').lower()}), and no action goes without it;"
                " make room, or name another folder with --state."
            ) from None

    def read(self, number: str) -> tuple[Message, ...]:
        """Return the messages that an action was about. Raises `Refused` where that is not known."""
        try:
            return tuple(_as_message(values) for values in json.loads((self._folder / number).read_bytes()))
        except (OSError, ValueError, TypeError):
            raise Refused(
                "It is not known any more which messages that was about; see the journal, and choose them again."
            ) from None

    def forget_all_but(self, numbers: Collection[str]) -> None:
        """Forget every action that has ended."""
        try:
            for name in os.listdir(self._folder):
                if name not in numbers:
                    os.unlink(self._folder / name)
        except FileNotFoundError:
            return


def _as_list(m: Message) -> list[Any]:
    who = m.envelope
    return [m.id, m.queue, m.arrival, m.size, m.sender, who and who.login, who and who.client]


def _as_message(values: list[Any]) -> Message:
    id, queue, arrival, size, sender, login, client = values
    envelope = Envelope(login=login, client=client, sender=str(sender))
    return Message(QueueId(id), str(queue), int(arrival), int(size), str(sender), (), envelope=envelope)
