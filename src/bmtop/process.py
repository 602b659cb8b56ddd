"""One process, run by `sh` on open files: from its start to its very end."""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import sh

from bmtop.server import CommandFailed

Streams = tuple[IO[bytes], IO[bytes], IO[bytes]]
"""Standard input, output and error: open files."""


def run(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Streams,
    check: Callable[[], None],
) -> int:
    """Run the file `program` in a session of its own, and return its exit status (negative: the signal).

    `check` is called ten times a second meanwhile; where it raises, or Ctrl-C does, the whole session is killed.
    Raises `CommandFailed` where it cannot be started.
    """
    # Between the start and the first wait, Ctrl-C would leave it running, and nobody would know.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        process = _start(program, arguments, environment, streams)
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _wait(process, check)
        except BaseException:
            _kill(process)
            raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return int(process.exit_code)


def _start(program: str, arguments: Sequence[str], environment: Mapping[str, str], streams: Streams) -> Any:
    given, out, err = streams
    try:
        return sh.Command(program)(
            *arguments,
            _in=given,
            _out=out,
            _err=err,
            _env=dict(environment),
            _cwd="/",
            _preexec_fn=_as_from_the_system,
            _bg=True,
            _bg_exc=False,
            _tty_out=False,
            _tty_in=False,
            _new_session=True,
            _return_cmd=True,
            _ok_code=list(range(256)),
        )
    except (sh.ForkException, OSError):
        raise CommandFailed(f"{program} cannot be started; run it by hand to see why.") from None


def _as_from_the_system() -> None:
    """In the new process: no signal is held back, and files are made as everybody's."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)


def _wait(process: Any, check: Callable[[], None]) -> None:
    _until_it_ends(process.pid, check)
    while True:
        try:
            process.wait(timeout=0.1)
        except sh.TimeoutException:
            check()
        except sh.SignalException:
            return
        else:
            return


def _until_it_ends(pid: int, check: Callable[[], None]) -> None:
    """Return at the very end of the process, where the system tells of it (pidfd_open(2), Linux 5.3).

    `sh` only asks every tenth of a second, so that the shortest command would take as long.
    """
    try:
        process = os.pidfd_open(pid)
    except (OSError, AttributeError):
        # The system is older, or this Python was built on one.
        return
    try:
        end = select.poll()
        end.register(process, select.POLLIN)
        while not end.poll(100):
            check()
    finally:
        os.close(process)


def _kill(process: Any) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    with contextlib.suppress(sh.SignalException, sh.TimeoutException):
        process.wait(timeout=5)
