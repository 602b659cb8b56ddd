r"""Postfix log lines, as events. Each field is taken only from the daemon that writes it, at its place: half of the
text in these lines is chosen by whoever sends mail.

The forms are those of postfix/src (smtpd, qmgr, log_adhoc.c, bounce, postsuper). A line begins with a time stamp,
the host and a tag, `NAME/DAEMON[PID]:`, whatever name `syslog_name` gives (postconf(5)). One expression finds
the lines that matter in a large block, and takes them apart; all else is passed over without a step of Python.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import repeat, starmap

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

Parts = tuple[str | float | None, ...]

_ID = r"([0-9A-Za-z]{6,36})"
_PID = r"(?:\[\d+\]|): "
# The name of a client holds no brackets; its address is what the first ones hold.
_CLIENT = r"([^\s\[\]]*)\[([^\s\[\]]*)\](?::\d+|)"
# From Postfix 3.5 on, an address with unusual characters is in quotes as RFC 5321 has it, so that what looks
# like more fields is known to be inside of it. Before, it ends at the first `>` that the next field follows.
_QUOTED = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"[^">\n]*'
_ADDRESS = rf'([^">\n]*|{_QUOTED}|[^"\n](?:(?!>, orig_to=<).){{0,320}}?)'
_EARLIER_ADDRESS = rf'([^">\n]*|{_QUOTED}|[^"\n].{{0,320}}?)'

# Every line is looked for at the line's end before it: a character to search for is fast, `^` is not.
_START = r"\n(?:(\d[^ \n]{18})[.\d]*([^ \n]*)|([A-Z].{14})) [^ \n]+(?<![:\]]) [^\s\[\]]+/"
_DELIVERY = (
    rf"(smtp|lmtp|error|retry|local|virtual|discard|pipe|qmgr){_PID}{_ID}: to=<{_ADDRESS}>, "
    rf"(?:orig_to=<{_EARLIER_ADDRESS}>, |)relay=([^ \n]+), (?:conn_use=\d+, |)delay=[\d.]+, delays=[\d./]+, "
    r"dsn=([\d.]+), status=([a-z]+) \((.*)"
)
# Before these words smtpd writes nothing that a client chose, so they are where Postfix put them.
_SMTPD = (
    rf"smtpd{_PID}(?:{_ID}: client=(.*)|(warning: [^\s\[\]]*\[[^\s\[\]]*\](?::\d+|): SASL .*"
    r"|\w+: reject: RCPT from .*: Relay access denied; .*|message repeated .*))"
)
# The sender may hold all of this as well; the last one is Postfix's own.
_QMGR = (
    rf"qmgr{_PID}{_ID}: (?:from=<(.*)>, (?:size=(\d+), nrcpt=(\d+) \(queue active\)|status=([a-z-]*expired), )"
    r"|removed)"
)
_BOUNCE = rf"bounce{_PID}{_ID}: sender non-delivery notification: {_ID}"
_POSTSUPER = rf"postsuper{_PID}{_ID}: removed"
_LINE = re.compile(rf"{_START}(?:{_DELIVERY}|{_SMTPD}|{_QMGR}|{_BOUNCE}|{_POSTSUPER})", re.ASCII)

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


def decoded(block: bytes) -> str:
    """Return log bytes as text with plain line ends; what is no UTF-8 is kept as surrogates."""
    if b"\0" in block:
        # What is left of a hole, where a log was cut under its writer (`WholeLines`).
        block = re.sub(rb"^\0+", b"", block, flags=re.MULTILINE)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    return block.decode("utf-8", "surrogateescape")


def events(lines: str, clock: LogClock) -> Iterator[Event]:
    """Yield the events of whole lines; a line that is none, or has no time stamp, is passed over."""
    # A named tuple's own constructor takes longer than finding its line.
    return starmap(tuple.__new__, parts(lines, clock))


def parts(lines: str, clock: LogClock) -> Iterator[tuple[type[Event], Parts]]:
    """Yield the same in parts: the kind of each event, and its fields."""
    times = clock.known()
    for (
        day, zone, stamp,
        agent, delivered, recipient, original, relay, dsn, status, answer,
        accepted, client, other,
        id, sender, size, recipients, expired,
        bounced, notification,
        deleted,
    ) in _LINE.findall("\n" + lines):  # fmt: skip
        stamp = stamp or day + zone
        time = times[stamp] if stamp in times else clock.epoch(stamp)
        if time is None:
            continue
        if delivered:
            answer = answer.removesuffix(")")
            yield Delivery, (time, delivered, recipient, original or None, agent, status, dsn, relay, answer)
        elif recipients:
            yield Activated, (time, id, sender, int(size), int(recipients))
        elif accepted:
            source = _source(client)
            if source is not None:
                yield Accepted, (time, accepted, *source)
        elif expired:
            yield Delivery, (time, id, "", None, "qmgr", "expired", "", "", "")
        elif id or deleted:
            yield Removed, (time, id or deleted)
        elif other:
            yield from _other(time, other)
        elif bounced:
            yield Notified, (time, bounced, notification)


@lru_cache(maxsize=4096)
def _source(client: str) -> tuple[str, str, str | None, str | None, str | None] | None:
    """Return name, address, login, method and earlier queue id from what follows `client=`."""
    found = _ACCEPTED.fullmatch(client)
    if found is None:
        return None
    name, address, method, login, origin = found.groups()
    return name, address, login, method, origin if login is None else None


def _other(time: float, text: str) -> Iterator[tuple[type[Event], Parts]]:
    """Yield what smtpd refused: a login, or to relay."""
    repeated = _REPEATED.fullmatch(text)
    times, text = (int(repeated[1]), repeated[2]) if repeated else (1, text)
    if found := _LOGIN_FAILED.fullmatch(text):
        name, client, login = found.groups()
        yield from repeat((LoginFailed, (time, name, client, None if login == _NO_NAME else login)), times)
    elif found := _RELAY_DENIED.fullmatch(text):
        yield from repeat((Rejected, (time, found[1], found[2], True)), times)
