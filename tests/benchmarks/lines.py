"""Log lines of a real Postfix, multiplied: as long a log as is wanted, or as many different senders."""

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

_STAMP = len("Nov 24 13:19:42")
DAY = 86_400


def bodies(log: Path) -> list[bytes]:
    """Return the lines of a log without their time stamps (RFC 3164), line ends included."""
    return [line[_STAMP:] for line in log.read_bytes().splitlines(keepends=True)]


def stamp(moment: float) -> bytes:
    """Return a time stamp as syslog writes it."""
    return time.strftime("%b %e %H:%M:%S", time.localtime(moment)).encode("ascii")


def write_day(path: Path, lines: Sequence[bytes], count: int, until: float) -> None:
    """Write `count` lines, again and again the same ones, over the 24 hours up to `until` (epoch seconds)."""
    each = max(1, count // DAY)
    joined = [b"".join(b"\0" + line for line in lines[i : i + each]) for i in range(0, len(lines), each)]
    seconds = min(DAY, count // each)
    with path.open("wb") as log:
        for second, block in zip(range(seconds), itertools.cycle(joined), strict=False):
            log.write(block.replace(b"\0", stamp(until - seconds + second)))


# What one sender's mail, and one guesser, leave in the log; every line is of a form that a real Postfix writes.
_UNIT = b"""\
%(at)s mail postfix/smtpd[%(pid)d]: connect from unknown[%(client)s]
%(at)s mail postfix/smtpd[%(pid)d]: %(id)s: client=unknown[%(client)s], sasl_method=LOGIN, sasl_username=%(login)s
%(at)s mail postfix/cleanup[%(pid)d]: %(id)s: message-id=<%(id)s.%(pid)d@client.invalid>
%(at)s mail postfix/qmgr[812]: %(id)s: from=<%(login)s>, size=1423, nrcpt=1 (queue active)
%(at)s mail postfix/error[%(pid)d]: %(id)s: to=<victim%(number)d@shop%(shop)d.example>, relay=none, delay=0.02, \
delays=0.01/0.01/0/0, dsn=4.3.2, status=deferred (deferred transport)
"""
_REMOVED = b"%(at)s mail postfix/qmgr[812]: %(id)s: removed\n"
_TRIES = b"""\
%(at)s mail postfix/smtpd[%(pid)d]: connect from unknown[%(guesser)s]
%(at)s mail postfix/smtpd[%(pid)d]: warning: unknown[%(guesser)s]: SASL LOGIN authentication failed: \
authentication failure, sasl_username=%(login)s
%(at)s mail postfix/smtpd[%(pid)d]: NOQUEUE: reject: RCPT from unknown[%(guesser)s]: 454 4.7.1 <drop@prober.test>: \
Relay access denied; from=<test@prober.example> to=<drop@prober.test> proto=ESMTP helo=<scanner>
%(at)s mail postfix/smtpd[%(pid)d]: disconnect from unknown[%(guesser)s] ehlo=1 auth=0/1 mail=1 rcpt=0/1 commands=2/4
"""
UNIT_LINES = 10
STOLEN = "stolen@example.com"
# One message in a hundred is the stolen login's; one in twenty never gets its `removed` line.
STOLEN_EVERY = 100
_LOST_EVERY = 20


def _address(number: int) -> bytes:
    """Return one of many addresses of the documentation's IPv6 range (RFC 3849), no two in one /64."""
    return b"2001:db8:%x:%x::1" % (number >> 16, number & 0xFFFF)


def write_many(path: Path, count: int, until: float) -> None:
    """Write `count` lines over the 23 hours up to `until`: two new clients in ten lines, a new login in twenty."""
    with path.open("wb") as log:
        log.writelines(_blocks(count // UNIT_LINES, until))


def _blocks(units: int, until: float) -> Iterator[bytes]:
    begin, span = until - 23 * 3600, 23 * 3600
    second, at = -1, b""
    for number in range(units):
        now = number * span // units
        if now != second:
            second, at = now, stamp(begin + now)
        stolen = number % STOLEN_EVERY == 0
        values = {
            b"at": at,
            b"pid": 1000 + number % 30_000,
            b"id": b"%X" % (0x1000000000 + number * 7919),
            b"client": _address(number * 2),
            b"guesser": _address(number * 2 + 1),
            b"login": STOLEN.encode() if stolen else b"user%d@example.com" % (number // 2),
            b"number": number,
            b"shop": number % 5000,
        }
        removed = _REMOVED if number % _LOST_EVERY else b"%(at)s mail postfix/anvil[77]: statistics: max 1\n"
        yield (_UNIT + removed + _TRIES) % values


def append(log: BinaryIO, lines: Sequence[bytes], moment: float) -> None:
    """Append lines to an open log, all with the time stamp of `moment`."""
    now = stamp(moment)
    log.write(b"".join(now + line for line in lines))
    log.flush()
