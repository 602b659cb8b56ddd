r"""Postfix log lines, as events. Each field is taken only from the daemon that writes it, at its place: half of the
text in these lines is chosen by whoever sends mail.

The forms are those of postfix/src (smtpd, qmgr, log_adhoc.c, bounce, postsuper). A line begins with a time stamp,
the host and a tag, `NAME/DAEMON[PID]:`, whatever name `syslog_name` gives (postconf(5)). One expression finds
the lines that matter in a large block, and takes them apart; all else is passed over without a step of Python.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import repeat, starmap
from typing import NamedTuple

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
from bmtop.postfix.logtime import Head, LogClock

# What the expression took out of a line: the fields of other forms than the line's are empty. In `parts` all have their
# names; these are the places of some.
Match = tuple[str, ...]
HEAD, RECIPIENT, ORIGINAL, SENDER, RECIPIENTS = 0, 2, 3, 8, 10
# An event: its kind, and its fields.
Parts = tuple[type[Event], tuple[object, ...]]

_ID = r"([0-9A-Za-z]{6,36})"
# The name of a client holds no brackets; its address is what the first ones hold.
_CLIENT = r"([^\s\[\]]*)\[([^\s\[\]]*)\](?::\d+|)"
# From Postfix 3.5 on, an address with unusual characters is in quotes as RFC 5321 has it, so that what looks
# like more fields is known to be inside of it. Before, it ends at the first `>` that the next field follows.
_QUOTED = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"[^">\n]*'
_ADDRESS = rf'([^">\n]*|{_QUOTED}|[^"\n](?:(?!>, orig_to=<).){{0,320}}?)'
_EARLIER_ADDRESS = rf'([^">\n]*|{_QUOTED}|[^"\n].{{0,320}}?)'

# What a line begins with, up to its first `: `: `_HEAD` tells whether that is a time stamp, a host and a tag. Every
# line is looked for at the line's end before it: a character to search for is fast, `^` is not.
_START = r"\n((?:\d[^ \n]+|[A-Z].{14}) [^ \n]+ [^ \n]+): "
_DELIVERY = (
    rf"to=<{_ADDRESS}>, (?:orig_to=<{_EARLIER_ADDRESS}>, |)relay=([^ \n]+), (?:conn_use=\d+, |)"
    r"delay=[\d.]+, delays=[\d./]+, dsn=([\d.]+), status=([a-z]+) \((.*)"
)
# Before these words smtpd writes nothing that a client chose, so they are where Postfix put them.
_REFUSAL = (
    r"warning: [^\s\[\]]*\[[^\s\[\]]*\](?::\d+|): SASL .*"
    r"|\w+: reject: RCPT from .*: Relay access denied; .*|message repeated .*"
)
# The sender may hold all of this as well; the last one is Postfix's own.
_QMGR = r"from=<(.*)>, (?:size=(\d+), nrcpt=(\d+) \(queue active\)|status=([a-z-]*expired), )|(removed)"
_BOUNCE = rf"sender non-delivery notification: {_ID}"
_LINE = re.compile(rf"{_START}(?:{_ID}: (?:{_DELIVERY}|{_QMGR}|client=(.*)|{_BOUNCE})|({_REFUSAL}))", re.ASCII)
_HEAD = re.compile(
    r"(?:(\d[^ \n]{18})[.\d]*([^ \n]*)|([A-Z].{14})) [^ \n]+(?<![:\]]) [^\s\[\]]+/([a-z]+)(?:\[\d+\]|)", re.ASCII
)
_NO_HEAD = (0.0, "")
AGENTS = frozenset({"smtp", "lmtp", "error", "retry", "local", "virtual", "discard", "pipe", "qmgr"})

_ACCEPTED = re.compile(
    # The client chooses its sasl_sender (RFC 4954, 5), so nothing behind that is believed.
    rf"{_CLIENT}(?:, sasl_method=([^\s,]+), sasl_username=(.*?)(?:, sasl_sender=.*)?|)"
    r"(?:, orig_queue_id=([0-9A-Za-z]+)|)(?:, orig_client=\S*|)",
    re.ASCII,
)
_LOGIN_FAILED = re.compile(
    rf"warning: {_CLIENT}: SASL [\w-]+ authentication failed(?::.*?)??(?:, sasl_username=(.*)|)", re.ASCII
)
_RELAY_DENIED = re.compile(
    rf"\w+: reject: RCPT from {_CLIENT}: [45]\d\d [45]\.7\.1 <.*>: Relay access denied; .*", re.ASCII
)
# rsyslog's RepeatedMsgReduction, on by default on Ubuntu: a client that fails again with the same name.
_REPEATED = re.compile(r"message repeated (\d{1,4}) times: \[ ?(.*)\]", re.ASCII)
_NO_NAME = "(unavailable)"


class Source(NamedTuple):
    """Who handed a message in, as in `Accepted`."""

    name: str
    client: str
    login: str | None
    method: str | None
    origin: str | None


def decoded(block: bytes) -> str:
    """Return log bytes as text with plain line ends; what is no UTF-8 is kept as surrogates."""
    if b"\0" in block:
        # What is left of a hole, where a log was cut under its writer (`WholeLines`).
        block = re.sub(rb"^\0+", b"", block, flags=re.MULTILINE)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    return block.decode("utf-8", "surrogateescape")


def matches(lines: str) -> list[Match]:
    """Return what whole lines say that may be an event; a line that is none is passed over."""
    return _LINE.findall("\n" + lines)


def events(lines: str, clock: LogClock) -> Iterator[Event]:
    """Yield the events of whole lines; a line that is none, or has no time stamp, is passed over."""
    # A named tuple's own constructor takes longer than finding its line.
    return starmap(tuple.__new__, parts(matches(lines), clock))


def parts(found: Iterable[Match], clock: LogClock) -> Iterator[Parts]:
    """Yield the events of what was found in parts: the kind of each, and its fields."""
    heads = clock.heads()
    for (
        head, id, recipient, original, relay, dsn, status, answer,
        sender, size, recipients, expired, removed,
        client, notification, refusal,
    ) in found:  # fmt: skip
        try:
            time, daemon = heads[head]
        except KeyError:
            time, daemon = heads[head] = written(head, clock)
        if status:
            if daemon in AGENTS:
                answer = answer.removesuffix(")")
                yield Delivery, (time, id, recipient, original or None, daemon, status, dsn, relay, answer)
        elif daemon == "qmgr":
            if size:
                yield Activated, (time, id, sender, int(size), int(recipients))
            elif removed:
                yield Removed, (time, id)
            elif expired:
                yield Delivery, (time, id, "", None, daemon, "expired", "", "", "")
        elif daemon == "smtpd":
            if client and (who := source(client)) is not None:
                yield Accepted, (time, id, *who)
            elif refusal:
                yield from _refused(time, refusal)
        elif daemon == "bounce" and notification:
            yield Notified, (time, id, notification)
        elif daemon == "postsuper" and removed:
            yield Removed, (time, id)


def written(head: str, clock: LogClock) -> Head:
    """Return when a line was written, and by which of Postfix's daemons: `` for what is no such line."""
    found = _HEAD.fullmatch(head)
    if found is None:
        return _NO_HEAD
    day, zone, stamp, daemon = found.groups()
    time = clock.epoch(stamp or day + zone)
    return _NO_HEAD if time is None else (time, daemon)


@lru_cache(maxsize=4096)
def source(client: str) -> Source | None:
    """Return who handed a message in, from what follows `client=`; None where that is not whole."""
    found = _ACCEPTED.fullmatch(client)
    if found is None:
        return None
    name, address, method, login, origin = found.groups()
    return Source(name, address, login, method, origin if login is None else None)


def _refused(time: float, text: str) -> Iterator[Parts]:
    """Yield what smtpd refused: a login, or to relay."""
    repeated = _REPEATED.fullmatch(text)
    times, text = (int(repeated[1]), repeated[2]) if repeated else (1, text)
    if found := _LOGIN_FAILED.fullmatch(text):
        name, client, login = found.groups()
        yield from repeat((LoginFailed, (time, name, client, None if login == _NO_NAME else login)), times)
    elif found := _RELAY_DENIED.fullmatch(text):
        yield from repeat((Rejected, (time, found[1], found[2], True)), times)
