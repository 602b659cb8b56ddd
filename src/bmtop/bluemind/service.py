"""One call of BlueMind's REST service: the key, TLS, time limits, and a sentence for each way to fail."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bmtop.bluemind import tls
from bmtop.bluemind.passwords import Password
from bmtop.server import CommandFailed
from bmtop.visible import visible

LOCAL = "http://127.0.0.1:8090/api"
KEY_FILE = Path("/etc/bm/bm-core.tok")


class Unreachable(CommandFailed):
    """The service is not there, or there is no key for it. Nothing was sent."""


class NoSuchCall(CommandFailed):
    """This version of BlueMind does not know the call."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the call as method and address, the HTTP status, and the JSON value (None: no body)."""

    command: tuple[str, str]
    status: int
    value: Any


class Service:
    """The service at `url`, whose path ends in /api. The key is read from the file `token` at each call.

    `ca` is a file with the certificate of one's own authority, `timeout` is in seconds.
    Raises `Refused` for an address over which the key would be seen.
    """

    def __init__(self, url: str = LOCAL, token: Path = KEY_FILE, ca: Path | None = None, timeout: float = 20.0) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.timeout = timeout
        self.tls = tls.context(url, ca)

    def call(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Return the reply to `method` on `path`, whose parts are encoded; blocks.

        Raises `Unreachable`, `NoSuchCall`, or `CommandFailed` for everything else but success.
        """
        key = self._key()
        address = self._address(path, query)
        secrets = [key, *(value for value in (body or {}).values() if isinstance(value, Password))]
        # It takes its time to load, and most of those who look at a server never need it.
        from bmtop.bluemind.exchange import exchange

        status, data = exchange(self, method, address, key, body)
        text = data.decode("utf-8", "replace")
        if not 200 <= status < 300:
            raise self._refused(status, text, secrets)
        try:
            return Reply((method, address), status, json.loads(text) if text.strip() else None)
        except (ValueError, RecursionError):
            raise CommandFailed(f"What answers at {self.url} is no BlueMind; the address must end in /api.") from None

    def _key(self) -> str:
        try:
            key = self.token.read_text("ascii").strip()
        except FileNotFoundError as error:
            raise Unreachable(
                f"The key file {self.token} is not there and cannot be read ({error.strerror}); name the right one"
                " (--bm-token), or the commands that act on accounts where those are not BlueMind's ([accounts] in the"
                " settings)."
            ) from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise Unreachable(
                f"The key file {self.token} cannot be read ({why}); run `sudo bmtop`, or name the file (--bm-token)."
            ) from None
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise Unreachable(f"The file {self.token} does not hold a key; name the right one (--bm-token).")
        return key

    def _address(self, path: tuple[str, ...], query: Mapping[str, str] | None) -> str:
        if any(part in ("", ".", "..") for part in path):
            raise CommandFailed("BlueMind gave a uid that cannot stand in an address; nothing was done.")
        address = "/".join([self.url, *(quote(part, safe="") for part in path)])
        return f"{address}?{urlencode(query, quote_via=quote)}" if query else address

    def _refused(self, status: int, text: str, secrets: list[str]) -> CommandFailed:
        """Return the failure to raise for an answer that is no success; BlueMind's message may repeat the key."""
        said = _message(text)
        for secret in secrets:
            said = said.replace(secret, "…")
        said = visible(said[:300]).rstrip(". ")
        if "no service registered on" in said:
            return NoSuchCall("This version of BlueMind does not know the call; do it in its web console.")
        if status == 401:
            return CommandFailed(f"BlueMind refused the key in {self.token}; see whether it is this server's.")
        if status == 403:
            return CommandFailed(f"The key in {self.token} may not do this ({said or 'forbidden'}); take the core's.")
        if 300 <= status < 400:
            return CommandFailed(f"{self.url} sends on elsewhere, where the key does not go; name the final address.")
        if status in (502, 503, 504):
            return CommandFailed(f"BlueMind's core does not answer ({status}); see `systemctl status bm-core`.")
        if not said:
            return CommandFailed(f"{self.url} answered with status {status}; see whether that address is right.")
        if status >= 500:
            return CommandFailed(
                f"BlueMind failed ({status}): {said}. See /var/log/bm/core.log, and whether it was done."
            )
        return CommandFailed(f"BlueMind refused ({status}): {said}. Nothing was changed.")


def _message(text: str) -> str:
    """Return the first line of the message in an error of BlueMind's, nothing where it is no such error."""
    try:
        fault = json.loads(text)
        return str(fault["message"] or fault.get("errorCode") or "").strip().partition("\n")[0]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
