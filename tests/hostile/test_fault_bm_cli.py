"""A bm-cli that never stops talking is stopped, on either stream, before it fills the server's memory."""

from pathlib import Path

import pytest

from tests.hostile.programs import BMTOP, run


@pytest.mark.parametrize("stream", ["", ">&2"], ids=["stdout", "stderr"])
def test_an_endless_flood_is_stopped_and_said(tmp_path: Path, stream: str) -> None:
    program = tmp_path / "bm-cli"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--help*) echo --email;; *) echo $$ >{tmp_path}/pid; yes {stream};; esac\n'
    )
    program.chmod(0o755)
    options = [f"--state={tmp_path / 'state'}", f"--bm-cli={program}", f"--bm-token={tmp_path / 'none'}"]
    limited = ["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", *BMTOP, *options, "logout", "jane@example.com"]
    done = run(limited)
    assert done.returncode == 4
    assert "floods its output and was stopped" in done.stderr
    assert len(done.stderr) < 1000
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
