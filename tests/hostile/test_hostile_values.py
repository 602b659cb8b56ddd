"""No hostile value reaches a command as an option, as everybody, as a path or as a second word.

Judged by stand-ins of every program, which note what they were called with, while every command and every key is
tried on what an attacker named.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bmtop import config
from bmtop.cli import main
from bmtop.commands import reader_and_responder
from bmtop.console.app import BmtopApp
from bmtop.server import SYSTEM_PATH
from tests.console.desk import User
from tests.hostile.attack import HOSTILE, Attack, logins, play, quoted
from tests.hostile.programs import BMTOP, on
from tests.hostile.recorder import Call, Recorder
from tests.mailserver import Postfix, played

# What bmtop itself says to each program, besides the configuration's folder.
OWN = {
    "postqueue": {"-j"},
    "postsuper": {"-d", "-h", "-H", "-s", "-", "hold"},
    "postcat": {"-eq", "-ehq"},
    "postconf": {"-x", "-h", "-o", "-e", "-P", "-n", "-d", "mynetworks"},
    "postmap": {"-s", "-q", "-"},
    "postfix": {"reload"},
    "ip": {"-j", "address", "show"},
    "ss": {"-tanHe", "-KtnH"},
    "systemctl": {"restart", "bm-ysnp"},
    "bm-cli": {"user", "logout", "update", "get", "sessions", "--help", "--json", "--display=uid", "sysconf", "list"},
}
VALUES = {
    "postcat": re.compile(r"[0-9A-Za-z]{6,40}"),
    "postconf": re.compile(r"[a-z_]+|mynetworks=[0-9a-f.:/, \[\]]*"),
    "postmap": re.compile(r"[a-z]+:/[\w./-]+"),
    "ss": re.compile(r"\( src \S+ and dst \S+ \)( or \( src \S+ and dst \S+ \))*"),
    "bm-cli": re.compile(r"(--email=)?[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+|--domain=[\w.-]+|@/proc/\d+/fd/\d+", re.ASCII),
}
LOGINS = (
    "all", "ALL", "example.com", "@example.com", "@/etc/passwd", "-x@example.com", "--help", "a@b\n--all", "a b@c", "",
    "a@-b", "*@example.com x", "a@b,c@d", '"a"@b', "a@b;id", "$(id)", "alice@example.com\0", "\u0430lice@example.com",
)  # fmt: skip
IDS = (
    "ALL",
    "all",
    "-d",
    "-",
    "deferred",
    "../x",
    "ABCDEF\nALL",
    "ABCDEF ALL",
    "",
    "*",
    "\uff21\uff22\uff23\uff24\uff25\uff26",
)
ADDRESSES = (
    "-d", "all", "0.0.0.0/0 ", "fe80::1%\nALL", "fe80::%-x/64", "!192.0.2.1", "/etc/passwd", "hash:/x", "", "[::1]",
    "192.0.2.1\n203.0.113.0/24", "$mydomain",
)  # fmt: skip


@pytest.fixture
def hostile_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "ENV", "IFS", "MAIL_CONFIG", "JAVA_TOOL_OPTIONS", "PATH"):
        monkeypatch.setenv(name, f"/tmp/hostile/{name}")


@pytest.fixture(scope="module")
def attack() -> Iterator[Attack]:
    with Postfix.temporary(users=logins(), settings={"line_length_limit": "4096"}) as postfix:
        yield play(postfix)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def assert_harmless(call: Call, etc: Path) -> None:
    """Fail unless every argument is bmtop's own word, or a value of the one form that belongs there."""
    arguments = list(call.arguments)
    if arguments[:1] == ["-c"]:
        assert arguments[1] == str(etc)
        del arguments[:2]
    for argument in arguments:
        assert "\n" not in argument
        assert argument.lower() not in ("all", "alice", "example.com")
        form = VALUES.get(call.program)
        own = argument in OWN[call.program]
        assert own or (form is not None and form.fullmatch(argument)), f"{call.program} was given {argument!a}"
    if call.program == "postsuper" and "-" in arguments:
        assert re.fullmatch(rb"([0-9A-Za-z]{6,40}\n)+", call.given), call.given
        assert b"ALL" not in call.given.split()
    assert sorted(set(call.environment) - {"PWD", "SHLVL", "_", "OLDPWD"}) == ["HOME", "LC_ALL", "PATH"]
    assert call.environment["PATH"] == ":".join(SYSTEM_PATH)


@pytest.mark.usefixtures("hostile_environment")
def test_no_command_passes_a_hostile_value_on(attack: Attack, recorder: Recorder) -> None:
    before = played(attack.postfix)
    commands: list[tuple[str, ...]] = []
    for login in LOGINS:
        commands += [("logout", login), ("passwd", login, "--make")]
    for id in IDS:
        commands += [(action, f"--id={id}", "--yes") for action in ("purge", "hold", "release")]
        commands += [("undo", "--yes", "--", id)]
    for address in ADDRESSES:
        commands += [("untrust", "--yes", "--", address), ("known", "--", address), ("hold", f"--client={address}")]
    for login in ("all", "ALL", "-d", "*", "example.com", "@example.com", "alice"):
        commands.append(("purge", f"--login={login}", "--dry-run"))
        commands.append(("purge", f"--sender={login}", "--yes"))
    for kind in ("override", "c1", "markup", "long", "bar"):
        for action in ("hold", "release", "purge"):
            commands.append((action, "--sender", quoted(kind, HOSTILE[kind][:60]), "--yes"))
        commands.append(("undo", "--yes"))
    for command in commands:
        with suppress(SystemExit):
            main([*on(attack.postfix, "--config", str(recorder.settings))[len(BMTOP) :], *command])
    calls = recorder.calls()
    for call in calls:
        assert_harmless(call, attack.postfix.etc)
    assert {"postqueue", "postsuper", "postcat", "postconf"} <= {call.program for call in calls}
    assert played(attack.postfix) == before, "what was purged for its sender is back, and nothing else was touched"


async def back(user: User) -> None:
    """Wait until the key has opened something, and nothing is under way; then close all of it."""
    await user.when(lambda: len(user.app.screen_stack) > 1 or bool(user.app._notifications), "the key does something")
    while len(user.app.screen_stack) > 1:
        await user.press("escape")
    user.app.clear_notifications()


async def test_no_key_passes_a_hostile_value_on(attack: Attack, recorder: Recorder, tmp_path: Path) -> None:
    before = played(attack.postfix)
    flags = {"postfix": str(attack.postfix.etc), "log": str(attack.postfix.log), "state": str(tmp_path / "state")}
    settings = config.load({**flags, "window": "1h"}, {}, recorder.settings)
    monitor, responder = reader_and_responder(settings)
    app = BmtopApp(monitor, responder, title="mail", folder=tmp_path)
    async with app.run_test(size=(160, 60)) as pilot:
        user = User(app, pilot)
        await user.sees(r"alice@example\.com +40")
        for pane, rows in enumerate((6, 1, 1)):
            if pane:
                await user.press("tab")
            await user.press("home")
            for _ in range(rows):
                for keys in (("l",), ("p",), ("t",), ("c",), ("k",), ("d",), ("h", "y")):
                    await user.press(*keys)
                    await back(user)
                await user.press("down")
        await user.press("q")
    calls = recorder.calls()
    for call in calls:
        assert_harmless(call, attack.postfix.etc)
    assert any(call.arguments[2:] == ("-h", "-") for call in calls), "what a hostile login sent was held, by its ids"
    assert played(attack.postfix) == before
