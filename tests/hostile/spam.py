"""A real Postfix with the spam of one stolen login in its queue, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.mailserver import Client, Message, Player, Postfix

ALICE = "alice@example.com"
BOT = Client("203.0.113.57")
COUNT = 12


@contextmanager
def spammed(settings: dict[str, str] | None = None) -> Iterator[Postfix]:
    """Run it, with these settings besides (postconf(5))."""
    with Postfix.temporary(settings=settings) as postfix:
        spam = [Message("spam", f"x{n}@lottery.example", (f"v{n}@victim.example",)) for n in range(COUNT)]
        Player(postfix).send(BOT, spam, ALICE)
        postfix.settle()
        yield postfix
