"""The terminal that the console is in: it may be of any locale, send anything, and go away at any time."""

import io
import os
import signal
from typing import Any, TextIO, cast

from textual.drivers.linux_driver import LinuxDriver


class Terminal(LinuxDriver):
    """Textual's driver; a terminal that is gone (ssh lost, window closed) neither blocks it nor makes it fail."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        assert self._file is not None
        # Terminals are UTF-8, also where the locale is set otherwise. What is written is written whole: Python's own
        # stream may be unbuffered (PYTHONUNBUFFERED), and loses the rest where a signal cuts a slow write short.
        stream = open(self._file.fileno(), "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        self._file = cast(io.TextIOWrapper, _Screen(stream))

    def _sigcont_application(self, *arguments: Any) -> None:
        # It also comes where nothing was stopped, such as right after SIGHUP: then all is running already.
        if self._must_signal_resume:
            super()._sigcont_application(*arguments)

    def _run_input_thread(self) -> None:
        while not self.exit_event.is_set():
            try:
                self.run_input_thread()
            except OSError:
                hang_up()
                return
            except Exception:
                # What cannot be decoded, or stands for no key, is none; the next one is read.
                continue


class _Screen:
    """The stream to the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError:
            hang_up()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            hang_up()

    def fileno(self) -> int:
        return self._stream.fileno()


def hang_up() -> None:
    """Let go of the terminal, and end as where it said that it goes away."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    os.kill(os.getpid(), signal.SIGHUP)
