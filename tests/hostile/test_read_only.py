"""--read-only: every action, every command and every key is tried, and nothing changes, and no file is written.

Judged by the queue files' bytes, mynetworks, BlueMind's stand-in, the trees of files, and by the system calls.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding

from bmtop import cli, config
from bmtop.checked import Client, Login, Refused
from bmtop.commands import reader_and_responder
from bmtop.console.acting import Acting
from bmtop.console.app import BmtopApp
from bmtop.console.overview import Overview
from bmtop.incident.selection import Filter, select
from bmtop.response.plan import Plan, no_progress
from bmtop.response.responder import Responder
from tests.bluemind.bm_cli_standin import Standin
from tests.console.desk import User
from tests.hostile.programs import BMTOP, below, on, run
from tests.hostile.pty import Pty
from tests.mailserver import Player, Postfix, incident
from tests.mailserver.postfix import run as ask

ALICE, JANE, RELAY = "alice@example.com", "jane.doe@example.com", "192.0.2.66"
# What changes nothing: looking, and what only prepares an action that is then refused.
LOOKS = {
    "read_only", "undos", "subjects", "with_subject", "make_password", "planned", "cache_command", "connections",
    "keep_holding", "lookout", "runbook", "prepare_untrust", "prepare_trust_again", "journal", "unfinished", "accounts",
    "known_relays",
}  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A server in the middle of an incident on which much was done before; `seen` is all that could change."""

    postfix: Postfix
    bluemind: Standin
    elsewhere: Path
    settings: Path

    def options(self) -> list[str]:
        return [*on(self.postfix)[len(BMTOP) :], "--config", str(self.settings), "--read-only", "--window=1h"]

    def seen(self) -> dict[str, object]:
        folders = (
            self.postfix.etc,
            self.postfix.folder / "state",
            self.elsewhere,
            Path("/dev/shm"),
            Path("/run/bmtop"),
        )
        return {
            "queue": {id: (path.parent.name, path.read_bytes()) for id, path in self.postfix.files().items()},
            "copies": tree(self.postfix.spool / "bmtop-undo"),
            "mynetworks": ask("postconf", "-c", str(self.postfix.etc), "mynetworks").stdout,
            "bluemind": self.bluemind.core.load(),
            "files": {str(folder): tree(folder) for folder in folders},
        }


def tree(folder: Path) -> dict[str, tuple[int, ...]]:
    """All that is in a folder, with what changes when it is written to."""
    found: dict[str, tuple[int, ...]] = {}
    for parent, names, files in os.walk(folder):
        for name in (*names, *files, "."):
            stat = os.lstat(Path(parent, name))
            found[f"{parent}/{name}"] = (stat.st_ino, stat.st_mtime_ns, stat.st_size, stat.st_mode, stat.st_uid)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Postfix.temporary() as postfix, tempfile.TemporaryDirectory(prefix="bmtop-test-") as name:
        incident(Player(postfix), 60)
        bluemind = Standin(postfix.folder)
        elsewhere = Path(name)
        for place in ("home", "tmp", "here"):
            (elsewhere / place).mkdir()
        settings = postfix.folder / "bmtop.toml"
        settings.write_text(
            f'bm_cli = "{bluemind.program}"\nbm_token = "{postfix.folder}/no-key"\nsasl_restart = ["false"]\n'
        )
        for command in (("hold", "--login=bob@example.com", "--yes"), ("purge", "--login=carol@example.com", "--yes")):
            assert run(on(postfix, "--config", str(settings), *command)).returncode == 0
        yield Server(postfix, bluemind, elsewhere, settings)


@pytest.fixture
def responder(server: Server) -> Responder:
    return reader_and_responder(settings_of(server))[1]


def settings_of(server: Server) -> config.Settings:
    flags = {
        "postfix": str(server.postfix.etc), "log": str(server.postfix.log), "read_only": True, "window": "1h",
        "state": str(server.postfix.folder / "state"),
    }  # fmt: skip
    return config.load(flags, {}, server.settings)


def test_every_action_is_refused(server: Server, responder: Responder) -> None:
    before = server.seen()
    monitor, _ = reader_and_responder(settings_of(server))
    queue = monitor.read_queue()
    wanted = Filter(login=ALICE)
    messages = select(queue.values(), wanted, monitor.accounts)
    held = tuple(message for message in queue.values() if message.queue == "hold")
    assert messages
    assert held
    undo = responder.undos()[0].undo
    entry = responder.journal(10)[0]
    client = Client(RELAY)
    actions: Mapping[str, Callable[[], object]] = {
        "purge": lambda: responder.purge(Plan("purge", wanted, messages), no_progress),
        "hold": lambda: responder.hold(Plan("hold", wanted, messages), no_progress),
        "release": lambda: responder.release(Plan("release", Filter(ids=(held[0].id,)), held), no_progress),
        "undo": lambda: responder.undo(undo, no_progress),
        "logout": lambda: responder.logout(Login(JANE)),
        "set_password": lambda: responder.set_password(Login(JANE), "Fresh-Word-77"),
        "suspend": lambda: responder.suspend(Login(JANE)),
        "reactivate": lambda: responder.reactivate(Login(JANE)),
        "empty_cache": lambda: responder.empty_cache(ALICE),
        "end_connections": lambda: responder.end_connections(wanted),
        "note": lambda: responder.note("contain", ALICE, "x", ok=True),
        "change_trust": lambda: responder.change_trust(responder.prepare_untrust(client)),
        "mark_known": lambda: responder.mark_known(client),
        "unmark_known": lambda: responder.unmark_known(client),
        "finish": lambda: responder.finish(entry, no_progress),
        "take_back": lambda: responder.take_back(entry, no_progress),
        "leave": lambda: responder.leave(entry),
    }
    public = {name for name in dir(responder) if not name.startswith("_")}
    assert public - LOOKS == set(actions), "each method is known to look, or is tried here"
    for action in actions.values():
        with pytest.raises(Refused, match="read-only"):
            action()
    with pytest.raises(Refused, match="read-only"):
        responder.keep_holding(wanted).begin()
    steps = responder.runbook(lambda: queue.values(), login=ALICE)
    for step in steps.steps:
        if step.name != "watch":
            assert steps.run(step.name).state != "done"
    assert server.seen() == before


COMMANDS: Mapping[str, list[list[str]]] = {
    "report": [["report"], ["report", "--json"]],
    "check": [["check"]],
    "purge": [
        ["purge", f"--login={ALICE}", "--yes"],
        ["purge", f"--login={ALICE}", "--dry-run"],
        ["purge", "--finish"],
    ],
    "hold": [["hold", f"--login={ALICE}", "--yes"], ["hold", f"--login={ALICE}", "--follow", "--yes"]],
    "release": [["release", "--login=bob@example.com", "--yes"], ["release", "--finish", "--yes"]],
    "undo": [["undo", "--yes"], ["undo", "--list"]],
    "logout": [["logout", JANE]],
    "passwd": [["passwd", JANE, "--make"]],
    "untrust": [["untrust", RELAY, "--yes"], ["untrust", RELAY, "--dry-run"], ["untrust", "--undo", "--yes"]],
    "known": [["known", RELAY], ["known"], ["known", "--forget", RELAY]],
}
ALL_OF_THEM = """
import sys
from bmtop.cli import main
for command in {commands!r}:
    try:
        status = main([*{options!r}, *command])
    except SystemExit as end:
        status = end.code
    print("status", command[0], status, flush=True)
"""
WRITES = (
    "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,"
    "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,mknod,mknodat,utimensat,setxattr,fsetxattr"
)


def traced(server: Server, command: list[str], trace: Path) -> list[str]:
    """The command under strace(1), with folders of its own to write to."""
    assert subprocess.run(["strace", "-V"], capture_output=True).returncode == 0, "apt-get install strace"
    return ["strace", "-ff", "-qq", "-o", str(trace), "-e", f"trace={WRITES}", "-e", "signal=none", *command]


def surroundings(server: Server) -> dict[str, str]:
    return {
        "HOME": f"{server.elsewhere}/home", "TMPDIR": f"{server.elsewhere}/tmp", "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": f"{server.elsewhere}/home/cache", "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }  # fmt: skip


def written(trace: Path) -> list[str]:
    """The system calls that changed something on a file system.

    Terminals and /dev/null are no files, and what bm-cli's stand-in notes of its calls is not bmtop's.
    """
    calls = [
        call for part in trace.parent.glob(f"{trace.name}.*") for call in part.read_text(errors="replace").splitlines()
    ]
    assert len(calls) > 100, "strace sees it"
    return [call for call in calls if not re.search(r"= -1 E", call) and _writes(call)]


def _writes(call: str) -> bool:
    if re.match(r"open(at)?\(", call) and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call):
        return False
    return not re.search(r'"(/dev/(null|tty|pts/\d+)|/proc/(self|\d+)/[^"]*|[^"]*/calls)"', call)


def test_every_command_is_refused_or_only_looks(server: Server, tmp_path: Path) -> None:
    parser = cli._parser()
    known = next(action.choices for action in parser._actions if isinstance(action.choices, dict))
    assert set(known) == set(COMMANDS), "each command is tried here"
    before = server.seen()
    commands = [command for several in COMMANDS.values() for command in several]
    program = ALL_OF_THEM.format(commands=commands, options=server.options())
    trace = tmp_path / "trace"
    done = subprocess.run(
        traced(server, [sys.executable, "-c", program], trace),
        cwd=server.elsewhere / "here", env={**os.environ, **surroundings(server)}, input="",
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    statuses = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("status ")]
    assert len(statuses) == len(commands), done.stdout
    looks = {"report", "check"}
    assert {name for name, status in statuses if status == "0"} <= {*looks, "purge", "undo", "untrust", "hold"}
    assert done.stderr.count("read-only") >= 10
    assert "itself failed" not in done.stderr
    assert written(trace) == []
    assert server.seen() == before


def test_the_console_writes_no_file(server: Server, tmp_path: Path) -> None:
    before = server.seen()
    trace = tmp_path / "trace"
    command = traced(server, [*BMTOP, *server.options()], trace)
    with Pty.running(command, environment=surroundings(server), folder=server.elsewhere / "here") as pty:
        pty.wait_for(rb"alice@example\.com +\d+")
        for key, seen in (("e", b"start it without"), ("S", b"start it without"), ("?", b"Everywhere")):
            pty.press_until(key, seen)
        pty.press_until("\x1b", b"Relay clients")
        pty.press_until("d", b"messages? chosen")
        pty.press_until("y", b"read-only")
        pty.press_until("\x1b", b"Relay clients")
        os.kill(min(below(pty.program.pid)), signal.SIGTERM)
        assert pty.ended() == 128 + signal.SIGTERM
    assert written(trace) == []
    assert server.seen() == before


def keys(*places: type[Any]) -> set[str]:
    """All keys that are bound in these places and do something."""
    return {b.key for place in places for b in place.BINDINGS if isinstance(b, Binding) and b.action != "quit"}


async def test_every_key_is_refused_or_only_looks(server: Server) -> None:
    before = server.seen()
    monitor, responder = reader_and_responder(settings_of(server))
    folder = server.elsewhere / "here"
    app = BmtopApp(monitor, responder, title="mail", folder=folder, export=lambda *_: pytest.fail("it exports"))
    async with app.run_test(size=(160, 60)) as pilot:
        user = User(app, pilot)
        await user.sees(rf"{ALICE} +\d+")
        for pane in range(2):
            await user.press(*["tab"] * pane)
            for key in sorted(keys(Acting, Overview, BmtopApp) - {"tab", "shift+tab", "escape"}):
                await user.press("home", key)
                await pilot.pause(0.2)
                for confirm in ("y", "enter", "tab", "enter"):
                    if len(app.screen_stack) > 1:
                        await user.press(confirm)
                        await pilot.pause(0.1)
                while len(app.screen_stack) > 1:
                    await user.press("escape")
                    await pilot.pause()
                if app.focused is not None and app.focused.id == "needle":
                    await user.press("escape")
    assert server.seen() == before
