"""The first line: which server, in which mode, and how old what is shown is."""

from rich.cells import cell_len

from bmtop.console.figures import clock, seconds, window
from bmtop.console.says import Says
from bmtop.console.text import Cell, Line, fit
from bmtop.incident.picture import Picture


def ages(picture: Picture, now: float) -> list[str]:
    """Return how old the log and the queue's listing are, and whether they are still being read; then shorter."""
    log = f"{seconds(now - picture.log_time)} old" if picture.log_time is not None else "without a line yet"
    queue = f"{seconds(now - picture.listed)} ago" if picture.listed is not None else "not yet"
    reading = [] if picture.complete else ["reading back…"]
    return [
        " · ".join([f"log {log}", f"queue listed {queue}", *reading]),
        " · ".join([f"log {log}", f"queue {queue}", *reading]),
    ]


def title(name: str, picture: Picture, now: float, modes: tuple[str, ...], width: int) -> Line:
    """Return the line: the name at the left, modes and ages at the right, as long as there is room for."""
    modes_said = "".join(f"{mode}  " for mode in modes)
    span, moment = f"window {window(picture.window)}", clock(now, now)
    long, short = ages(picture, now)
    choices = [f"{span} · {long} · {moment}", f"{span} · {long}", f"{span} · {short}", short]
    room = width - len("bmtop ") - len(modes_said) - 2
    right = next((choice for choice in choices if len(choice) + cell_len(name) <= room), short)
    left = room - len(right)
    return (Cell("bmtop ", "strong"), Cell(fit(name, left)), Cell("  "), Cell(modes_said, "warn"), Cell(right, "dim"))


class Title(Says):
    FIXED = True

    def __init__(self, server: str) -> None:
        super().__init__(id="title")
        self._server = server

    def fill(self, picture: Picture, now: float, modes: tuple[str, ...]) -> None:
        self.fit(lambda width: [title(self._server, picture, now, modes, width)])
