"""The toy's accounts: what a BlueMind knows of its users, their passwords as salted hashes, and their sessions."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_ROUNDS = 10_000

Account = dict[str, Any]


class Accounts:
    """The accounts in the file at `path`, read anew whenever another program has changed it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._data: dict[str, Any] = {}

    def data(self) -> dict[str, Any]:
        """Return the whole of it: `domain`, `accounts`, `sessions` and `sysconf`."""
        status = os.stat(self.path)
        if self._seen != (status.st_ino, status.st_mtime_ns):
            self._data = json.loads(self.path.read_text(encoding="utf-8"))
            self._seen = (status.st_ino, status.st_mtime_ns)
        return self._data

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Give the data to be changed, alone, and write it back."""
        with open(self.path.with_suffix(".lock"), "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            data = json.loads(self.path.read_text(encoding="utf-8"))
            yield data
            write(self.path, data)

    def find(self, login: str) -> Account | None:
        """Return the account that a login names: by address, by alias, or without a domain."""
        data = self.data()
        local, _, domain = login.lower().partition("@")
        if domain not in ("", data["domain"]["name"], data["domain"]["uid"]):
            return None
        accounts: list[Account] = data["accounts"]
        address = f"{local}@{data['domain']['name']}"
        return next((a for a in accounts if address == a["email"] or address in a["aliases"]), None)

    def verify(self, login: str, password: str) -> Account | None:
        """Return the account where the password is right, else None."""
        account = self.find(login)
        if account is None or hashed(password, account["salt"]) != account["hash"]:
            return None
        return account


def write(path: Path, data: dict[str, Any]) -> None:
    """Write the accounts' file; only its owner may read it."""
    new = path.with_suffix(".tmp")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    os.replace(new, path)


def set_password(account: Account, password: str) -> None:
    """Keep a new password in the account: a fresh salt and the hash, nothing else."""
    account["salt"] = os.urandom(16).hex()
    account["hash"] = hashed(password, account["salt"])


@cache
def hashed(password: str, salt: str) -> str:
    """Return a password's salted hash, in hex."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), _ROUNDS).hex()
