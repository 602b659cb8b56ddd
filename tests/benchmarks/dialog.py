"""Opening the dialog of messages, and going to its end, with very many and with few: from the key to the screen.

`python -m tests.benchmarks.dialog N` is the console that is measured, on a made-up server with N messages queued.
"""

import gc
import sys

from bmtop.console.app import BmtopApp
from tests.console.desk import NOW, STOLEN, Desk, Hands, message, queue_id

from .console import Console
from .table import Row

_PURGE, _ESCAPE, _DOWN, _END, _HOME = b"d", b"\x1b", b"\x1b[B", b"\x1b[F", b"\x1b[H"


def measure(*, many: int, few: int, repeat: int) -> list[Row]:
    """Return the rows about the dialog."""
    opened: dict[int, list[float]] = {many: [], few: []}
    moved: dict[int, list[float]] = {many: [], few: []}
    for number in (few, many):
        with Console.running([sys.executable, "-m", "tests.benchmarks.dialog", str(number)]) as console:
            console.wait(lambda screen: STOLEN in screen.text, "the first screen")
            # The first time, a program has more to do than later.
            for _ in range(repeat + 1):
                console.watch(0.3)
                opened[number].append(_press(console, _PURGE, f"{number:,} of {number:,} messages chosen"))
                moved[number].append(_to_the_end(console, number))
                console.press(_ESCAPE)
                console.wait(lambda screen: "chosen" not in screen.text, "the dialog to close")
    return [
        Row(f"{what}, {many:,} ids", "ms", 1.5, samples[many][1:], f"with {few:,} ids", samples[few][1:])
        for what, samples in (("purge dialog open", opened), ("from its first to its last message", moved))
    ]


def _to_the_end(console: Console, number: int) -> float:
    """Return the milliseconds from the list's oldest message, the first, to the last."""
    console.press(_DOWN)
    console.wait(lambda screen: "enter More  esc" in screen.text, "the list to have the focus")
    console.press(_HOME)
    console.wait(lambda screen: queue_id(number) in screen.text, "the first message")
    return _press(console, _END, queue_id(1))


def _press(console: Console, key: bytes, text: str) -> float:
    """Return the milliseconds from a key to its text on the screen."""
    began = console.press(key)
    return 1000 * (console.wait(lambda screen: text in screen.text, text) - began)


if __name__ == "__main__":
    # As the program begins.
    gc.disable()
    desk = Desk(*(message(number) for number in range(1, int(sys.argv[1]) + 1)))
    BmtopApp(desk, Hands(desk), title="mail.example.com", clock=lambda: NOW).run()
