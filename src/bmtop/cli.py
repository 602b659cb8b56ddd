"""The command line: reads arguments, calls one function."""

import argparse
import gc
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bmtop import __version__, commands, config, fault, holding, relaying
from bmtop.checked import Client, Login, QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.selection import Filter, network
from bmtop.output import behind_border
from bmtop.server import CommandFailed
from bmtop.spans import moment, seconds
from bmtop.visible import visible

_SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--log", {"metavar": "FILE", "help": "the mail log (default: the system's)"}),
    ("--postfix", {"metavar": "DIR", "help": "Postfix's configuration directory, as its -c option"}),
    ("--window", {"metavar": "SPAN", "help": "what the panes cover: 90s, 15m, 1h, 7d (default 15m)"}),
    ("--threshold", {"metavar": "N", "help": "queued messages from which on it is an alarm (default 200)"}),
    ("--read-only", {"action": "store_true", "help": "look, and change nothing"}),
    ("--mask", {"action": "store_true", "help": "hide the local parts of addresses, for a shared screen"}),
    ("--config", {"metavar": "FILE", "help": "the settings file (TOML)"}),
    ("--state", {"metavar": "DIR", "help": "journal and lock (default /var/lib/bmtop)"}),
    ("--bm-cli", {"metavar": "PATH", "help": "BlueMind's command (default /usr/bin/bm-cli)"}),
    ("--bm-api", {"metavar": "URL", "help": "BlueMind's REST service"}),
    ("--bm-token", {"metavar": "FILE", "help": "the key for it (default /etc/bm/bm-core.tok)"}),
    ("--bm-ca", {"metavar": "FILE", "help": "the certificate of one's own authority, for a URL with https"}),
    ("--demo", {"action": "store_true", "help": "a made-up incident on a toy mail server; needs nothing"}),
)
_NOT_SETTINGS = ("config", "demo")
# Adds a subcommand: its name, what it does in words, and the parsers whose options it has as well.
_Command = Callable[..., argparse.ArgumentParser]
# What monitoring plugins end with where they cannot tell.
_UNKNOWN = 3


def _checked(make: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return an argparse type whose error is the sentence of `Refused`."""

    def check(text: str) -> Any:
        try:
            return make(text)
        except Refused as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return check


def _options() -> argparse.ArgumentParser:
    """Return the options that stand before or after the subcommand."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for flag, how in _SETTINGS:
        options.add_argument(flag, **how)
    return options


def _filters() -> argparse.ArgumentParser:
    filters = argparse.ArgumentParser(add_help=False)
    group = filters.add_argument_group("filter", "all exact; several must all hold")
    group.add_argument("--login", metavar="L", help="sent with this login, in any form of the account")
    group.add_argument("--without-login", action="store_true", help="sent without any login; not with --login")
    group.add_argument("--client", metavar="ADDR", action="append", type=_checked(network), default=[],
                       help="handed in by this address or range; again for more")  # fmt: skip
    group.add_argument("--not-client", metavar="ADDR", action="append", type=_checked(network), default=[],
                       help="but not by this one")  # fmt: skip
    group.add_argument("--sender", metavar="ADDR", help="envelope sender: an address, @DOMAIN, or '<>'")
    group.add_argument("--recipient", metavar="ADDR", help="a recipient: an address or @DOMAIN")
    group.add_argument("--subject", metavar="REGEX", help="the subject, anywhere in it")
    group.add_argument("--queue", choices=("incoming", "active", "deferred", "hold"))
    group.add_argument("--since", metavar="T", type=_checked(moment), help="arrived at T or later")
    group.add_argument("--before", metavar="T", type=_checked(moment), help="arrived before T")
    group.add_argument("--id", metavar="ID", action="append", type=_checked(QueueId), default=[],
                       help="this queue id; again for more")  # fmt: skip
    return filters


def _parser() -> argparse.ArgumentParser:
    options = _options()
    parser = argparse.ArgumentParser(
        prog="bmtop", parents=[options], allow_abbrev=False,
        description="An incident console for mail servers: who sends the spam, stop it, clean the queue.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"bmtop {__version__}")
    add = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, what: str, *more: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return add.add_parser(name, parents=[options, *more], help=what, description=what, allow_abbrev=False)

    report = command("report", "print the panes once")
    report.add_argument("--since", metavar="SPAN", type=_checked(seconds), help="the time span, like 1h")
    report.add_argument("--json", action="store_true")
    _add_message_commands(command)
    _add_account_commands(command)
    _add_relay_commands(command)
    check = command("check", "one line and an exit status, for monitoring")
    check.add_argument("--warning", type=int, metavar="N")
    check.add_argument("--critical", type=int, metavar="N")
    return parser


def _add_message_commands(command: _Command) -> None:
    filters = _filters()
    for action, what in (
        ("purge", "delete messages; an undo copy is kept for 24 hours"),
        ("hold", "put messages on hold"),
        ("release", "release messages from hold"),
    ):
        act = command(action, what, filters)
        how = act.add_mutually_exclusive_group()
        how.add_argument("--dry-run", action="store_true", help="only say what would be done")
        how.add_argument("--yes", action="store_true", help="do not ask")
        act.add_argument("--json", action="store_true")
        act.add_argument("--finish", action="store_true", help=f"finish the newest {action} that was cut off")
        if action != "release":
            act.add_argument("--bounces", action="store_true", help="and the bounces that Postfix made for them")
        if action == "hold":
            act.add_argument("--follow", action="store_true", help="and hold what comes in, until Ctrl-C")
        if action == "purge":
            act.add_argument("--without-undo", action="store_true", help="keep no copy: there is no way back")
    undo = command("undo", "bring purged messages back, on hold")
    undo.add_argument("id", nargs="?", metavar="ID", help="which copy (default: the newest)")
    undo.add_argument("--list", action="store_true", help="show the copies that there are")
    undo.add_argument("--yes", action="store_true", help="do not ask")
    undo.add_argument("--json", action="store_true")


def _add_account_commands(command: _Command) -> None:
    logout = command("logout", "end an account's sessions in BlueMind")
    logout.add_argument("login", metavar="LOGIN", type=_checked(Login))
    passwd = command("passwd", "set an account's password in BlueMind; read from the terminal or standard input")
    passwd.add_argument("login", metavar="LOGIN", type=_checked(Login))
    passwd.add_argument("--make", action="store_true", help="make one, and print it")
    passwd.add_argument("--in-process-list", action="store_true",
                        help="accept that every user of the server can see it while it is set")  # fmt: skip


def _add_relay_commands(command: _Command) -> None:
    untrust = command("untrust", "take one client out of mynetworks: the range around it is split")
    untrust.add_argument("client", nargs="?", metavar="ADDRESS", type=_checked(Client))
    untrust.add_argument("--undo", action="store_true", help="trust it again (default: the newest)")
    how = untrust.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only show mynetworks before and after")
    how.add_argument("--yes", action="store_true", help="do not ask")
    untrust.add_argument("--json", action="store_true")
    known = command("known", "mark a relay as an honest one, which takes it out of the alarm; or list those")
    known.add_argument("client", nargs="?", metavar="ADDRESS", help="an address or a range")
    known.add_argument("--forget", action="store_true", help="take it off the list")
    known.add_argument("--json", action="store_true", help="the list as JSON")


def _filter(found: argparse.Namespace) -> Filter:
    return Filter(
        login=found.login, without_login=found.without_login,
        clients=tuple(found.client), not_clients=tuple(found.not_client),
        sender=found.sender, recipient=found.recipient, subject=found.subject, queue=found.queue,
        since=found.since, before=found.before, ids=tuple(found.id),
    )  # fmt: skip


def _run(found: argparse.Namespace, settings: Settings) -> int:
    match found.command:
        case "report":
            return commands.report_once(settings, found.since, as_json=found.json)
        case "purge" | "hold" | "release" if found.finish:
            if _filter(found) != Filter() or found.dry_run:
                raise Refused("--finish takes neither a filter nor --dry-run: it is about the messages it was about.")
            return commands.finish(settings, found.command, yes=found.yes, as_json=found.json)
        case "hold" if found.follow:
            if found.dry_run or found.json or found.bounces:
                raise Refused("--follow goes with --yes alone: it acts, and says so as it goes.")
            return holding.hold_on(settings, _filter(found), yes=found.yes)
        case "purge" | "hold" | "release":
            return commands.act_on_messages(
                settings, found.command, _filter(found), dry_run=found.dry_run, yes=found.yes, as_json=found.json,
                without_undo=getattr(found, "without_undo", False), with_bounces=getattr(found, "bounces", False),
            )  # fmt: skip
        case "undo" if found.list:
            return commands.list_undos(settings, as_json=found.json)
        case "undo":
            return commands.undo(settings, found.id, yes=found.yes, as_json=found.json)
        case "untrust":
            return relaying.untrust(
                settings, found.client, take_back=found.undo, dry_run=found.dry_run, yes=found.yes, as_json=found.json
            )  # fmt: skip
        case "known":
            return relaying.known(settings, found.client, forget=found.forget, as_json=found.json)
        case "check":
            return commands.check(settings, found.warning, found.critical)
        case "logout":
            return commands.logout(settings, found.login)
        case "passwd":
            return commands.passwd(settings, found.login, make=found.make, allow_argv=found.in_process_list)
        case _:
            return _console(settings)


def _console(settings: Settings) -> int:
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise Refused("The console needs a terminal; use `bmtop report` in a pipe or from cron.")
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise Refused("The console cannot draw on this terminal (TERM is dumb, or not set); use `bmtop report`.")
    # They would have Textual write files, press keys and load code, or keep the size of another terminal.
    for name in [name for name in os.environ if name.startswith("TEXTUAL") or name in ("COLUMNS", "LINES")]:
        del os.environ[name]
    # Textual takes its time to load, and only the console needs it.
    from bmtop.console.app import run_console

    monitor, responder = commands.reader_and_responder(settings)
    return run_console(
        monitor,
        responder,
        title=platform.node(),
        mask=settings.mask,
        export=lambda picture, mask: str(commands.export(picture, settings, mask)),
    )


def _with_demo(found: argparse.Namespace, settings: Settings) -> int:
    from bmtop.demo.toy import toy_server

    with ExitStack() as stack:
        try:
            toy = stack.enter_context(toy_server())
        except RuntimeError as error:
            raise CommandFailed(str(error)) from None
        return _run(
            found,
            replace(
                settings,
                log=toy.log,
                postfix=toy.config_directory,
                state=toy.state,
                path=(str(toy.bin), *settings.path),
                bm_cli=str(toy.bm_cli),
                bm_token=toy.folder / "no-key",
                # Nothing outside of the toy is touched.
                accounts=None,
                sasl_restart=("true",),
            ),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    if arguments is None:
        # A lost terminal ends no action halfway; who wants that ends it as Ctrl-C does.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # Whoever started it may not care how its children end; bmtop does.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    found = argparse.Namespace(command=None)
    try:
        with behind_border():
            found = _parser().parse_args(arguments, found)
            if found.command is not None:
                # All is loaded; the console, which is not, sees to that itself.
                gc.enable()
            return _ended(found)
    except SystemExit as ended:
        # argparse ends with 2 where it is used wrongly: for monitoring that would be an alarm.
        if ended.code == commands.REFUSED and found.command == "check":
            return _UNKNOWN
        raise
    except CommandFailed as error:
        print(f"bmtop: {error}", file=sys.stderr)
        return _UNKNOWN if found.command == "check" else commands.COULD_NOT


def _ended(found: argparse.Namespace) -> int:
    """Do what was asked for, and return the exit status; what went wrong is a sentence on standard error."""
    try:
        return _with_demo(found, _settings(found)) if getattr(found, "demo", False) else _run(found, _settings(found))
    except Refused as error:
        sentence, status = str(error), commands.REFUSED
    except CommandFailed as error:
        sentence, status = str(error), commands.COULD_NOT
    except (KeyboardInterrupt, EOFError):
        sentence, status = "stopped.", commands.COULD_NOT
    except Exception as error:
        print(fault.report(error), file=sys.stderr)
        return _UNKNOWN if found.command == "check" else commands.COULD_NOT
    print(f"bmtop: {visible(sentence)}", file=sys.stderr)
    return _UNKNOWN if found.command == "check" else status


def _settings(found: argparse.Namespace) -> Settings:
    flags = {name.lstrip("-").replace("-", "_"): None for name, _ in _SETTINGS}
    flags = {name: getattr(found, name, None) for name in flags if name not in _NOT_SETTINGS}
    chosen = getattr(found, "config", None)
    return config.load(flags, os.environ, Path(chosen) if chosen else None)
