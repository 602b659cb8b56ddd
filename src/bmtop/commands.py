"""What each subcommand does: settings and arguments in, words on standard output, an exit status out.

Exit status: 0 done, 1 nothing matched, 2 usage or refused, 3 done in part, 4 could not.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import humanize

from bmtop import report, response
from bmtop.checked import Login, QueueId, Refused
from bmtop.config import Settings
from bmtop.incident.message import Message
from bmtop.incident.picture import Picture
from bmtop.incident.selection import Filter, came_later, select
from bmtop.mask import Mask
from bmtop.monitor import Monitor
from bmtop.output import tell_progress
from bmtop.postfix.instance import Postfix
from bmtop.reading import Reading
from bmtop.server import CommandFailed, Server
from bmtop.visible import visible

if TYPE_CHECKING:
    from bmtop.response.journal import Entry
    from bmtop.response.plan import Done, MessageAction, Outcome, Plan
    from bmtop.response.responder import Responder

DONE, NOTHING, REFUSED, IN_PART, COULD_NOT = range(5)

_SHOWN = 20
_TYPE_COUNT_FROM = 100


def postfix_of(settings: Settings) -> Postfix:
    """Return the Postfix that the settings name."""
    return Postfix(Server(settings.path), settings.postfix)


def reader_and_responder(settings: Settings) -> tuple[Monitor, Responder]:
    """Return what reads this server, and what acts on it."""
    # Each on a Postfix of its own: where reading is stopped, an action still comes to its end.
    return Monitor(settings, postfix_of(settings)), response.responder.Responder(settings, postfix_of(settings))


def export(picture: Picture, settings: Settings, mask: Mask | None) -> Path:
    """Write the report as text, masked if asked, into a new file in the current folder; returns its path.

    Raises `Refused`.
    """
    path = Path.cwd() / time.strftime("bmtop-%Y%m%d-%H%M%S.txt", time.localtime(picture.generated))
    text = report.as_text(*_with_actions(picture, settings), mask=mask)
    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written ({(error.strerror or 'no').lower()}); start bmtop elsewhere."
        ) from None
    return path


def _with_actions(picture: Picture, settings: Settings) -> tuple[Picture, list[Entry] | None]:
    """Return the picture, and what was done in its window; None, and why among its problems, where nobody knows."""
    journal = response.journal.Journal(settings.state)
    entries = response.journal.actions(journal.entries(sys.maxsize))
    if journal.problem:
        return replace(picture, problems=tuple(dict.fromkeys((*picture.problems, journal.problem)))), None
    return picture, [entry for entry in entries if entry.time >= picture.generated - picture.window]


def report_once(settings: Settings, since: float | None, *, as_json: bool) -> int:
    """Print the panes once; what cannot be read is a sentence on standard error. `since` is in seconds."""
    if since is not None:
        settings = replace(settings, window=since)
    picture, actions = Reading(settings, postfix_of(settings)).read_once(), None
    if not as_json:
        picture, actions = _with_actions(picture, settings)
    mask = Mask() if settings.mask else None
    if mask is not None:
        picture = report.masked(picture, mask)
    for problem in picture.problems:
        print(visible(problem), file=sys.stderr)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    told = (
        report.as_json(picture)
        if as_json
        else report.as_text(replace(picture, problems=()), actions, width=width, mask=mask)
    )
    print(told, end="\n" * as_json)
    nothing = picture.queue is None and picture.log_time is None and not picture.complete
    return COULD_NOT if nothing and picture.problems else DONE


def act_on_messages(
    settings: Settings,
    action: MessageAction,
    wanted: Filter,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    without_undo: bool = False,
    with_bounces: bool = False,
    newly_held: Collection[QueueId] | None = None,
) -> int:
    """Purge, hold or release the messages that `wanted` means; without `yes`, ask first.

    `newly_held` grows meanwhile, where what comes in is being held: that counts as done.
    """
    monitor, responder = reader_and_responder(settings)
    _tell_unfinished(responder)
    queue = monitor.read_queue()
    messages = responder.with_subject(select(queue.values(), wanted, monitor.accounts), wanted)
    bounces = monitor.bounces(wanted, messages)
    if with_bounces:
        messages = (*messages, *bounces)
    elif bounces and action != "release":
        left = f"{_counted(len(bounces), 'bounce')} that Postfix made for them; --bounces takes those, too."
        print(f"Left in the queue: {left}", file=sys.stderr)
    # What is on hold already is not held, and what is not on hold is not released.
    messages = tuple(m for m in messages if action == "purge" or (m.queue == "hold") == (action == "release"))
    plan = response.plan.Plan(action, wanted, messages)
    if not messages or dry_run:
        _say(response.plan.Outcome(plan, (), dry_run=dry_run), as_json=as_json)
        return DONE if messages else NOTHING
    if not yes and not _agreed(plan, everything=len(messages) == len(queue)):
        print("Nothing was done. Add --yes to act without being asked, or --dry-run to only look.", file=sys.stderr)
        return REFUSED
    outcome = _act(responder, plan, without_undo=without_undo)
    _say(outcome, as_json=as_json)
    if newly_held is None:
        _second_look(monitor, responder, plan, queue.values())
    return _status(outcome, newly_held or ())


def finish(settings: Settings, action: MessageAction, *, yes: bool, as_json: bool) -> int:
    """Finish the newest such action that was cut off; without `yes`, ask first."""
    responder = response.responder.Responder(settings, postfix_of(settings))
    cut_off = [entry for entry in responder.unfinished(wait=True) if entry.action == action]
    if not cut_off:
        print(f"No {action} was cut off.", file=sys.stderr)
        return NOTHING
    entry = cut_off[-1]
    if not yes and not _typed(f"Finish the {_in_words(entry)}, {_counted(len(entry.ids), 'message')}?", "yes"):
        print("Nothing was done. Add --yes to act without being asked.", file=sys.stderr)
        return REFUSED
    outcome = responder.finish(entry, _show_progress)
    assert isinstance(outcome, response.plan.Outcome)
    _say(outcome, as_json=as_json)
    return _status(outcome)


def _in_words(entry: Entry) -> str:
    return f"{entry.action} of {visible(entry.target)} that {visible(entry.who)} began at {report.iso(entry.time)}"


def _tell_unfinished(responder: Responder) -> None:
    try:
        unfinished = responder.unfinished()
    except Refused as error:
        print(visible(str(error)), file=sys.stderr)
        return
    for entry in unfinished:
        print(f"The {_in_words(entry)} was cut off: {_next_step(entry)}.", file=sys.stderr)


def _next_step(cut_off: Entry) -> str:
    action = cut_off.action
    if action == "undo":
        return f"`bmtop undo {cut_off.undo}` finishes it"
    if action in ("purge", "hold", "release"):
        back = f", `bmtop undo {cut_off.undo}` takes it back" if cut_off.undo else ""
        return f"`bmtop {action} --finish` finishes it{back}"
    if action == "trust again":
        return f"`bmtop untrust {visible(cut_off.target)} --undo` does what is left"
    if action == "keep holding":
        return "what it newly queues is held no more, until `bmtop hold --follow` or H in the console"
    if action in ("cache", "connections", "suspend", "reactivate"):
        return "do it again, in the console's runbook (c)"
    return f"run the same {action} again"


def _status(outcome: Outcome, done_before: Collection[QueueId] = ()) -> int:
    done = {*outcome.done, *done_before}.intersection(outcome.plan.ids)
    if len(done) == len(outcome.plan.ids):
        return DONE
    return IN_PART if done else COULD_NOT


def _act(responder: Responder, plan: Plan, *, without_undo: bool) -> Outcome:
    if plan.action == "purge":
        return responder.purge(plan, _show_progress, without_undo=without_undo)
    return responder.hold(plan, _show_progress) if plan.action == "hold" else responder.release(plan, _show_progress)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _show_progress(done: int, total: int, step: str) -> None:
    tell_progress(f"{step} {done:,} of {total:,}" if total else f"{step}…")


def _second_look(monitor: Monitor, responder: Responder, plan: Plan, known: Collection[Message]) -> None:
    """Say what came in while the action ran; it is not part of it, and neither is whether that can be known."""
    try:
        later = came_later(monitor.read_queue().values(), plan.filter, monitor.accounts, known)
        count = len(responder.with_subject(later, plan.filter))
    except (CommandFailed, Refused) as error:
        print(visible(f"Whether more came in meanwhile is not known: {error}"), file=sys.stderr)
        return
    if count and plan.action != "release":
        print(f"{count:,} more came in meanwhile; run the same {plan.action} again.", file=sys.stderr)


def _agreed(plan: Plan, *, everything: bool) -> bool:
    """Ask on the terminal; for many messages, or all that there are, the count must be typed."""
    if not sys.stdin.isatty():
        return False
    print("\n".join(_lines(plan.messages)), file=sys.stderr)
    count = len(plan.messages)
    question = f"{plan.action} {_counted(count, 'message')}, {humanize.naturalsize(plan.bytes)}?"
    if everything:
        question = f"This is all that is in the queue. {question}"
    return _typed(question, str(count) if everything or count > _TYPE_COUNT_FROM else "yes")


def _typed(question: str, wanted: str) -> bool:
    """Tell whether `wanted` was typed on the terminal; no terminal is no consent."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} Type {wanted!r} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == wanted


def _lines(messages: Sequence[Message]) -> list[str]:
    lines = [
        f"  {m.id}  {visible(m.sender) or '<>'} → {visible(', '.join(m.recipients[:3]))}"
        f"  {visible(m.client or '-')}  {humanize.naturalsize(m.size)}"
        for m in messages[:_SHOWN]
    ]
    return [*lines, f"  … and {len(messages) - _SHOWN:,} more"] if len(messages) > _SHOWN else lines


def _say(outcome: Outcome, *, as_json: bool) -> None:
    tell_progress("")
    if as_json:
        print(json.dumps(outcome.as_dict(), indent=2))
        return
    plan = outcome.plan
    if outcome.dry_run or not plan.messages:
        print("\n".join(_lines(plan.messages)) or "No message matches.")
        print(f"{_counted(len(plan.ids), 'message')}, {humanize.naturalsize(plan.bytes)}; nothing was done.")
        return
    past = {"purge": "Deleted", "hold": "Held", "release": "Released"}[plan.action]
    print(f"{past} {len(outcome.done):,} of {len(plan.ids):,} messages.")
    for id, reason in list(outcome.left_out.items())[:_SHOWN]:
        print(f"  {id} was left out: {visible(reason)}.")
    for note in outcome.notes:
        print(visible(note))
    if outcome.command:
        print(f"Ran: {visible(shlex.join(outcome.command))}")
    if outcome.undo:
        print(f"To bring them back, on hold: bmtop undo {outcome.undo}")


def list_undos(settings: Settings, *, as_json: bool) -> int:
    """Print the undo copies that there are."""
    responder = response.responder.Responder(settings, postfix_of(settings))
    _tell_unfinished(responder)
    copies = responder.undos()
    if as_json:
        rows = [
            {
                "undo": copy.undo, "made": report.iso(copy.made), "until": report.iso(copy.until),
                "messages": copy.messages, "bytes": copy.bytes, "filter": dict(copy.filter), "who": copy.who,
            }
            for copy in copies
        ]  # fmt: skip
        print(json.dumps(rows, indent=2))
    elif not copies:
        print("There is no undo copy.")
    else:
        for copy in copies:
            print(
                f"{copy.undo}  {copy.messages:>8,} messages  {humanize.naturalsize(copy.bytes):>9}"
                f"  until {report.iso(copy.until)}  by {visible(copy.who)}  {visible(json.dumps(dict(copy.filter)))}"
            )
    return DONE if copies else NOTHING


def undo(settings: Settings, name: str | None, *, yes: bool, as_json: bool) -> int:
    """Bring back the messages of an undo copy, the newest where none is named."""
    responder = response.responder.Responder(settings, postfix_of(settings))
    copies = responder.undos()
    if name is None and copies:
        name = copies[0].undo
    if name is None:
        print("There is no undo copy.", file=sys.stderr)
        return NOTHING
    chosen = next((copy for copy in copies if copy.undo == name), None)
    count = chosen.messages if chosen else 0
    if not yes and not _typed(f"Bring back {_counted(count, 'message')} of {name}, on hold?", "yes"):
        print("Nothing was done. Add --yes to act without being asked.", file=sys.stderr)
        return REFUSED
    restored = responder.undo(name, _show_progress)
    if as_json:
        print(json.dumps(restored.as_dict(), indent=2))
    else:
        print(f"{len(restored.ids):,} messages are back, on hold; `bmtop release` sends them on.")
        for old, new in restored.renamed.items():
            print(f"  {old} is {new} now.")
        for id, reason in restored.failed.items():
            print(f"  {QueueId(id)} could not be brought back: {visible(reason)}.")
        for note in restored.notes:
            print(visible(note))
    if not restored.failed:
        return DONE
    return IN_PART if restored.ids else COULD_NOT


def logout(settings: Settings, login: Login) -> int:
    """End an account's sessions."""
    return _say_done(response.responder.Responder(settings, postfix_of(settings)).logout(login))


def passwd(settings: Settings, login: Login, *, make: bool, allow_argv: bool) -> int:
    """Set an account's password: typed twice, read from standard input, or made and printed once it is set."""
    responder = response.responder.Responder(settings, postfix_of(settings))
    password = responder.make_password() if make else _read_password(login)
    try:
        status = _say_done(responder.set_password(login, password, allow_argv=allow_argv))
    except response.account.OnlyInArgv as error:
        raise Refused(f"{error} Add --in-process-list to accept that.") from None
    if make and status == DONE:
        print(password)
    return status


def _read_password(login: Login) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"New password for {login}: ")
    if getpass.getpass("The same again: ") != password:
        raise Refused("The two passwords differ; nothing was changed.")
    return password


def _say_done(done: Done) -> int:
    print(visible(done.sentence), *map(visible, done.notes), sep="\n", file=sys.stderr)
    return DONE if done.ok else IN_PART


def _in_a_line(sentences: Iterable[str]) -> str:
    """Return them without a bar: after one, monitoring reads numbers."""
    return visible(" ".join(sentences)).replace("|", "¦")


def check(settings: Settings, warning: int | None, critical: int | None) -> int:
    """Print one line and return 0, 1, 2 or 3, as monitoring plugins do."""
    picture = Reading(settings, postfix_of(settings)).read_once()
    gauge = picture.queue
    if gauge is None:
        print(f"BMTOP UNKNOWN - {_in_a_line(picture.problems) or 'the queue cannot be read'}")
        return 3
    critical = settings.threshold if critical is None else critical
    warning = critical if warning is None else warning
    status = 2 if gauge.total >= critical else 1 if gauge.total >= warning else 0
    suspects = [(row.login, row.reasons) for row in picture.senders if row.suspected]
    suspects += [(row.client, row.reasons) for row in picture.relays if row.suspected]
    if suspects and not status:
        status = 1
    if not picture.complete and not status:
        print(f"BMTOP UNKNOWN - {gauge.total} queued, but: {_in_a_line(picture.problems)}")
        return 3
    who = f", suspected: {suspects[0][0]} ({suspects[0][1][0]})" if suspects else ""
    who = _in_a_line([who])
    word = ("OK", "WARNING", "CRITICAL")[status]
    print(f"BMTOP {word} - {gauge.total} queued{who} | queue={gauge.total};{warning};{critical};0")
    return status
