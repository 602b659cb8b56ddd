"""Nothing hostile reaches the clipboard: what is marked with the mouse and copied is the glyphs that were seen.

Judged by the bytes that the console sends to the terminal for its clipboard (OSC 52, xterm's ctlseqs).
"""

import base64
import re
from collections.abc import Iterator

import pytest

from tests.hostile.attack import Attack, logins, play
from tests.hostile.programs import on
from tests.hostile.pty import Pty
from tests.hostile.test_hostile_text import assert_glyphs
from tests.mailserver import Postfix

COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)(?:\x07|\x1b\\)")


@pytest.fixture(scope="module")
def attack() -> Iterator[Attack]:
    with Postfix.temporary(users=logins(), settings={"line_length_limit": "4096"}) as postfix:
        yield play(postfix)


def drag(pty: Pty, begin: tuple[int, int], end: tuple[int, int]) -> None:
    """Mark what is between two cells, with the left button (SGR mouse mode)."""
    pty.press(f"\x1b[<0;{begin[0]};{begin[1]}M")
    for column, line in ((begin[0] + 2, begin[1]), end):
        pty.press(f"\x1b[<32;{column};{line}M")
    pty.press(f"\x1b[<0;{end[0]};{end[1]}m")


def copied(pty: Pty) -> list[str]:
    return [base64.b64decode(text).decode() for text in COPIED.findall(bytes(pty.written))]


def test_only_glyphs_are_copied(attack: Attack) -> None:
    with Pty.running(on(attack.postfix, "--window=1h")) as pty:
        pty.resize(200, 60)
        pty.wait_for(rb"alice@example\.com +\d+")
        pty.press_until("\r", rb"In the queue")
        pty.press_until("s", rb"newest 20 of 40")
        drag(pty, (4, 4), (190, 55))
        pty.press_until("\x03", COPIED.pattern)
        pty.press_until("\x1b", rb"Relay clients")
        drag(pty, (4, 2), (190, 58))
        pty.press("\x03")
        # What comes after it has come, too.
        pty.press_until("?", rb"Everywhere")
    texts = copied(pty)
    assert r"colour\x1b[31;1;5mPWN1\x1b[0m@lottery.example" in "".join(texts)
    for text in texts:
        assert_glyphs(text.encode("utf-8"))
