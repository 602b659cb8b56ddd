r"""Postfix log lines, as events. Each field is taken only from the daemon that writes it, at its place:
half of the text in these lines is chosen by whoever sends mail.

The forms are those of postfix/src (smtpd, qmgr, log_adhoc.c, bounce, postsuper).
"""

import re
from collections.abc import Callable, Iterator

from bmtop.incident.events import (
    Accepted,
    Activated,
    Delivery,
    Event,
    LoginFailed,
    Notified,
    Rejected,
    Removed,
)
from bmtop.postfix.logtime import LogClock

_LINE = re.compile(
    rb"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,25}) \S+ [\w.-]+(?:/[\w.-]+)*/"
    rb"(?P<daemon>smtpd|qmgr|smtp|lmtp|error|retry|local|virtual|discard|pipe|bounce|postsuper)\[\d+\]: (?P<text>.*)$",
    re.MULTILINE,
)
_ID = rb"([0-9A-Za-z]{6,36}): "
# The name may hold anything but brackets; the address is last before the text goes on.
_CLIENT = rb"([^\s\[\]]*)\[([^\s\[\]]*)\](?::\d+)?"

_ACCEPTED = re.compile(
    _ID + rb"client=" + _CLIENT + rb"(?:, sasl_method=([\w-]+))?(?:, sasl_username=(.*?))?(?:, sasl_sender=(.*))?"
    rb"(?:, orig_queue_id=([0-9A-Za-z]+))?(?:, orig_client=\S*)?$"
)
_LOGIN_FAILED = re.compile(
    rb"warning: " + _CLIENT + rb": SASL [\w-]+ authentication failed(?:: (?:.*?))??(?:, sasl_username=(.*))?$"
)
_REJECTED = re.compile(
    rb"(?:NOQUEUE|[0-9A-Za-z]{6,36}): reject: RCPT from " + _CLIENT + rb": \d{3} [\d.]+ <.*?>: ([^;<>]*);"
)
_ACTIVATED = re.compile(_ID + rb"from=<(.*)>, size=(\d+), nrcpt=(\d+) \(")
_EXPIRED = re.compile(_ID + rb"from=<(.*)>, status=expired")
_DELIVERY = re.compile(
    _ID + rb"to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(\S+), (?:conn_use=\d+, )?delay=[\d.]+, delays=[\d./]+, "
    rb"dsn=(\d\.\d+\.\d+), status=(sent|deferred|bounced|expired|undeliverable|deliverable) \((.*)"
)
_NOTIFIED = re.compile(_ID + rb"sender non-delivery notification: ([0-9A-Za-z]{6,36})$")
_REMOVED = re.compile(_ID + rb"removed$")


def text(value: bytes) -> str:
    """Return log bytes as a string; what is no UTF-8 is kept as surrogates."""
    return value.decode("utf-8", "surrogateescape")


def _smtpd(time: float, daemon: str, rest: bytes) -> Event | None:
    if found := _ACCEPTED.match(rest):
        id, name, client, method, login, sasl_sender, origin = found.groups()
        return Accepted(
            time,
            text(id),
            text(name),
            text(client),
            None if login is None else text(login),
            None if method is None else text(method),
            # Text after sasl_sender is the client's to choose.
            text(origin) if origin and login is None and sasl_sender is None else None,
        )
    if found := _LOGIN_FAILED.match(rest):
        name, client, login = found.groups()
        return LoginFailed(time, text(name), text(client), None if login is None else text(login))
    if found := _REJECTED.match(rest):
        name, client, reason = found.groups()
        return Rejected(time, text(name), text(client), reason.endswith(b"Relay access denied"))
    return None


def _qmgr(time: float, daemon: str, rest: bytes) -> Event | None:
    if found := _ACTIVATED.match(rest):
        return Activated(time, text(found[1]), text(found[2]), int(found[3]), int(found[4]))
    if found := _EXPIRED.match(rest):
        return Delivery(time, text(found[1]), "", None, "qmgr", "expired", "", "", "")
    return _removed(time, daemon, rest)


def _delivery(time: float, daemon: str, rest: bytes) -> Event | None:
    found = _DELIVERY.match(rest)
    if not found:
        return None
    id, recipient, original, relay, dsn, status, answer = found.groups()
    return Delivery(
        time,
        text(id),
        text(recipient),
        None if original is None else text(original),
        daemon,
        text(status),
        text(dsn),
        text(relay),
        text(answer.removesuffix(b")")),
    )


def _bounce(time: float, daemon: str, rest: bytes) -> Event | None:
    found = _NOTIFIED.match(rest)
    return Notified(time, text(found[1]), text(found[2])) if found else None


def _removed(time: float, daemon: str, rest: bytes) -> Event | None:
    found = _REMOVED.match(rest)
    return Removed(time, text(found[1])) if found else None


_AGENTS = (b"smtp", b"lmtp", b"error", b"retry", b"local", b"virtual", b"discard", b"pipe")
_PARSERS: dict[bytes, Callable[[float, str, bytes], Event | None]] = {
    b"smtpd": _smtpd,
    b"qmgr": _qmgr,
    b"bounce": _bounce,
    b"postsuper": _removed,
    **dict.fromkeys(_AGENTS, _delivery),
}
_DAEMONS = {name: name.decode("ascii") for name in _PARSERS}


def events(block: bytes, clock: LogClock) -> Iterator[Event]:
    """Yield the events of whole log lines; a line that is none, or has no time stamp, is passed over."""
    for found in _LINE.finditer(block):
        daemon = found["daemon"]
        event_time = clock.epoch(found[0])
        if event_time is None:
            continue
        event = _PARSERS[daemon](event_time, _DAEMONS[daemon], found["text"])
        if event is not None:
            yield event
