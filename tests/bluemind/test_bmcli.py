"""bm-cli: what it does is done, and what it does not do is said, whatever its exit status says."""

import contextlib
import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.bluemind.bmcli import BmCli, OnlyInArgv
from bmtop.bluemind.passwords import make
from bmtop.bluemind.session import CannotList
from bmtop.bluemind.table import values
from bmtop.checked import Login, Refused
from bmtop.server import CommandFailed, Result, Server
from tests.bluemind.bm_cli_standin import Standin, drawn
from tests.bluemind.core import Core
from tests.bluemind.sampler import until


def failure(done: object) -> str:
    """Return the sentence that `done`, called, fails with: one that a person can use."""
    with pytest.raises(CommandFailed) as failed:
        done()  # type: ignore[operator]
    sentence = str(failed.value)
    assert sentence[0].isupper() or sentence.startswith(("bm-cli", "/"))
    assert sentence.endswith((".", "`."))
    assert len(sentence) < 600
    assert sentence.isprintable()
    return sentence


@pytest.mark.parametrize("old", [False, True])
def test_logout_is_asked_for_as_this_bm_cli_wants_it(
    program: Standin, cli: BmCli, core: Core, jane: Login, old: bool
) -> None:
    program.behave(old=old)
    cli.logout(jane)
    cli.logout(jane)
    assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]
    assert program.calls() == [
        ["user", "logout", "--help"],
        *[["user", "logout", jane if old else f"--email={jane}"]] * 2,
    ]


def test_a_usage_that_says_neither_is_not_guessed_at(program: Standin, cli: BmCli, jane: Login) -> None:
    program.program.write_text("#!/bin/sh\necho 'Usage: bm-cli [COMMAND]' >&2\nexit 2\n")
    assert "does not say how a logout is asked of it" in failure(lambda: cli.logout(jane))


@pytest.mark.parametrize(
    "password",
    [pytest.param(make(), id="made"), "a B\\c\"d'1#", "-Ab1#x", "@Ab1/x#", "--password=A1", "Ab1 # x", "Ab\\u0031\\1"],
)
def test_a_password_is_set_as_it_is_and_for_nobody_else(cli: BmCli, core: Core, jane: Login, password: str) -> None:
    result = cli.set_password(jane, password)
    assert core.can_log_in(jane, password)
    assert core.can_log_in("smith@example.com", "other")
    assert password not in repr(result)
    assert result.command[3] == jane
    assert result.command[4].startswith("@/proc/")
    assert not left_in_memory(password)


def left_in_memory(secret: str) -> list[Path]:
    """Return the files in /dev/shm that hold `secret`."""
    return [path for path in Path("/dev/shm").rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_the_argument_file_has_no_name_and_is_for_nobody_else(program: Standin, cli: BmCli, jane: Login) -> None:
    password, go = make(), program.folder / "go"
    program.behave(waits_for=str(go))
    setting = threading.Thread(target=cli.set_password, args=[jane, password])
    setting.start()
    until(program.calls)
    file = Path(program.calls()[0][3].removeprefix("@"))
    assert password in file.read_text()
    assert str(file.readlink()).startswith("/dev/shm/")
    assert str(file.readlink()).endswith(" (deleted)")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not left_in_memory(password)
    go.touch()
    setting.join()
    assert not file.exists()


def hang(program: Standin) -> None:
    """Put a program in bm-cli's place that notes its arguments and its process id, and never ends."""
    program.program.write_text(
        f"#!/bin/sh\necho $* >{program.folder}/arguments\necho $$ >{program.folder}/pid\nexec sleep 999\n"
    )


def test_nothing_of_the_password_is_left_when_bm_cli_fails(program: Standin, cli: BmCli, jane: Login) -> None:
    hang(program)
    cli.timeout, password = 1, make()
    failure(lambda: cli.set_password(jane, password))
    file = (program.folder / "arguments").read_text().split()[3]
    assert file.startswith("@/proc/")
    assert not Path(file[1:]).exists()
    assert not left_in_memory(password)


def test_without_memory_the_password_is_only_set_by_consent(
    cli: BmCli, program: Standin, core: Core, jane: Login, tmp_path: Path
) -> None:
    cli.memory, password = tmp_path / "no-memory", make()
    with pytest.raises(OnlyInArgv, match="every user of the server would see the password") as refused:
        cli.set_password(jane, password)
    assert password not in str(refused.value)
    assert program.calls() == []
    result = cli.set_password(jane, password, allow_argv=True)
    assert core.can_log_in(jane, password)
    assert result.command[-1] == "--password=…"
    assert password not in repr(result)


def test_a_bm_cli_that_does_not_read_argument_files_sets_nothing(
    program: Standin, cli: BmCli, core: Core, jane: Login
) -> None:
    program.behave(no_expansion=True)
    assert "Unmatched argument" in failure(lambda: cli.set_password(jane, make()))
    assert core.can_log_in(jane, "old")


def test_a_password_that_the_servers_locale_could_change_is_refused(cli: BmCli, jane: Login, program: Standin) -> None:
    with pytest.raises(Refused, match="plain ASCII"):
        cli.set_password(jane, "Grüße-77")
    assert program.calls() == []


def test_an_error_with_exit_status_0_is_an_error(program: Standin, cli: BmCli, core: Core, jane: Login) -> None:
    program.behave(fault="the directory is read-only", warns=True)
    sentence = failure(lambda: cli.set_password(jane, make()))
    assert "ended well, but also: Error handling jane.doe@example.com: the directory is read-only" in sentence
    assert "Take it as not done" in sentence
    assert core.can_log_in(jane, "old")


def test_an_error_that_repeats_the_password_is_told_without_it(program: Standin, cli: BmCli, jane: Login) -> None:
    password = make()
    program.behave(fault="cannot store PASSWORD")
    with pytest.raises(CommandFailed) as failed:
        cli.set_password(jane, password)
    assert "cannot store …" in str(failed.value)
    assert password not in repr(failed.value)
    assert isinstance(failed.value.result, Result)
    assert password not in repr(failed.value.result)


def test_any_other_complaint_with_exit_status_0_is_an_error_too(program: Standin, cli: BmCli, jane: Login) -> None:
    program.behave(says="\x1b[33mHandled 0 entries. 1 entries have been ignored\x1b[m")
    assert "also: Handled 0 entries. 1 entries have been ignored. Take it" in failure(lambda: cli.logout(jane))


def test_what_a_jvm_says_on_every_start_is_no_error(program: Standin, cli: BmCli, core: Core, jane: Login) -> None:
    password = make()
    program.behave(warns=True)
    cli.set_password(jane, password)
    assert core.can_log_in(jane, password)


@pytest.mark.parametrize(
    ("login", "said"),
    [("nobody@example.com", "nobody@example.com"), ("jane.doe@elsewhere.example", "Invalid or unknown domain")],
)
def test_an_unknown_account_is_named_as_that(cli: BmCli, core: Core, login: str, said: str) -> None:
    for action in (lambda: cli.logout(Login(login)), lambda: cli.set_password(Login(login), make())):
        sentence = failure(action)
        assert "BlueMind knows no such account" in sentence
        assert said in sentence
    assert all(core.can_log_in(*known) for known in [("jane.doe@example.com", "old"), ("smith@example.com", "other")])


@pytest.mark.parametrize(
    "everybody", ["all", "example.com", "@example.com", "--all-domains", "@/etc/passwd", "a@b@c.example"]
)
def test_everybody_is_no_login(everybody: str) -> None:
    with pytest.raises(Refused):
        Login(everybody)


def test_a_core_that_is_down_is_named_not_a_line_of_its_stack_trace(program: Standin, cli: BmCli, jane: Login) -> None:
    program.behave(down=True)
    sentence = failure(lambda: cli.logout(jane))
    assert "Connection refused" in sentence
    assert "systemctl status bm-core" in sentence
    assert "at net.bluemind" not in sentence


def test_a_bm_cli_that_is_switched_off_is_named(program: Standin, cli: BmCli, jane: Login, tmp_path: Path) -> None:
    program.behave(disabled=True)
    assert "switched off" in failure(lambda: cli.logout(jane))
    program.behave()
    (tmp_path / "bm-cli.disabled").touch()
    calls = program.calls()
    assert "switched off by" in failure(lambda: cli.logout(jane))
    assert program.calls() == calls


def test_a_bm_cli_that_hangs_is_stopped(program: Standin, cli: BmCli, jane: Login) -> None:
    hang(program)
    cli.timeout = 1
    assert "did not end within 1 seconds and was stopped" in failure(lambda: cli.logout(jane))
    process = (program.folder / "pid").read_text().strip()
    assert not Path(f"/proc/{process}").exists()


def test_a_bm_cli_that_dies_is_named(program: Standin, cli: BmCli, jane: Login) -> None:
    cli.logout(jane)
    program.program.write_text("#!/bin/sh\nkill -9 $$\n")
    assert "was ended by signal 9" in failure(lambda: cli.logout(jane))


def test_a_launcher_that_complains_on_standard_output_is_quoted(program: Standin, cli: BmCli, jane: Login) -> None:
    cli.logout(jane)
    program.program.write_text("#!/bin/sh\necho 'equinox jar not found ().'\nexit 1\n")
    assert "equinox jar not found" in failure(lambda: cli.logout(jane))


def test_a_missing_bm_cli_is_named(cli: BmCli, jane: Login) -> None:
    assert cli.exists()
    cli.program = "/no/such/bm-cli"
    assert not cli.exists()
    assert "/no/such/bm-cli was not found" in failure(lambda: cli.logout(jane))


def test_a_flood_of_output_ends_in_one_sentence(program: Standin, cli: BmCli, jane: Login) -> None:
    program.behave(floods=20_000)
    cli.logout(jane)
    program.behave(floods=20_000, says="x" * 5_000_000)
    assert "ended well, but also: xxx" in failure(lambda: cli.logout(jane))


def test_control_characters_in_an_error_do_nothing(program: Standin, cli: BmCli, jane: Login) -> None:
    program.behave(says="\x1b]0;title\x07\x1b[31m\x1b[2Jred\u202e\x9b[/red]")
    sentence = failure(lambda: cli.logout(jane))
    assert "\\x1b]0;title\\x07red\\u202e\\x9b[/red]" in sentence


def test_one_bm_cli_at_a_time(program: Standin, tmp_path: Path, jane: Login) -> None:
    clis = [BmCli(Server(), str(program.program), folder=tmp_path / "state", timeout=60) for _ in range(3)]
    threads = [threading.Thread(target=cli.logout, args=[jane]) for cli in [*clis, *clis]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = program.log()
    assert len(log) >= 2 * (6 + 3)
    for (began, process), (ended, same) in zip(log[::2], log[1::2], strict=True):
        assert (began[0], ended, process) == ("[", "end", same)


def test_another_bm_cli_is_waited_for_but_not_for_ever(cli: BmCli, program: Standin, jane: Login) -> None:
    cli.logout(jane)
    assert cli.folder is not None
    with open(cli.folder / "bm-cli.lock") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        cli.timeout = 0.2
        assert "Another bmtop is still running bm-cli" in failure(lambda: cli.logout(jane))
        cli.timeout = 30
        calls = len(program.calls())
        waiting = threading.Thread(target=cli.logout, args=[jane])
        waiting.start()
        until(lambda: held_open(other.name) == 2)
        assert len(program.calls()) == calls
    waiting.join()
    assert len(program.calls()) == calls + 1


def held_open(name: str) -> int:
    """Return how often this process has the file open."""
    links = []
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{entry}"))
    return links.count(name)


def test_a_lock_that_cannot_be_made_is_named(cli: BmCli, jane: Login, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cli.folder = tmp_path / "file"
    assert "cannot be opened" in failure(lambda: cli.logout(jane))
    cli.folder = tmp_path
    (tmp_path / "bm-cli.lock").symlink_to(tmp_path / "elsewhere")
    assert "cannot be opened" in failure(lambda: cli.logout(jane))
    assert not (tmp_path / "elsewhere").exists()


def test_sessions_are_listed(cli: BmCli, core: Core, jane: Login) -> None:
    sessions = cli.sessions("example.com")
    assert [(s.email, s.user_uid, s.origin, s.created) for s in sessions] == [
        ("jane.doe@example.com", "UID-1", "webmail", 1700000000.0),
        ("jane.doe@example.com", "UID-1", "eas", 1700000001.0),
        ("smith@example.com", "UID-2", "webmail", 1700000002.0),
    ]
    assert sessions[0].addresses == ("198.51.100.7", "127.0.0.1")
    core.change(sessions=[["UID-9", "webmail", 0]])
    assert [session.email for session in cli.sessions("alias.example")] == [""]
    assert cli.uid(Login("jd@alias.example")) == "UID-1"


def test_an_old_bm_cli_cannot_list_sessions(program: Standin, cli: BmCli) -> None:
    program.behave(old=True)
    with pytest.raises(CannotList, match="too old to list sessions"):
        cli.sessions("example.com")


def test_sessions_are_only_asked_for_a_domain(cli: BmCli, program: Standin) -> None:
    with pytest.raises(Refused, match="is not a domain"):
        cli.sessions("@/etc/passwd")
    assert program.calls() == []


@pytest.mark.parametrize("answer", ["no JSON", '{"a": 1}', "[1]", '[{"created": "x"}]', '[{"remoteAddresses": 5}]', ""])
def test_a_list_of_sessions_that_is_none_is_said_to_be_none(
    program: Standin, cli: BmCli, jane: Login, answer: str
) -> None:
    cli.logout(jane)
    program.program.write_text(f"#!/bin/sh\ncat <<'E'\n{answer}\nE\n")
    assert "JSON" in (sentence := failure(lambda: cli.sessions("example.com"))) or "not in the form" in sentence


def test_the_trusted_networks_are_read_and_set(cli: BmCli, core: Core) -> None:
    assert cli.mynetworks() == "127.0.0.0/8, 192.0.2.0/24"
    many = ", ".join(f"198.51.100.{n}" for n in range(60))
    result = cli.set_mynetworks(many)
    assert result.command[1:] == ("sysconf", "set", "mynetworks", f"--value={many}")
    assert cli.mynetworks() == core.load()["sysconf"]["mynetworks"]
    core.change(sysconf={})
    assert cli.mynetworks() == ""


def test_networks_that_bluemind_does_not_take_are_an_error(cli: BmCli) -> None:
    assert "Invalid mynetworks: nonsense!" in failure(lambda: cli.set_mynetworks("nonsense!"))


words = st.text("abc.,:/|0123456789", min_size=1, max_size=50)
settings = st.lists(words, min_size=1, max_size=60).map(" ".join) | st.text("0123456789./,", min_size=1, max_size=400)


@given(st.dictionaries(st.text("abc_", min_size=1, max_size=12), settings, max_size=5))
def test_a_setting_is_read_from_the_table_as_it_is_however_long(setting: dict[str, str]) -> None:
    assert values(drawn(setting)) == setting
