"""Bots that have somebody's password, and do not give up."""

import contextlib
import threading
import time
from types import TracebackType

from tests.mailserver import Client, Message, Postfix, Refused, Session

PAUSE = 0.1


class Bot:
    """Sends again and again. One that `stays` keeps its connection; another opens a new one for each message.

    `sent` counts the messages that the server took, by the connection that they came over; `shut_out` tells that
    the last try to log in failed.
    """

    def __init__(self, postfix: Postfix, client: Client, login: str | None, password: str = "", *, stays: bool) -> None:
        self.client = client
        self.login = login
        self.sent: list[tuple[int, str]] = []
        self.connections = 0
        self.shut_out = False
        self._port = postfix.ports.smtp
        self._password = password
        self._stays = stays
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Bot":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def ids(self) -> list[str]:
        """The queue ids that the server named."""
        return [queue_id for _, queue_id in list(self.sent)]

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(ConnectionError), Session(self._port, self.client) as session:
                self._session(session)
            time.sleep(PAUSE)

    def _session(self, session: Session) -> None:
        if self.login is not None:
            self.shut_out = not session.log_in(self.login, self._password)
            if self.shut_out:
                return
        self.connections += 1
        number = self.connections
        while not self._stop.is_set():
            message = Message("spam/bot", f"winner{number}@lottery.example", (f"victim{number}@bank.example",))
            with contextlib.suppress(Refused):
                self.sent.append((number, session.send(message).queue_id))
            if not self._stays:
                return
            time.sleep(PAUSE)
