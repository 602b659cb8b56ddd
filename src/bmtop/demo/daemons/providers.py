"""How the servers at the other end answer: what smtp(8) and lmtp(8) would log for a recipient."""

from dataclasses import dataclass
from random import Random

from bmtop.demo.cast import DOMAIN

SPAM = frozenset({"stolen login", "second login", "website", "bounce"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one recipient: status sent, deferred or bounced, and the text that the log gives for it.

    `mta` and `reply` are who answered, and with what; None where nobody did.
    """

    status: str
    dsn: str
    text: str
    relay: str = "none"
    mta: str | None = None
    reply: str | None = None
    agent: str = "smtp"


# Where mail for a domain goes: the server's name and address.
_SERVERS = {
    "freemail.example": ("mx1.freemail.example", "198.51.100.25"),
    "bigmail.example": ("mx.bigmail.example", "198.51.100.33"),
    "webpost.example": ("mx.webpost.example", "198.51.100.41"),
    "letters.example": ("mx6.letters.example", "2001:db8:77::25"),
}
_MAILBOXES = tuple(_SERVERS)
_AT_DATA, _AT_RCPT = "end of DATA command", "RCPT TO command"
_BLOCKED = "554 5.7.1 Message rejected: identified as spam"
_SPAM_REPLIES: dict[str, tuple[tuple[int, str, str], ...]] = {
    "freemail.example": (
        (74, "421 4.7.0 [192.0.2.10] Our system has detected an unusual rate of unsolicited mail", _AT_DATA),
        (8, "550 5.1.1 The email account that you tried to reach does not exist", _AT_RCPT),
        (4, _BLOCKED, _AT_DATA),
    ),
    "bigmail.example": (
        (66, "451 4.7.650 Server [192.0.2.10] has been temporarily rate limited due to its reputation", _AT_RCPT),
        (14, "550 5.7.1 Service unavailable, client host [192.0.2.10] blocked", _AT_RCPT),
        (6, "550 5.5.0 Requested action not taken: mailbox unavailable", _AT_RCPT),
    ),
    "webpost.example": ((82, "421 4.7.1 Too many connections from 192.0.2.10", "refused"), (8, _BLOCKED, _AT_DATA)),
    "letters.example": ((70, "450 4.2.1 The user is receiving mail too quickly", _AT_RCPT), (10, _BLOCKED, _AT_DATA)),
}  # fmt: skip


def victim(rng: Random) -> str:
    """Return an address that spam goes to."""
    domain = rng.choices(_MAILBOXES, (45, 30, 15, 10))[0]
    return f"{rng.choice(('user', 'mail', 'box', 'my', 'x'))}{rng.randrange(100, 99_999)}@{domain}"


def answer(recipient: str, part: str, attempt: int, rng: Random) -> Answer:
    """Return what becomes of a message that plays `part` in the story, at this attempt (0 is the first)."""
    domain = recipient.rpartition("@")[2]
    if domain == DOMAIN:
        lmtp = "127.0.0.1[127.0.0.1]"
        return Answer("sent", "2.0.0", "250 2.0.0 Ok", f"{lmtp}:2400", "127.0.0.1", "250 2.0.0 Ok", "lmtp")
    name, address = _SERVERS.get(domain, (f"mx.{domain}", f"198.51.100.{60 + sum(domain.encode()) % 150}"))
    if domain in ("offline.example", "bank.example", "parcel.example"):
        return Answer("deferred", "4.4.1", f"connect to {name}[{address}]:25: Connection refused")
    if domain == "grey.example" and attempt == 0:
        return _said(name, address, f"450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted", _AT_RCPT)
    if domain == "full.example":
        return _said(name, address, "452 4.2.2 The email account that you tried to reach is over quota", _AT_RCPT)
    if domain in ("lottery.example", "wallet.example") or (part == "honest" and rng.random() < 0.01):
        return _said(name, address, f"550 5.1.1 <{recipient}>: Recipient address rejected: User unknown", _AT_RCPT)
    if part in SPAM:
        drawn = rng.uniform(0, 100)
        for share, reply, command in _SPAM_REPLIES.get(domain, ()):
            drawn -= share
            if drawn < 0:
                return _said(name, address, reply, command)
    queued = f"250 2.0.0 Ok: queued as {rng.randrange(16**11):011X}"
    return Answer("sent", "2.0.0", queued, f"{name}[{address}]:25", name, queued)


def _said(name: str, address: str, reply: str, command: str) -> Answer:
    status = "deferred" if reply[0] == "4" else "bounced"
    if command == "refused":
        text = f"host {name}[{address}] refused to talk to me: {reply}"
    else:
        text = f"host {name}[{address}] said: {reply} (in reply to {command})"
    return Answer(status, reply.split()[1], text, f"{name}[{address}]:25", name, reply)
