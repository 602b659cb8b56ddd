"""The toy mail server of `bmtop --demo`: made in a temporary folder, played by its own process, and all gone after."""

import contextlib
import select
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bmtop.demo.folder import Toy, places, python_command
from bmtop.demo.story import GOODBYE, READY

__all__ = ["Toy", "toy_server"]

_START_SECONDS = 30.0


@contextmanager
def toy_server(seed: int = 1) -> Iterator[Toy]:
    """Give a toy mail server whose past is written and whose incident begins now; the same for the same seed.

    It ends, and its folder goes, with the block; and also where this process is killed, since the
    story's process then finds its standard input closed. Raises `RuntimeError` where it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="bmtop-demo-"))
    complaints = folder / "story.err"
    command = python_command("from bmtop.demo.story import main; sys.exit(main())")
    with open(complaints, "wb") as errors:
        # A session of its own: Ctrl-C and a closed terminal are for bmtop, which then ends it.
        story = subprocess.Popen(
            [*command, str(folder), str(seed), "--child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
    try:
        assert story.stdout is not None
        if not select.select([story.stdout], [], [], _START_SECONDS)[0] or story.stdout.readline() != READY:
            said = complaints.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(f"The demo's mail server did not start: {said[-1] if said else 'it said nothing'}.")
        yield places(folder)
    finally:
        _end(story)
        shutil.rmtree(folder, ignore_errors=True)


def _end(story: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
        story.communicate(GOODBYE, timeout=5)
    if story.poll() is None:
        story.kill()
        story.communicate()
