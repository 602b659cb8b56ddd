"""Who already refuses our mail: DNS lists and providers, from nothing but their servers' own answers.

An answer counts where it is about us: the sending server, its network, its reputation. That a mailbox does not
exist, is full, or that a server asks to come again later (greylisting) is no block.
"""

import re
from collections.abc import Callable
from typing import Literal

from bmtop.incident.events import Delivery
from bmtop.incident.picture import Blocked
from bmtop.incident.window import WindowCounts

# A name in the answer, and the list that it belongs to.
_LISTS = (
    ("spamhaus", "Spamhaus"),
    ("barracudacentral", "Barracuda"),
    ("spamcop", "SpamCop"),
    ("sorbs", "SORBS"),
    ("uceprotect", "UCEPROTECT"),
    ("abuseat", "Spamhaus"),
    ("psbl", "PSBL"),
    ("mailspike", "Mailspike"),
    ("manitu", "NiX Spam"),
    ("spamrats", "SpamRATS"),
    ("invaluement", "Invaluement"),
    ("hostkarma", "Hostkarma"),
    ("dronebl", "DroneBL"),
    ("blocklist.de", "blocklist.de"),
    ("backscatterer", "Backscatterer"),
    ("abusix", "Abusix"),
    ("surbl", "SURBL"),
    ("uribl", "URIBL"),
    ("senderscore", "Sender Score"),
    ("cloudmark", "Cloudmark"),
    ("proofpoint", "Proofpoint"),
    ("talosintelligence", "Cisco Talos"),
    ("senderbase", "Cisco Talos"),
    ("trendmicro", "Trend Micro"),
    ("gbudb", "GBUdb"),
)
# The end of the mail server's name, as the recipient's domain names it, and whose it is.
_PROVIDERS = (
    ("outlook.com", "Microsoft"),
    ("hotmail.com", "Microsoft"),
    ("google.com", "Google"),
    ("googlemail.com", "Google"),
    ("yahoodns.net", "Yahoo"),
    ("orange.fr", "Orange"),
    ("wanadoo.fr", "Orange"),
    ("gmx.net", "GMX and WEB.DE"),
    ("web.de", "GMX and WEB.DE"),
    ("kundenserver.de", "IONOS"),
    ("ionos.com", "IONOS"),
    ("free.fr", "Free"),
    ("proxad.net", "Free"),
    ("sfr.fr", "SFR"),
    ("sfr.net", "SFR"),
    ("bbox.fr", "Bouygues"),
    ("laposte.net", "La Poste"),
    ("ovh.net", "OVH"),
    ("gandi.net", "Gandi"),
    ("icloud.com", "Apple"),
    ("t-online.de", "Telekom"),
    ("comcast.net", "Comcast"),
    ("att.net", "AT&T"),
    ("mail.ru", "Mail.ru"),
    ("yandex.ru", "Yandex"),
    ("yandex.net", "Yandex"),
    ("libero.it", "Libero"),
    ("mimecast.com", "Mimecast"),
    ("pphosted.com", "Proofpoint"),
    ("ppe-hosted.com", "Proofpoint"),
    ("iphmx.com", "Cisco"),
    ("messagelabs.com", "Symantec"),
    ("barracudanetworks.com", "Barracuda"),
    ("zoho.com", "Zoho"),
    ("mailbox.org", "mailbox.org"),
    ("bluewin.ch", "Swisscom"),
)
# What smtp(8) writes of a server's reply or greeting; error(8) repeats it for mail that waits for that server.
_SAID = re.compile(
    r"(?:delivery temporarily suspended: )?host (?P<host>\S+?)\[(?P<address>[^\]\s]*)\](?::\d+)?"
    r" (?:said|refused to talk to me): (?P<text>.*)",
    re.DOTALL,
)
_OUTWARD = frozenset({"smtp", "error", "retry"})
_NO_SUCH_USER = re.compile(r"[45]\d\d[ -][45]\.1\.")
_ADDRESS = re.compile(r"<[^<>]*>|\S*@\S*")
_ABOUT_US = re.compile(
    r"\b(?:block(?:ed|[- ]?list(?:ed)?)|(?:black|deny)[- ]?list(?:ed)?|dnsbl|rbl|banned|listed (?:in|by|at|on)"
    r"|reputation|rate[- ]limit(?:ed)?|unsolicited|unusual rate|user complaints|spam(?:ming|mer)?|abus(?:e|ive)"
    r"|bulk mail|too many (?:connections|messages|errors)|service refused|access denied|local policy"
    r"|policy (?:reasons|restrictions)|(?:will not be|not) accept(?:ed|ing) (?:mail |messages |connections )?from"
    r"|ofr_?[\d_]+|lpn_?[\d_]+|tss\d+|s3140|s775|cs01|bl\d\d)\b|ask your postmaster for help",
    re.IGNORECASE,
)
_NOT_ABOUT_US = re.compile(
    r"\bgr[ae]y-?list|\bdmarc\b|\bdkim\b|\bspf\b|unauthenticated|relay(?:ing)? (?:access )?denied"
    r"|(?:recipient|sender) address rejected|(?:user|mailbox|recipient|account) (?:unknown|not found|is full|disabled)"
    r"|no such user|does not exist|over quota|mailbox full",
    re.IGNORECASE,
)
_USING = re.compile(r"\b(?:using|listed (?:in|by|at|on)) ((?:[a-z0-9-]{1,40}\.){1,6}[a-z]{2,20})\b", re.IGNORECASE)
_LONGEST = 300
_MOST = 200

Kind = Literal["list", "provider"]


def blocker(event: Delivery, is_own: Callable[[str], bool]) -> tuple[str, Kind] | None:
    """Return who refused this recipient because of whom the mail came from, or None.

    `is_own` tells the server's own addresses: a content filter there is nobody who blocks us.
    """
    if event.status not in ("deferred", "bounced") or event.daemon not in _OUTWARD or "host " not in event.answer:
        return None
    said = _SAID.match(event.answer)
    if said is None or is_own(said["address"]):
        return None
    # Addresses are the sender's to choose, and may have any list's name in them.
    text = _ADDRESS.sub("", said["text"])
    if _NO_SUCH_USER.match(text) or _NOT_ABOUT_US.search(text) or not _ABOUT_US.search(text):
        return None
    lowered = text.lower()
    for mark, who in _LISTS:
        if mark in lowered:
            return who, "list"
    if using := _USING.search(text):
        return using[1].lower(), "list"
    host = said["host"].lower()
    for end, who in _PROVIDERS:
        if host == end or host.endswith(f".{end}"):
            return who, "provider"
    return _organisation(host), "provider"


def _organisation(host: str) -> str:
    """Return the registered part of a server's name, as far as that can be told without a list of all."""
    labels = host.split(".")
    if not labels[-1].isalpha():
        return host
    # As in example.co.uk.
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if short else labels[-2:])


class _Blocker:
    __slots__ = ("answer", "counts", "host", "last_seen", "since")

    def __init__(self, window: float, time: float) -> None:
        self.counts = WindowCounts(window)
        self.since = self.last_seen = time
        self.answer = self.host = ""


class Blocks:
    """All who refuse our mail, kept up by deliveries."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._blockers: dict[tuple[str, Kind], _Blocker] = {}

    def refused(self, event: Delivery, by: tuple[str, Kind]) -> None:
        """A recipient was refused by that list or provider."""
        found = self._blockers.pop(by, None) or _Blocker(self._window, event.time)
        self._blockers[by] = found
        if len(self._blockers) > _MOST:
            del self._blockers[next(iter(self._blockers))]
        found.counts.add(event.time, event.status)
        found.last_seen = max(found.last_seen, event.time)
        found.answer = event.answer[:_LONGEST]
        found.host = event.relay

    def read(self, now: float) -> tuple[Blocked, ...]:
        """Return the rows, whoever refuses most first."""
        rows = []
        for (who, kind), state in list(self._blockers.items()):
            state.counts.expire(now)
            if state.counts.empty:
                del self._blockers[who, kind]
                continue
            deferred = state.counts["deferred"]
            recipients = deferred + state.counts["bounced"]
            rows.append(
                Blocked(who, kind, state.since, state.last_seen, recipients, deferred, state.host, state.answer)
            )
        rows.sort(key=lambda row: (-row.recipients, row.who))
        return tuple(rows)
