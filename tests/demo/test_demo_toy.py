"""The toy starts with its past told, goes on by itself, and leaves nothing behind, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
import zipapp
from collections.abc import Callable
from pathlib import Path

import pytest

import bmtop
from bmtop.demo.toy import toy_server

PACKAGE = Path(bmtop.__file__).parent


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def mentioned(folder: Path) -> list[str]:
    """The processes whose command line names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in path.read_bytes():
                found.append(path.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_toy_has_its_past_when_it_starts_and_goes_on_by_itself() -> None:
    with toy_server() as toy:
        size = toy.log.stat().st_size
        assert size > 100_000
        assert (toy.config_directory / "main.cf").is_file()
        for name in ("postqueue", "postsuper", "postcat", "postconf", "postfix", "bm-cli", "ss"):
            assert os.access(toy.bin / name, os.X_OK)
        wait_for(lambda: toy.log.stat().st_size > size)
        listed = subprocess.run([toy.bin / "postqueue", "-j"], capture_output=True, check=True).stdout.splitlines()
        assert len(listed) > 10
    assert not toy.folder.exists()
    assert mentioned(toy.folder) == []


def test_an_exception_leaves_nothing_behind() -> None:
    folders: list[Path] = []

    def fail() -> None:
        with toy_server() as toy:
            folders.append(toy.folder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (folder,) = folders
    assert not folder.exists()
    assert mentioned(folder) == []


_PARENT = """
import sys, time
from bmtop.demo.toy import toy_server
with toy_server() as toy:
    print(toy.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_a_killed_parent_leaves_nothing_behind(how: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        folder = Path(parent.stdout.readline().strip())
        assert (folder / "mail.log").is_file()
        parent.send_signal(how)
        parent.wait()
    wait_for(lambda: not folder.exists() and not mentioned(folder))


def test_it_runs_from_a_zipapp(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bmtop").mkdir(parents=True)
    (source / "bmtop" / "__init__.py").write_bytes((PACKAGE / "__init__.py").read_bytes())
    for path in (PACKAGE / "demo").rglob("*.py"):
        target = source / "bmtop" / path.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (source / "__main__.py").write_text(
        "import subprocess\nfrom bmtop.demo.toy import toy_server\n"
        "with toy_server() as toy:\n    subprocess.run([toy.bin / 'postqueue', '-j'], check=True)\n"
    )
    zipapp.create_archive(source, tmp_path / "a zip app.pyz")
    done = subprocess.run([sys.executable, tmp_path / "a zip app.pyz"], capture_output=True, timeout=60, cwd="/")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) > 10


def test_the_programs_and_the_story_need_the_standard_library_only(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
        "import bmtop.demo.story, bmtop.demo.toy\n"
        "from importlib import import_module\n"
        "for name in ('bm_cli', 'postcat', 'postconf', 'postfix', 'postqueue', 'postsuper'):\n"
        "    import_module(f'bmtop.demo.programs.{name}')\n"
        "others = {n.partition('.')[0] for n in sys.modules} - set(sys.stdlib_module_names) - {'__main__', 'bmtop'}\n"
        "ours = {n for n in sys.modules if n.startswith('bmtop.') and not n.startswith('bmtop.demo')}\n"
        "print(sorted(others), sorted(ours))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_the_story_by_hand_says_how_to_look_at_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-u", "-m", "bmtop.demo.story", str(tmp_path / "toy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as story:
        assert story.stdout is not None
        said = story.stdout.readline()
        assert f"--postfix {tmp_path}/toy/etc --log {tmp_path}/toy/mail.log" in said
        story.send_signal(signal.SIGINT)
        assert story.wait() == 0
    assert (tmp_path / "toy" / "mail.log").is_file()
