"""A milter that rewrites the sender, and adds to the message: what Postfix sends it as is what is acted upon."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.mailserver import Client, Message, Player, Postfix
from tests.purge.commandline import Bmtop, labels, raw

ALICE, CAROL = "alice@example.com", "carol@example.com"


class Milter(threading.Thread):
    """Speaks the milter protocol (libmilter's mfapi.h): at the end of each message, changes its sender."""

    def __init__(self, sender: str) -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._changes = (b"e<%s>\0" % sender.encode(), b"+<added@bank.example>\0", b"hX-Scanned\0yes\0", b"c")

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as reading:
            while head := reading.read(4):
                command = reading.read(struct.unpack("!I", head)[0])[:1]
                if command == b"Q":
                    return
                # It wants nothing but the end of a message, and may change sender, recipients and header.
                wants = struct.pack("!III", 6, 0x55, 0x37F)
                for answer in {b"O": (b"O" + wants,), b"E": self._changes}.get(command, ()):
                    client.sendall(struct.pack("!I", len(answer)) + answer)


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    milter = Milter("rewritten@lottery.example")
    milter.start()
    with Postfix.temporary(settings={"smtpd_milters": f"inet:127.0.0.1:{milter.port}"}) as postfix:
        yield postfix
    milter.stop()


def test_a_rewritten_sender(postfix: Postfix, player: Player, bmtop: Bmtop) -> None:
    spam = [Message("spam", f"x{n}@lottery.example", ("v@bank.example",), body="x" * 9000) for n in range(3)]
    player.send(Client("203.0.113.60"), spam, ALICE)
    player.send(Client("198.51.100.7"), [Message("carol", CAROL, ("v@bank.example",))], CAROL)
    postfix.settle()
    before = raw(postfix)
    assert {m.sender for m in postfix.queue().values()} == {"rewritten@lottery.example"}
    assert bmtop("purge", "--sender", "x0@lottery.example", "--dry-run").status == 1
    assert bmtop("purge", "--sender", "rewritten@lottery.example", "--recipient", "added@bank.example",
                 "--login", ALICE, "--yes").status == 0  # fmt: skip
    assert labels(postfix) == {"carol": 1}
    assert bmtop("undo", "--yes").status == 0
    assert raw(postfix) == before
    assert bmtop("hold", "--login", CAROL, "--yes").status == 0
