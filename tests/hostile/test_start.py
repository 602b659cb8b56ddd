"""Where bmtop is started from, and by what: nothing there becomes part of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.programs import BMTOP, on, run
from tests.mailserver import Postfix

MODULES = (
    "textual",
    "sh",
    "humanize",
    "rich",
    "urllib3",
    "pyinotify",
    "json",
    "argparse",
    "platform",
    "tomllib",
    "ssl",
)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a module of each name, that leaves a file behind when it is loaded, and shell start files."""
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'a').write({name!r} + chr(10))\n")
    for name in (".bashrc", ".profile", "bm-cli", "postqueue", "postconf"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/sprung\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_it_loads_and_runs_nothing_from_the_folder_it_is_started_in(trap: Path) -> None:
    done = subprocess.run(
        [*BMTOP, f"--state={trap}/state", f"--postfix={trap}/etc", "report"],
        cwd=trap, capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": f".:{os.environ['PATH']}"},
    )  # fmt: skip
    assert "bmtop 20" in done.stdout, done.stderr
    assert not (trap / "sprung").exists(), (trap / "sprung").read_text()


def test_the_command_that_pip_makes_does_not_either(trap: Path) -> None:
    # As pip writes it (packaging.python.org, entry points): the folder of the script comes first, not the current one.
    folder = trap.parent / f"{trap.name}-bin"
    folder.mkdir()
    script = folder / "bmtop"
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom bmtop.__main__ import main\nsys.exit(main())\n")
    script.chmod(0o755)
    done = subprocess.run(
        [script, f"--state={trap}/state", "report"], cwd=trap, capture_output=True, text=True, timeout=60
    )
    assert "bmtop 20" in done.stdout, done.stderr
    assert not (trap / "sprung").exists()


def test_it_does_not_matter_that_the_folder_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(["sh", "-c", f'cd {gone} && rmdir {gone} && exec "$@"', "sh", *BMTOP, "--state", "/x", "report"])
    assert done.returncode in (0, 4), done.stderr
    assert "Traceback" not in done.stderr


def test_it_does_not_matter_that_who_started_it_ignores_how_its_children_end(tmp_path: Path) -> None:
    code = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    with Postfix.temporary() as postfix:
        done = run([sys.executable, "-c", code, *on(postfix, f"--state={tmp_path}", "report", "--json")])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["queue"]["total"] == 0
    assert done.stderr == ""
