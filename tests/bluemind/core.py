"""What both stand-ins act on: BlueMind's core, as far as bmtop sees it, kept in one JSON file.

The people are made up. A domain has a uid that is no name, an alias, and users with a login that differs
from their address: under all of these a client may log in.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOMAIN = "5f2d1a.internal"

_HASHES = (r"[0-9a-z]{32}", r"\d+:\S+?:\S+?", r"PBKDF2SHA256:\d+:\S+?:\S+?", r"(\$2a|\$argon2id|\{S?SHA(1|512)?\}).*")

START: dict[str, Any] = {
    "domains": {DOMAIN: ["example.com", "alias.example"]},
    "users": {
        "UID-1": {"login": "jdoe", "emails": ["jane.doe@example.com", "jd@alias.example"], "stored": "old",
                  "archived": False, "hidden": False, "quota": 5},
        "UID-2": {"login": "smith", "emails": ["smith@example.com"], "stored": "other", "archived": False},
        "UID+3/x y": {"login": "o'hara+x", "emails": ["o'hara+x@example.com"], "stored": "odd", "archived": False},
    },
    "sessions": [
        ["UID-1", "webmail", 1700000000000], ["UID-1", "eas", 1700000001000], ["UID-2", "webmail", 1700000002000],
    ],
    "sysconf": {"mynetworks": "127.0.0.0/8, 192.0.2.0/24", "sw_password": "not for the journal", "host": "192.0.2.10"},
}  # fmt: skip


@dataclass
class Fault(Exception):
    """A ServerFault: its ErrorCode, and what it says."""

    code: str
    message: str


class Core:
    """The state in `folder`; each method reads it anew, and writes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "core.json"
        if not self.file.exists():
            self.save(START)

    def load(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    def save(self, state: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(state))

    def change(self, **changes: Any) -> None:
        """Put `changes` over the state's parts."""
        self.save({**self.load(), **changes})

    def domain(self, name: str) -> str | None:
        return next((uid for uid, names in self.load()["domains"].items() if name in (uid, *names)), None)

    def by_email(self, email: str) -> str | None:
        return next((uid for uid, user in self.load()["users"].items() if email in user["emails"]), None)

    def by_login(self, login: str) -> str | None:
        return next((uid for uid, user in self.load()["users"].items() if login == user["login"]), None)

    def user(self, uid: str) -> dict[str, Any] | None:
        user: dict[str, Any] | None = self.load()["users"].get(uid)
        return user

    def update(self, uid: str, user: dict[str, Any]) -> None:
        state = self.load()
        if uid not in state["users"]:
            raise Fault("NOT_FOUND", f"entry {uid} not found")
        state["users"][uid] = user
        self.save(state)

    def set_password(self, uid: str, password: str) -> None:
        """Store it, or, where it looks like a hash, store it as that."""
        if not password:
            raise Fault("INVALID_PARAMETER", "Parameter is empty")
        user = self.user(uid) or {}
        looks_hashed = any(re.fullmatch(pattern, password, re.DOTALL) for pattern in _HASHES)
        self.update(uid, {**user, "stored": "a hash of nobody knows what" if looks_hashed else password})

    def can_log_in(self, login: str, password: str) -> bool:
        user = self.user(self.by_email(login) or "")
        return bool(user and user["stored"] == password and not user["archived"])

    def sessions(self, domain: str | None) -> list[dict[str, Any]]:
        state = self.load()
        return [
            {
                "created": created,
                "email": (state["users"].get(uid) or {"emails": [None]})["emails"][0],
                "domainUid": DOMAIN,
                "userUid": uid,
                "origin": origin,
                "remoteAddresses": ["198.51.100.7", "127.0.0.1"],
            }
            for uid, origin, created in state["sessions"]
            if domain in (None, DOMAIN)
        ]

    def logout(self, uid: str) -> None:
        """End the sessions of this uid; any other text ends none, and that is no error."""
        state = self.load()
        if state.get("logs_in_again") == uid:
            return
        self.change(sessions=[session for session in state["sessions"] if session[0] != uid])

    def set_configuration(self, values: dict[str, str]) -> None:
        """Set values, `mynetworks` as BlueMind does: without any `!`, in any order, and its own addresses added."""
        state = self.load()
        if "mynetworks" in values:
            parts = {part.removeprefix("!") for part in re.split(r"[ ,]+", values["mynetworks"]) if part}
            for part in parts:
                if not re.fullmatch(r"\[?[0-9a-fA-F.:]+\]?(/\d+)?", part):
                    raise Fault("INVALID_PARAMETER", f"Invalid mynetworks: {part} - must contain only IP or subnet")
            parts |= {"127.0.0.0/8", f"{state['sysconf']['host']}/32"}
            parts -= set(state.get("drops", ()))
            values = {**values, "mynetworks": ", ".join(sorted(parts))}
        self.change(sysconf={**state["sysconf"], **values})
