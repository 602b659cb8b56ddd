"""The values that may cross a border to a command, each made only by checking.

Calling a type checks the text and raises `Refused`, so that a function that takes a `QueueId`
cannot be handed anything else. Each is a plain string otherwise.
"""

import ipaddress
import re

_SHORT_ID = re.compile(r"[0-9A-F]{6,21}", re.ASCII)
# Seconds and microseconds in base 52, a `z`, and the inode in base 51 (postconf(5), enable_long_queue_ids).
_LONG_ID = re.compile(r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,15}", re.ASCII)
_LOGIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?",
    re.ASCII,
)


class Refused(ValueError):
    """Something that bmtop does not accept. Its text is one sentence with the next step."""


class QueueId(str):
    """A Postfix queue id, short or long form. `ALL`, `-` and everything else raises `Refused`."""

    __slots__ = ()

    def __new__(cls, text: str) -> "QueueId":
        if not (_SHORT_ID.fullmatch(text) or _LONG_ID.fullmatch(text)):
            raise Refused(f"{text[:80]!a} is not a queue id; take one from `postqueue -p`.")
        return super().__new__(cls, text)


class Login(str):
    """An account's address that may be handed to bm-cli or to BlueMind's REST service.

    Narrower than RFC 5321 on purpose: one `@`, ASCII, nothing that a command could read as an
    option, an argument file, a whole domain, or everybody.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> "Login":
        if len(text) > 254 or not _LOGIN.fullmatch(text):
            raise Refused(f"{text[:80]!a} is not a full address; name the account as local-part@domain.")
        return super().__new__(cls, text)


class Client(str):
    """An SMTP client's address, IPv4 or IPv6, in the form of `ipaddress`, without a zone (RFC 4007)."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Client":
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            address = None
        # A zone may be any text at all, line breaks included.
        if address is None or "%" in text:
            raise Refused(f"{text[:80]!a} is not an IP address; write it like 192.0.2.7 or 2001:db8::7.")
        return super().__new__(cls, str(address))
