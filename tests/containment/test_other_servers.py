"""Accounts on a server that is no BlueMind: Dovecot as it is, and what the settings name."""

import imaplib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmtop import config
from bmtop.checked import Login, Refused
from bmtop.postfix.instance import Postfix
from bmtop.response.other_servers import READY, AccountCommands, OtherServer, account_commands
from bmtop.response.responder import Responder
from bmtop.server import SYSTEM_PATH, CommandFailed, Server
from tests.bluemind.sampler import sampling, until
from tests.containment import dovecot
from tests.containment.dovecot import Dovecot, is_open

ALICE, BOB, ERIN = (Login(f"{name}@example.com") for name in ("alice", "bob", "erin"))


@pytest.fixture(scope="module")
def imap() -> Iterator[Dovecot]:
    # Its sockets' names are limited in length, and its users must get through.
    folder = Path(tempfile.mkdtemp(prefix="bmtop-dovecot-"))
    folder.chmod(0o755)
    with dovecot.running(folder, {ALICE: "Right-1", BOB: "Right-2", ERIN: "Right-3"}) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture
def server(imap: Dovecot) -> Server:
    return Server((str(imap.programs), *SYSTEM_PATH))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def program(folder: Path, name: str, text: str) -> str:
    """Make a program, as an administrator would who has one for this."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def other(**commands: list[str] | bool | str) -> OtherServer:
    found = account_commands(commands)
    assert found is not None
    return OtherServer(Server(), found)


def test_dovecot_logs_one_account_out(imap: Dovecot, server: Server) -> None:
    hers, more, his = imap.log_in(ALICE, "Right-1"), imap.log_in(ALICE, "Right-1"), imap.log_in(BOB, "Right-2")
    until(lambda: sorted(imap.who()) == [ALICE, ALICE, BOB])
    dovecots = OtherServer(server, READY["dovecot"])
    answer = dovecots.logout(ALICE)
    assert (answer.ok, answer.sentence) == (True, "2 sessions were open, none is now.")
    assert answer.command == ("doveadm", "kick", ALICE)
    assert [is_open(session) for session in (hers, more, his)] == [False, False, True]
    assert imap.who() == [BOB]
    assert dovecots.logout(ALICE).sentence == "No session was open, and none is."
    assert len(dovecots.sessions(BOB)) == 1


def test_a_login_that_doveadm_takes_for_a_pattern_is_refused(imap: Dovecot, server: Server) -> None:
    session = imap.log_in(ALICE, "Right-1")
    until(lambda: ALICE in imap.who())
    dovecots = OtherServer(server, READY["dovecot"])
    for pattern in ("*@example.com", "al?ce@example.com"):
        for action in (dovecots.logout, dovecots.sessions):
            with pytest.raises(Refused, match="may stand for many accounts"):
                action(Login(pattern))
    assert is_open(session)


def test_dovecots_cache_is_flushed_for_the_account(imap: Dovecot, tmp_path: Path) -> None:
    settings = config.Settings(accounts=READY["dovecot"], path=(str(imap.programs), *SYSTEM_PATH), state=tmp_path)
    responder = Responder(settings, Postfix(Server(settings.path)))
    done = responder.empty_cache(ALICE)
    assert done.ok
    assert done.command == ("doveadm", "auth", "cache", "flush", ALICE)


def test_a_dovecot_that_does_not_run_is_said_so(imap: Dovecot, folder: Path) -> None:
    program(folder, "doveadm", f'exec {imap.programs}/doveadm -o base_dir={folder}/nothing "$@"')
    with pytest.raises(CommandFailed, match=r"^doveadm failed: .*See whether the mail server runs"):
        OtherServer(Server((str(folder), *SYSTEM_PATH)), READY["dovecot"]).logout(ALICE)


def test_a_new_password_is_given_on_standard_input_and_shown_nowhere(imap: Dovecot, folder: Path) -> None:
    """The program waits until a sampler has looked at every process once; it has no process for what it does."""
    go, waits = folder / "go", folder / "waits"
    change = program(
        folder,
        "set-password",
        f"read -r new; touch {waits}; while [ ! -e {go} ]; do sleep 0.01; done\n"
        "while IFS=: read -r name rest; do\n"
        f'[ "$name" != "$1" ] || rest="{{PLAIN}}$new:65534:65534::{imap.folder}/mail::"\n'
        'printf "%s:%s\\n" "$name" "$rest"\n'
        f"done <{imap.folder}/users >{imap.folder}/users.new\n"
        f"mv {imap.folder}/users.new {imap.folder}/users",
    )
    shutil.copy(imap.folder / "users", imap.folder / "users.new")
    (imap.folder / "users.new").chmod(0o644)
    server = other(password=[change, "{login}"], password_stdin=True)
    password = "Kd7w-mQx3-Rv9t-Hn4p"
    with sampling(password) as sampler:
        setting = threading.Thread(target=server.set_password, args=[ERIN, password])
        setting.start()
        until(waits.exists)
        sampler.wait_for_a_look()
        go.touch()
        setting.join()
    assert sampler.seen == set()
    until(lambda: can_log_in(imap, password))
    assert is_open(imap.log_in(BOB, "Right-2"))


def can_log_in(imap: Dovecot, password: str) -> bool:
    try:
        return is_open(imap.log_in(ERIN, password))
    except imaplib.IMAP4.error:
        return False


def test_what_the_program_repeats_of_the_password_is_not_shown(folder: Path) -> None:
    repeats = program(folder, "repeats", 'read -r new; echo "bad password: $new" >&2; exit 3')
    with pytest.raises(CommandFailed) as failed:
        other(password=[repeats], password_stdin=True).set_password(ALICE, "Kd7w-mQx3-Rv9t-Hn4p")
    assert "bad password: …" in str(failed.value)
    assert "Kd7w" not in f"{failed.value!r}{failed.value.result}"


def test_standard_input_may_have_a_form_of_its_own(folder: Path) -> None:
    cat = program(folder, "keep", f"cat >{folder}/given")
    other(password=[cat], password_stdin="{login}:{password}\n").set_password(ALICE, "{login}-Secret-1")
    assert (folder / "given").read_text() == "alice@example.com:{login}-Secret-1\n"


def test_arguments_reach_the_program_as_they_are(folder: Path) -> None:
    """No shell is between: what a shell would make something of is only text."""
    show = program(folder, "show", f'for word; do echo "<$word>"; done >{folder}/said')
    login = Login("$HOME`id`|{domain}'&@example.com")
    other(suspend=[show, "-u{local}", "--", "{login}", "at {domain}", "{}"]).suspend(login)
    local = "$HOME`id`|{domain}'&"
    assert (folder / "said").read_text() == f"<-u{local}>\n<-->\n<{login}>\n<at example.com>\n<{{}}>\n"


def test_what_the_settings_do_not_name_is_said(folder: Path) -> None:
    server = other(logout=[program(folder, "true", "exit 0")])
    assert "whether a session is left was not seen" in server.logout(ALICE).sentence
    for action in (server.suspend, server.reactivate, lambda login: server.set_password(login, "Kd7w-mQx3-Rv9t")):
        with pytest.raises(Refused, match="The settings name no"):
            action(ALICE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('accounts = "courier"', "no ready set 'courier'"),
        ("accounts = 3", "neither a name nor a table"),
        ('[accounts]\nlike = "dovecot"\nkick = ["x"]', "no action 'kick'"),
        ('[accounts]\nlogout = "doveadm kick {login}"', "a command is a list"),
        ("[accounts]\nlogout = []", "a command is a list"),
        ('[accounts]\nlogout = ["doveadm", "{user}"]', "names {user}; known are {login}, {local}, {domain}"),
        ('[accounts]\nlogout = ["{login}"]', "own name is fixed"),
        (
            '[accounts]\npassword = ["pw", "{login}", "{password}"]\npassword_stdin = true',
            "could be read by every user",
        ),
        ('[accounts]\npassword = ["pw", "{login}"]', "needs password_stdin"),
        ('[accounts]\npassword = ["pw", "{login}"]\npassword_stdin = "no"', "password_stdin is true, or a text"),
        ('sasl_restart = "systemctl restart saslauthd"', "a command is a list"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "bmtop.toml"
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        config.load({}, {}, file)
    assert why in str(refused.value)


def test_a_ready_set_can_be_completed(tmp_path: Path) -> None:
    file = tmp_path / "bmtop.toml"
    file.write_text('[accounts]\nlike = "dovecot"\npassword = ["set-it", "{login}"]\npassword_stdin = true\n')
    found = config.load({}, {}, file).accounts
    assert found == AccountCommands(
        logout=("doveadm", "kick", "{login}"),
        sessions=("doveadm", "-f", "flow", "who", "-1", "{login}"),
        cache=("doveadm", "auth", "cache", "flush", "{login}"),
        password=("set-it", "{login}"),
        password_stdin="{password}\n",
    )
    assert config.load({}, {"BMTOP_ACCOUNTS": "dovecot"}).accounts == READY["dovecot"]
    assert config.load({}, {"BMTOP_ACCOUNTS": "bluemind"}).accounts is None
