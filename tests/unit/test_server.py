"""What a command gets to see of who started bmtop: nothing but its arguments and its standard input."""

import errno
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.checked import Refused
from bmtop.server import SYSTEM_PATH, CommandFailed, Result, Server

HOSTILE = {
    "LD_PRELOAD": "/tmp/evil.so", "LD_LIBRARY_PATH": "/tmp", "LD_AUDIT": "/tmp/evil.so", "PYTHONPATH": "/tmp",
    "PYTHONSTARTUP": "/tmp/x.py", "PYTHONHOME": "/tmp", "BASH_ENV": "/tmp/x.sh", "ENV": "/tmp/x.sh", "IFS": "/",
    "PATH": "/tmp/evil", "MAIL_CONFIG": "/tmp/etc", "MAIL_DEBUG": "1", "MAIL_LOGTAG": "evil", "CDPATH": "/tmp",
    "JAVA_TOOL_OPTIONS": "-javaagent:/tmp/x.jar", "_JAVA_OPTIONS": "-agentlib:x", "JDK_JAVA_OPTIONS": "x",
    "LOCPATH": "/tmp", "NLSPATH": "/tmp/%N", "LC_ALL": "tr_TR.ISO-8859-9", "LANG": "x", "HOME": "/tmp/evil",
    "TMPDIR": "/tmp/evil", "PERL5OPT": "-Mevil", "GCONV_PATH": "/tmp", "RES_OPTIONS": "x", "HOSTALIASES": "/tmp/x",
    "BMTOP_BM_CLI": "/tmp/evil", "SSH_AUTH_SOCK": "/tmp/x", "PS4": "$(id)", "SHELLOPTS": "xtrace", "XMODIFIERS": "x",
    "BASH_FUNC_echo%%": "() { id; }", "TZ": "/tmp/evil", "SASL_PATH": "/tmp", "SASL_CONF_PATH": "/tmp",
    "KRB5_CONFIG": "/tmp/x", "OPENSSL_CONF": "/tmp/x", "SSLKEYLOGFILE": "/tmp/x", "MALLOC_TRACE": "/tmp/x",
}  # fmt: skip
FLOOD = "while :; do echo 0123456789012345678901234567890123456789; done"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


def told(result: Result) -> dict[str, str]:
    found: dict[str, str] = json.loads(result.out)
    return found


def test_a_hostile_environment_reaches_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    seen = Server().run("env").out.decode().splitlines()
    assert sorted(seen) == [
        "HOME=/root" if os.geteuid() == 0 else f"HOME={Path('~').expanduser()}",
        "LC_ALL=C.UTF-8",
        f"PATH={':'.join(SYSTEM_PATH)}",
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "<+0330>-3:30", "EST5EDT,M3.2.0,M11.1.0"])
def test_the_time_zone_goes_along(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    assert f"TZ={zone}" in Server().run("env").out.decode().splitlines()


@pytest.mark.parametrize("zone", ["/etc/shadow", ":/etc/shadow", "../../tmp/x", "a/../../x", "x\ny", ""])
def test_but_no_file_of_the_callers(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    assert b"TZ" not in Server().run("env").out


def test_nor_does_the_callers_folder_mask_or_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    keep = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(keep, True)
    try:
        code = (
            "import json, os; mask = os.umask(0);"
            "fds = os.listdir('/proc/self/fd');"
            "print(json.dumps({'cwd': os.getcwd(), 'mask': oct(mask), 'fds': str(len(fds)), 'sid': str(os.getsid(0)),"
            "'pid': str(os.getpid()), 'ttys': str([os.isatty(n) for n in range(3)])}))"
        )
        seen = told(Server().run(*python(code)))
    finally:
        os.umask(before)
        os.close(keep)
    assert seen["cwd"] == "/"
    assert seen["mask"] == "0o22"
    assert seen["fds"] == "4", "the standard ones, and that of the listing"
    assert seen["sid"] == seen["pid"], "a session of its own: the console's Ctrl-C is not for it"
    assert seen["ttys"] == str([False] * 3)


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=5))
def test_arguments_arrive_as_they_are_without_a_shell(arguments: list[str]) -> None:
    code = "import json, os, sys; print(json.dumps([os.fsdecode(a) for a in sys.argv[1:]]))"
    assert json.loads(Server().run(*python(code), *arguments).out) == arguments


@pytest.mark.parametrize("argument", ["a\0b", "\ud800"])
def test_what_cannot_stand_in_an_argument_list_is_refused_unquoted(argument: str) -> None:
    with pytest.raises(Refused) as caught:
        Server().run("echo", f"--password={argument}")
    assert "password" not in str(caught.value)


def test_programs_are_looked_for_in_absolute_folders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tool").write_text("#!/bin/sh\n")
    Path("tool").chmod(0o755)
    for path in ((".",), ("",), ("bin", "..")):
        with pytest.raises(CommandFailed, match="was not found"):
            Server(path).run("tool")
    with pytest.raises(CommandFailed, match="was not found"):
        Server().run("./tool")


def test_a_command_that_hangs_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"did not end within .* and was stopped"):
        Server().run("sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 1000 & wait", timeout=0.5)
    assert time.monotonic() - began < 60
    leader = int((tmp_path / "pid").read_text())
    left = [pid for pid in processes() if session(pid) == leader]
    assert left == []


def test_a_command_that_floods_is_stopped() -> None:
    with pytest.raises(CommandFailed, match="floods its output"):
        Server().run("sh", "-c", FLOOD, timeout=60, most=100_000)


def test_a_command_that_is_killed_says_so() -> None:
    assert Server().run("sh", "-c", "kill -9 $$").status == -signal.SIGKILL


def test_its_last_words_act_on_no_terminal() -> None:
    result = Server().run("sh", "-c", r"printf 'first\nfatal: \033]0;x\007 \342\200\256no\n' >&2; exit 1")
    assert result.last_words == r"fatal: \x1b]0;x\x07 \u202eno"
    with pytest.raises(CommandFailed) as caught:
        result.check("Do this.")
    assert str(caught.value) == r"sh failed: fatal: \x1b]0;x\x07 \u202eno. Do this."


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session(pid: int) -> int:
    """The session of a process that runs, 0 of one that has ended (proc(5), stat)."""
    try:
        state, _, _, leader = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state in "ZX" else int(leader)


def test_where_the_system_does_not_tell_of_an_end_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_old(pid: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    for _ in range(2):
        assert Server().run("sh", "-c", "echo out; echo err >&2; exit 3").status == 3
        with pytest.raises(CommandFailed, match="did not end within 1 seconds"):
            Server().run("sleep", "60", timeout=1)
        monkeypatch.setattr(os, "pidfd_open", too_old)
    # A Python that was built on such a system does not have it at all.
    monkeypatch.delattr(os, "pidfd_open")
    assert Server().run("sh", "-c", "exit 3").status == 3
