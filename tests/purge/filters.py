"""A content filter as of FILTER_README: mail leaves Postfix by SMTP, and comes back to it on another port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.mailserver import Postfix
from tests.mailserver.ports import free_ports


class Pipe(threading.Thread):
    """A filter that lets everything through: each connection goes on to the port behind it, byte by byte."""

    def __init__(self, behind: int) -> None:
        super().__init__(daemon=True)
        self._behind = behind
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                front, _ = self._listening.accept()
            except OSError:
                return
            back = socket.create_connection(("127.0.0.1", self._behind))
            for one, other in ((front, back), (back, front)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()


@contextmanager
def filtered(*, xforward: bool) -> Iterator[Postfix]:
    """A Postfix with such a filter; with `xforward`, Postfix tells it, and it tells Postfix, where mail is from."""
    with Postfix.temporary() as postfix:
        back = free_ports(1)[0]
        pipe = Pipe(back)
        pipe.start()
        told = "yes" if xforward else "no"
        with (postfix.etc / "master.cf").open("a") as master:
            master.write(
                f"scan unix - - n - 10 smtp\n  -o smtp_send_xforward_command={told}\n  -o syslog_name=postfix/scan\n"
                f"127.0.0.1:{back} inet n - n - 10 smtpd\n  -o content_filter=\n  -o smtpd_sasl_auth_enable=no\n"
                "  -o smtpd_authorized_xforward_hosts=127.0.0.0/8\n  -o syslog_name=postfix/back\n"
            )
        postfix.postconf(content_filter=f"scan:[127.0.0.1]:{pipe.port}")
        try:
            yield postfix
        finally:
            pipe.stop()
