"""Reading a log on from look to look, whatever becomes of its name in between."""

import time
from pathlib import Path

import pytest

from bmtop.postfix.loglines import LogLines
from bmtop.postfix.logtime import LogClock


def test_a_look_that_failed_during_a_second_rotation_is_made_up_for(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text(time.strftime("%b %e %H:%M:%S mail one\n"))
    lines = LogLines(log, time.time() - 60, LogClock())
    assert len(list(lines.more())) == 1
    log.rename(tmp_path / "mail.log.1")
    log.write_text("two\n")
    assert list(lines.more()) == [b"two\n"]
    # A syslog daemon that goes on writing to the old file, and a name that cannot be opened.
    with (tmp_path / "mail.log.1").open("a") as old, log.rename(tmp_path / "mail.log.0").open("a") as newer:
        log.mkdir()
        for _ in range(2):
            old.write("older\n")
            newer.write("newer\n")
            old.flush()
            newer.flush()
            blocks = lines.more()
            assert [next(blocks), next(blocks)] == [b"older\n", b"newer\n"]
            with pytest.raises(IsADirectoryError):
                next(blocks)
    log.rmdir()
    log.write_text("three\n")
    assert list(lines.more()) == [b"three\n"]
    assert list(lines.more()) == []
