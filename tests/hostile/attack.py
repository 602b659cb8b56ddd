"""An attack on whoever looks: on a real Postfix, text that acts, in every place that an outsider can fill.

What Postfix itself would not let through is played by lines that a local user could have written to the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.header import Header

from tests.mailserver import Client, Message, Player, Postfix
from tests.mailserver.configuration import USERS
from tests.mailserver.player import Refused

BOT = Client("203.0.113.57", helo="bot.invalid")
RELAY = Client("192.0.2.77", helo="relay.invalid")
GUESSER = Client("203.0.113.99", helo="guess.invalid")

# Each has a word that tells it from what bmtop itself writes.
HOSTILE: Mapping[str, str] = {
    "colour": "\x1b[31;1;5mPWN1\x1b[0m",
    "title": "\x1b]0;PWN2\x07",
    "clipboard": "\x1b]52;c;UFdOMw==\x07PWN3",
    "link": "\x1b]8;;http://pwn4.example/\x1b\\PWN4\x1b]8;;\x1b\\",
    "query": "\x1b[c\x1b[6n\x1bP$qm\x1b\\PWN5",
    "c1": "\x9b31;1;5mPWN6\x9d0;x\x9c",
    "override": "PWN7\u202emoc.elpmaxe",
    "isolate": "\u2067PWN8\u2069",
    "unseen": "PW\u200bN9\ufeff\u2060\U000e0041\ufe0f",
    "pile": "PWN10" + "\u0489" * 30,
    "wide": "日本語PWN11",
    "markup": "[red]PWN12[/red]",
    "action": "[@click=app.quit]PWN13[/]",
    "broken": "PWN14[/nope]x",
    "variable": "$primary[b]PWN15",
    "html": "<script>PWN16</script>&amp;]]>",
    "return": "PWN17\rQueue: 0 messages, OK",
    "tab": "PWN18\tx",
    "bar": "PWN19|queue=0",
    "long": "PWN20" + "x" * 900,
}
PASSWORD = "Right-hostile-1"


@dataclass(frozen=True, slots=True)
class Attack:
    """What was done: the Postfix, and the login that sent what is hostile."""

    postfix: Postfix
    login: str


def logins() -> dict[str, str]:
    """Accounts that somebody made with such names, and honest ones; their passwords."""
    names = {f"{kind}{text}@example.com": PASSWORD for kind, text in HOSTILE.items() if kind not in ("long", "return")}
    return {**USERS, **names}


def play(postfix: Postfix) -> Attack:
    """Send, fail and write all of it; returns when the queue is at rest."""
    player = Player(postfix)
    for kind, text in HOSTILE.items():
        for client in (BOT, RELAY):
            login = "alice@example.com" if client is BOT else None
            with player.connect(Client(client.address, helo=f"{kind}{text}"[:500]), login) as session:
                for sender in (quoted(kind, text[:60]), "plain@lottery.example"):
                    message = Message(
                        "spam", sender, (quoted(kind, text[:60], "victim"),), text, headers=subjects(text)
                    )
                    try:
                        session.send(message)
                    except Refused as error:
                        raise AssertionError(f"Postfix does not take {kind}: {error}") from None
        player.fail_logins(GUESSER, [f"{kind}{text}@example.com"[:400]])
        login = f"{kind}{text}@example.com"
        if login in postfix.passwords:
            with player.connect(Client("203.0.113.58", helo="x"), login) as session:
                session.send(Message("spam", "plain@lottery.example", ("victim@remote.example",)))
    postfix.settle()
    write_lines(postfix)
    return Attack(postfix, "alice@example.com")


def quoted(kind: str, text: str, domain: str = "lottery") -> str:
    """An address whose local part is this text (RFC 5321, 4.1.2)."""
    escaped = "".join(f"\\{char}" if char in '"\\' else char for char in text if char not in "\r\n")
    return f'"{kind}{escaped}"@{domain}.example'


def subjects(text: str) -> tuple[str, ...]:
    """The subject as it is, behind a second one whose encoding hides it (RFC 2047)."""
    return (f"Subject: {Header(text.replace(chr(13), ''), 'utf-8', maxlinelen=900).encode()}",)


def write_lines(postfix: Postfix) -> None:
    """Append to the log what a local user can by logger(1), where syslog does not escape it; no UTF-8 included."""
    stamp = postfix.log.read_bytes().splitlines()[-1][:15]
    with postfix.log.open("ab") as log:
        for number, text in enumerate(HOSTILE.values()):
            raw = text.encode().replace(b"\r", b"").replace(b"\n", b"") + b"\xff\xfe\xc3"
            id = b"%X" % (0xABCD0000 + number)
            for line in (
                b"postfix/smtpd[9]: %s: client=%s[198.51.100.9], sasl_method=LOGIN, sasl_username=forged%s@example.com"
                % (id, raw, raw),
                b"postfix/smtpd[9]: %s: client=%s[198.51.100.10]" % (id, raw),
                b"postfix/qmgr[9]: %s: from=<%s@x.example>, size=1, nrcpt=1 (queue active)" % (id, raw),
                b"postfix/smtp[9]: %s: to=<%s@y.example>, relay=%s, delay=1, dsn=4.0.0, status=deferred (%s)"
                % (id, raw, raw, raw),
                b"postfix/smtpd[9]: warning: %s[198.51.100.11]: SASL LOGIN authentication failed: %s, sasl_username=%s"
                % (raw, raw, raw),
                b"%s[1]: %s" % (raw, raw),
            ):
                log.write(stamp + b" mail " + line + b"\n")
