"""A real saslauthd with its cache on, which asks who may log in: the part that BlueMind's bm-ysnp plays."""

import re
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mailserver import Postfix, wait_until

_LOGIN = re.compile(rb'(\S+) LOGIN "(.*)" "(.*)"\r?\n')

CanLogIn = Callable[[str, str], bool]


@contextmanager
def saslauthd(postfix: Postfix, can_log_in: CanLogIn) -> Iterator[Path]:
    """Have `postfix` ask a saslauthd for logins, and give the program that restarts it."""
    folder = postfix.folder / "saslauthd"
    folder.mkdir()
    (postfix.etc / "sasl" / "smtpd.conf").write_text(
        f"pwcheck_method: saslauthd\nsaslauthd_path: {folder}/mux\nmech_list: PLAIN LOGIN\n"
    )
    with _asked(can_log_in) as port:
        restart = folder / "restart"
        restart.write_text(
            "#!/bin/sh\nset -e\n"
            f"cd {folder}\n"
            "if [ -e saslauthd.pid ]; then kill $(cat saslauthd.pid); while [ -e mux ]; do sleep 0.02; done; fi\n"
            f"saslauthd -a rimap -O 127.0.0.1/{port} -r -c -t 600 -n 2 -m {folder} </dev/null >/dev/null 2>&1\n"
        )
        restart.chmod(0o755)
        subprocess.run([restart], check=True)
        wait_until((folder / "mux").exists, what="saslauthd listens")
        try:
            yield restart
        finally:
            subprocess.run(["sh", "-c", f"kill $(cat {folder}/saslauthd.pid)"], check=True)
            wait_until(lambda: not (folder / "mux").exists(), what="saslauthd has ended")


@contextmanager
def _asked(can_log_in: CanLogIn) -> Iterator[int]:
    """Answer saslauthd's question, in the way of an IMAP server (saslauthd(8), rimap), on the port that is given."""

    class Asked(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK IMAP4rev1\r\n")
            if asked := _LOGIN.fullmatch(self.rfile.readline()):
                good = can_log_in(asked[2].decode(), asked[3].decode())
                self.wfile.write(asked[1] + (b" OK\r\n" if good else b" NO\r\n"))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Asked) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
