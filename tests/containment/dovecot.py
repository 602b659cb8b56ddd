"""A real Dovecot in a folder of its own, on loopback: IMAP logins, and doveadm on its sockets."""

import contextlib
import imaplib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver import wait_until
from tests.mailserver.ports import free_ports, is_listening

# Each process leaves its chroot column empty: a folder in /tmp is no place for one.
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
auth_cache_size = 1M
auth_failure_delay = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
"""


@dataclass
class Dovecot:
    """While it runs. `doveadm` is a program of that name which talks to it."""

    folder: Path
    port: int

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    def log_in(self, login: str, password: str) -> imaplib.IMAP4:
        """An IMAP session; raises imaplib.IMAP4.error where the password is not right."""
        session = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        session.login(login, password)
        return session

    def who(self) -> list[str]:
        """Who is logged in, by doveadm."""
        said = subprocess.run([self.programs / "doveadm", "who", "-1"], capture_output=True, text=True, check=True)
        return [line.split()[0] for line in said.stdout.splitlines()[1:]]


def is_open(session: imaplib.IMAP4) -> bool:
    try:
        return session.noop()[0] == "OK"
    except (imaplib.IMAP4.abort, OSError):
        return False


@contextlib.contextmanager
def running(folder: Path, users: dict[str, str]) -> Iterator[Dovecot]:
    """Start it with these passwords, by login; at the end no process of it is left."""
    dovecot = Dovecot(folder, free_ports(1)[0])
    for name in ("run", "state", "mail", "bin"):
        (folder / name).mkdir(parents=True)
    os.chown(folder / "mail", 65534, 65534)
    configuration = folder / "dovecot.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=dovecot.port))
    (folder / "users").write_text(
        "".join(f"{login}:{{PLAIN}}{password}:65534:65534::{folder}/mail::\n" for login, password in users.items())
    )
    doveadm = dovecot.programs / "doveadm"
    doveadm.write_text(f'#!/bin/sh\nexec /usr/bin/doveadm -c {configuration} "$@"\n')
    doveadm.chmod(0o755)
    command = ["/usr/sbin/dovecot", "-F", "-c", str(configuration)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until((folder / "run" / "anvil").exists, what="Dovecot is there")
            wait_until(lambda: is_listening(dovecot.port), what="Dovecot listens")
            yield dovecot
        finally:
            process.terminate()
            process.wait(30)
