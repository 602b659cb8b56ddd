"""A stand-in for BlueMind's REST service: a real HTTP or HTTPS server on loopback, with the traps of the real one."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from tests.bluemind.core import Core, Fault

KEY = "b4c0ffee-0123-4567-89ab-5a1ad0b5c0de"
STATUS = {"INVALID_PARAMETER": 400, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ENTITY_TOO_LARGE": 413}
# What the codec makes of a null: a status without a body, no body, or the word.
NOTHING = {"204": (204, b""), "empty": (200, b""), "null": (200, b"null")}


@dataclass
class Standin:
    """The service while it runs, for a test to set and to look at."""

    core: Core
    url: str = ""
    nothing: str = "204"
    old: bool = False
    # What each call is answered with instead: a status, headers, a body. `only` narrows it to a method.
    instead: tuple[int, dict[str, str], bytes] | None = None
    only: str = ""
    # Calls wait until it is set; `waiting` tells that one does.
    go: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go.set()

    def called(self, method: str) -> list[str]:
        """Return the paths that were called with `method`."""
        return [path for called, path, _ in self.requests if called == method]

    def answer(self, method: str, target: str, key: str | None, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.instead and self.only in ("", method):
            return self.instead
        if key != KEY:
            # The real one repeats the key that it refuses.
            return _fault(401, Fault("AUTHENTICATION_FAIL", f"session id {key} is not valid"))
        parts = urlsplit(target)
        # Path parameters are decoded as a query is: a plus is a space.
        path = [unquote_plus(part) for part in parts.path.removeprefix("/api/").split("/")]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            value = self._value(method, path, query, json.loads(body) if body else None)
        except Fault as fault:
            return _fault(STATUS.get(fault.code, 500), fault)
        if value is None:
            status, data = NOTHING[self.nothing]
            return status, {}, data
        return 200, {"Content-Type": "application/json"}, b"" if value == "" else json.dumps(value).encode()

    def _value(self, method: str, path: list[str], query: dict[str, str], body: Any) -> Any:
        """Return what the call gives: None for a null, an empty text for a call that gives nothing."""
        core = self.core
        if (method, path) == ("GET", ["domains", "_lookup"]):
            uid = core.domain(query["name"])
            return None if uid is None else {"uid": uid, "value": {"name": uid, "aliases": []}}
        if (method, path) == ("GET", ["configuration"]):
            return {"values": core.load()["sysconf"]}
        if (method, path) == ("POST", ["configuration"]):
            core.set_configuration(body)
            return ""
        if path[0] == "sessionsmgmt":
            return self._sessions(method, path[1:], query)
        if path[0] == "users" and core.domain(path[1]) == path[1]:
            return self._users(method, path[2:], body)
        raise Fault("NOT_FOUND", f"no service registered on {method} /api/{'/'.join(path)}")

    def _sessions(self, method: str, path: list[str], query: dict[str, str]) -> Any:
        if (method, path) == ("GET", ["list"]) and not self.old:
            return self.core.sessions(query.get("domain"))
        if method == "DELETE" and path[1:] == ["logout"]:
            login, at, domain = path[0].partition("@")
            if self.old and not (at and self.core.domain(domain) == domain):
                raise Fault("UNKNOWN", "null")
            self.core.logout((self.core.by_login(login) or "") if self.old else path[0])
            return ""
        # A call that is not known is no 404.
        raise Fault("UNKNOWN", f"no service registered on {method} /api/sessionsmgmt/{'/'.join(path)}")

    def _users(self, method: str, path: list[str], body: Any) -> Any:
        match method, path:
            case "GET", ["byEmail", email]:
                return self._user(self.core.by_email(email))
            case "GET", ["byLogin", login]:
                return self._user(self.core.by_login(login))
            case "GET", [uid, "complete"]:
                return self._user(uid)
            case "POST", [uid, "password_"]:
                self.core.set_password(uid, body["newPassword"])
                return ""
            case "POST", [uid]:
                stored = (self.core.user(uid) or {}).get("stored")
                self.core.update(uid, {**body, "stored": stored})
                return ""
        raise Fault("NOT_FOUND", "no such call")

    def _user(self, uid: str | None) -> dict[str, Any] | None:
        user = self.core.user(uid or "")
        return {"uid": uid, "value": {**user, "stored": None}} if user else None


def _fault(status: int, fault: Fault) -> tuple[int, dict[str, str], bytes]:
    error = {"errorCode": fault.code, "errorType": "ServerFault", "message": fault.message}
    return status, {"Content-Type": "application/json"}, json.dumps(error).encode()


@contextmanager
def serving(core: Core, certificate: Path | None = None, host: str = "127.0.0.1") -> Iterator[Standin]:
    """Run the service on a free port of `host`, over TLS where there is a certificate (with its key in one file)."""
    standin = Standin(core)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            standin.requests.append((self.command, self.path, dict(self.headers)))
            standin.waiting.set()
            standin.go.wait()
            status, headers, data = standin.answer(self.command, self.path, self.headers.get("X-BM-ApiKey"), body)
            if status == 0:  # breaks off
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    standin.url = f"{scheme}://{host}:{server.server_address[1]}/api"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield standin
    finally:
        standin.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for the address `name`; return it, and it with its key in one file."""
    certificate, key, both = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.both"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=mail.example.com", "-addext", f"subjectAltName=IP:{name}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(certificate.read_text() + key.read_text())
    return certificate, both
