"""The runbook of a containment: its steps, what became of each, and a watch that says whether it worked.

For a login the SASL cache is emptied before the connections are ended: in the other order, a bot would log in
again in between with its old password, and stay.
"""

import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bmtop.bluemind.bmcli import OnlyInArgv
from bmtop.checked import Client, Login, Refused
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter, network, select
from bmtop.incident.watch import Verdict
from bmtop.response import step_result
from bmtop.response.cache import MEANWHILE
from bmtop.response.copies import NoRoom
from bmtop.response.journal import Entry
from bmtop.response.plan import Done, MessageAction, Plan, Progress, no_progress
from bmtop.response.recall import recalled, to_do_again
from bmtop.response.step_result import StepResult
from bmtop.response.untrust import Change, Changed
from bmtop.response.watch import Settled
from bmtop.server import CommandFailed

if TYPE_CHECKING:
    from bmtop.response.keep import KeepHolding
    from bmtop.response.responder import Responder

StepState = Literal["todo", "running", "done", "failed", "skipped"]

_FOR_LOGIN = ("hold", "password", "sessions", "cache", "connections", "purge", "watch", "suspend")
_FOR_CLIENT = ("hold", "untrust", "connections", "purge", "watch")
# Only where the others are not enough.
_OPTIONAL = frozenset({"suspend"})
# What stops nothing that is to come: all others must be done before anything is contained.
_UNGUARDED = frozenset({"hold", "purge", "watch", *_OPTIONAL})
_TITLES = {
    "hold": "Hold what is queued, and keep holding",
    "password": "Set a new password",
    "sessions": "Log out of the web, phones and mail programs",
    "cache": "Empty the SASL cache, which may still take the old password",
    "connections": "End its SMTP connections, which stay logged in",
    "untrust": "Take it out of the trusted networks",
    "purge": "Delete what it has in the queue",
    "watch": "Watch whether it worked",
    "suspend": "Suspend the account",
}
_MEANWHILE = {"cache": MEANWHILE}
_WATCH: Mapping[str, StepState] = {"watching": "running", "alarm": "failed", "contained": "done"}
_RECALLED = 6 * 3600.0
_RECALLED_ENTRIES = 5000
_MOST_UNTOLD = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is now. `command` is what it will run, or has run; `time` is when that was, in epoch seconds.

    `meanwhile` says what else it does to people, empty where that is nothing. `sentence` is its result, `notes` are
    more of that. `missing` says that the watch asks for it, `optional` that `run_all` leaves it out, `consent` that it
    needs `allow_argv` (the password) or `without_undo` (the purge).
    """

    name: str
    title: str
    command: tuple[str, ...] = ()
    meanwhile: str = ""
    state: StepState = "todo"
    sentence: str = ""
    notes: tuple[str, ...] = ()
    time: float | None = None
    missing: bool = False
    consent: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class _Given:
    """What a step is given: see `Runbook.run`."""

    plan: Plan | None
    change: Change | None
    password: str | None
    allow_argv: bool
    without_undo: bool
    back: bool


class Runbook:
    """Contains one login, or one client.

    Run the steps in any order, one at a time; they block. Call `tick` about twice a second from another thread,
    from the first step on: it keeps holding, and watches. `messages` lists the queue anew, envelopes included. `keep`
    holds already what the target newly queues, if anything does.
    """

    def __init__(
        self,
        responder: "Responder",
        messages: Callable[[], Iterable[Message]],
        untrust: Callable[[Client], Changed],
        *,
        login: str | None = None,
        client: Client | None = None,
        keep: "KeepHolding | None" = None,
        clock: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        if (login is None) == (client is None):
            raise Refused("A runbook is for one login, or for one client.")
        self.login = login
        self.client = client
        self.wanted = Filter(login=login) if client is None else Filter(clients=(network(client),), without_login=True)
        self.verdict: Verdict | None = None
        self._responder = responder
        self._messages = messages
        self._untrust = untrust
        self._clock = clock
        names = _FOR_LOGIN if client is None else _FOR_CLIENT
        self._steps = {
            name: Step(name, _TITLES[name], self.planned(name), _MEANWHILE.get(name, ""), optional=name in _OPTIONAL)
            for name in names
        }
        self._running = threading.Lock()
        self._ticking = threading.Lock()
        self._settled: deque[tuple[str, Settled]] = deque()
        self._made = ""
        self._told: tuple[str, ...] = ()
        self._untold: deque[tuple[str, bool]] = deque(maxlen=_MOST_UNTOLD)
        self.keep = keep or responder.keep_holding(self.wanted)
        self._connections = responder.connections()
        guarded = tuple(name for name in names if name not in _UNGUARDED)
        self._lookout = responder.lookout(self._connections, self.wanted, guarded, self._remedy(), clock, passing)
        self._recall()

    @property
    def name(self) -> str:
        return self.login or self.client or ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in their order, as they are now."""
        missing = self.verdict.missing if self.verdict is not None and self.verdict.state == "alarm" else ()
        return tuple(replace(step, missing=step.name in missing) for step in tuple(self._steps.values()))

    def _remedy(self) -> str:
        """Return what empties the SASL cache, in words."""
        command = self.planned("cache")
        return f"restart {command[2]}" if command[:2] == ("systemctl", "restart") else f"run {shlex.join(command)}"

    @property
    def problem(self) -> str:
        """What keeps the holding or the watch from doing their work, in a sentence; else empty."""
        return " ".join(filter(None, (self.keep.problem if self.keep.on else "", self._lookout.problem)))

    def account(self) -> Login:
        """Return the account's full address; raises `Refused` where the login does not tell it."""
        return Login(self._responder.accounts.account(self.login or ""))

    def planned(self, name: str) -> tuple[str, ...]:
        """Return the command that a step will run, with words in capitals for what only then is known; quick."""
        try:
            match name:
                case "hold":
                    return ("postsuper", "-h", "-")
                case "purge":
                    return ("postsuper", "-d", "-")
                case "connections":
                    return ("ss", "-K", "src", "SERVER:PORT", "dst", "CLIENT:PORT")
                case "cache":
                    return self._responder.cache_command(self.login or "")
                case "untrust":
                    return ("postconf", "-e", "mynetworks=…")
                case "password" | "suspend":
                    return self._responder.planned(name, self.account())
                case "sessions":
                    return self._responder.planned("logout", self.account())
        except Refused:
            pass
        return ()

    # What is done

    def plan(self, action: MessageAction) -> Plan:
        """Return what a hold or a purge would act on now, to be shown. Raises `Refused` or `CommandFailed`."""
        return Plan(action, self.wanted, select(self._messages(), self.wanted, self._responder.accounts))

    def run(
        self,
        name: str,
        *,
        plan: Plan | None = None,
        change: Change | None = None,
        password: str | None = None,
        allow_argv: bool = False,
        without_undo: bool = False,
        back: bool = False,
        progress: Progress = no_progress,
    ) -> Step:
        """Run a step, whatever became of the others, and return what came of it; what fails is in the step.

        `plan` is the purge that was confirmed, else all that is queued now; `change` the untrust that was, else what
        is due now; `password` the new one, else it is made (see `take_password`). `without_undo` purges where there
        is no room for a copy, `back` lets a suspended account in again. Raises `Refused` while another step runs.
        """
        if not self._running.acquire(blocking=False):
            raise Refused("Another step is still running; wait for it.")
        try:
            self._change(name, state="running", sentence="", notes=(), consent=False)
            try:
                result = self._act(name, _Given(plan, change, password, allow_argv, without_undo, back), progress)
            except (Refused, CommandFailed) as error:
                if back:
                    return self._change(name, state="done", sentence=f"Still so: {error}")
                return self._end(name, "failed", str(error), consent=isinstance(error, OnlyInArgv | NoRoom))
            except BaseException as error:
                self._end(name, "failed", f"It was stopped ({type(error).__name__}); see the journal.")
                raise
            if back and not result.ok:
                return self._change(name, state="done", sentence=f"Still so: {result.sentence}")
            if name == "watch":
                return self._change(name, sentence=result.sentence, time=self._clock())
            state: StepState = "failed" if not result.ok else "todo" if back or result.partly else "done"
            command = result.command or self._steps[name].command
            return self._end(name, state, result.sentence, command=command, notes=result.notes)
        finally:
            self._running.release()

    def run_all(self, *, without: Collection[str] = (), progress: Progress = no_progress) -> tuple[Step, ...]:
        """Run every step that is still to do or has failed, in order, and return all; a failure stops no other.

        Suspending is left out, and what `without` names.
        """
        for step in self.steps:
            if step.state in ("todo", "failed") and not step.optional and step.name not in without:
                self.run(step.name, progress=progress)
        return self.steps

    def fail(self, name: str, sentence: str) -> Step:
        """Take that what the step would do could not be found out, for the reason in `sentence`; nothing was done."""
        return self._end(name, "failed", sentence, notes=(), consent=False)

    def skip(self, name: str) -> Step:
        """Leave a step out by choice; it can still be run later."""
        self._settled.append((name, "left out"))
        return self._change(name, state="skipped", sentence="Left out.", time=self._clock())

    def take_password(self) -> str:
        """Return the password that was made and set, once; empty afterwards, and where there is none."""
        made, self._made = self._made, ""
        return made

    def _act(self, name: str, given: _Given, progress: Progress) -> StepResult:
        responder = self._responder
        match name:
            case "hold":
                return self._hold(progress)
            case "password":
                return step_result.of(self._set_password(given.password, given.allow_argv))
            case "sessions":
                return step_result.of(responder.logout(self.account()))
            case "suspend":
                return step_result.of((responder.reactivate if given.back else responder.suspend)(self.account()))
            case "cache":
                return step_result.of(responder.empty_cache(self.login or ""))
            case "connections":
                return step_result.of(responder.end_connections(self.wanted, self._connections))
            case "untrust":
                assert self.client is not None
                change = given.change
                changed = self._untrust(self.client) if change is None else responder.change_trust(change)
                return StepResult(changed.ok, changed.sentence, changed.command, changed.notes)
            case "purge":
                return self._purge(given.plan, given.without_undo, progress)
            case _:
                self._lookout.begin()
                return StepResult(True, "Watching.")

    def _hold(self, progress: Progress) -> StepResult:
        # First the watch on what is new, then what is there: nothing comes in between.
        if not self.keep.on:
            self.keep.begin()
        plan = self.plan("hold")
        if not plan.messages:
            return StepResult(True, "Nothing is queued; what comes in is held.")
        return step_result.held(self._responder.hold(plan, progress))

    def _purge(self, plan: Plan | None, without_undo: bool, progress: Progress) -> StepResult:
        plan = plan or self.plan("purge")
        if not plan.messages:
            return StepResult(True, "Nothing is queued.")
        outcome = self._responder.purge(plan, progress, without_undo=without_undo)
        return step_result.deleted(outcome, self.wanted)

    def _set_password(self, password: str | None, allow_argv: bool) -> Done:
        made = password is None
        secret = self._responder.make_password() if password is None else password
        done = self._responder.set_password(self.account(), secret, allow_argv=allow_argv)
        self._made = secret if made and done.ok else ""
        return done

    def _end(self, name: str, state: StepState, sentence: str, **changes: object) -> Step:
        if state in ("done", "todo"):
            self._settled.append((name, self._clock() if state == "done" else "taken back"))
        return self._change(name, state=state, sentence=sentence, time=self._clock(), **changes)

    def _change(self, name: str, **changes: object) -> Step:
        self._steps[name] = step = replace(self._steps[name], **changes)  # type: ignore[arg-type]
        return step

    # What goes on

    def tick(self) -> None:
        """Hold what is new, look at the watch, and write down when it turns; blocks for a moment."""
        if not self._ticking.acquire(blocking=False):
            return
        try:
            self._lookout.look_at_clock()
            if self.keep.on:
                self.keep.tick()
            while self._settled:
                self._lookout.settled(*self._settled.popleft())
            if self._lookout.on:
                self.verdict = verdict = self._lookout.tick()
                self._change("watch", state=_WATCH[verdict.state], sentence=verdict.sentence, notes=verdict.evidence)
                self._tell(verdict)
        finally:
            self._ticking.release()

    def _tell(self, verdict: Verdict) -> None:
        """Write a new alarm, and that it is contained, into the journal; what that cannot take yet, at a later tick."""
        said = verdict.missing if verdict.state == "alarm" else (verdict.state,)
        if said not in (self._told, ("watching",)):
            sentence = " ".join((verdict.sentence, *(f"{found}." for found in verdict.evidence)))
            self._untold.append((sentence, verdict.state == "contained"))
            self._told = said
        with suppress(Refused):
            while self._untold:
                sentence, ok = self._untold[0]
                self._responder.note("watch", self.name, sentence, ok=ok)
                self._untold.popleft()

    def close(self) -> Done | None:
        """Stop holding, and return how many messages that were; the watch ends, too. Raises `Refused`."""
        with self._ticking:
            return self.keep.end() if self.keep.on else None

    def summary(self) -> str:
        """Return in one sentence what is done and what is not."""
        steps = [step for step in self.steps if not step.optional or step.state != "todo"]
        done = [step.name for step in steps if step.state == "done"]
        not_done = [f"{step.name} ({step.sentence.rstrip('.')})" if step.sentence else step.name
                    for step in steps if step.state != "done"]  # fmt: skip
        return f"Done: {', '.join(done) or 'nothing'}. Not done: {', '.join(not_done) or 'nothing'}."

    # What was done before

    def _recall(self) -> None:
        """Take from the journal what was done for the same target since it was contained last."""
        since = self._clock() - _RECALLED
        entries = [entry for entry in self._responder.journal(_RECALLED_ENTRIES) if entry.time >= since]
        for name, entry in recalled(entries, self._is_ours).items():
            if name in self._steps and name != "watch":
                self._recall_step(name, entry)

    def _is_ours(self, target: str) -> bool:
        if self.client is not None:
            return target in (self.client, str(self.wanted.clients[0]))
        return self._responder.accounts.same(target, self.login or "")

    def _to_do_again(self, name: str, entry: Entry) -> str:
        return to_do_again(name, entry, self.wanted, holding=self.keep.on, queued=self._queued_again)

    def _queued_again(self) -> str:
        """Return how much there is to purge, in a sentence; empty where that is nothing."""
        try:
            found = self.plan("purge").messages
        except (Refused, CommandFailed) as error:
            return f"Whether there is more by now is not known: {error}"
        return f"{len(found):,} more are queued by now." if found else ""

    def _recall_step(self, name: str, entry: Entry) -> None:
        command = entry.command or self._steps[name].command
        if entry.state == "begun":
            self._change(name, state="failed", sentence="It was cut off; run it again.", time=entry.time)
        elif entry.state == "done" and (why := self._to_do_again(name, entry)):
            self._change(name, sentence=f"{entry.sentence} {why}", time=entry.time)
        else:
            self._change(name, state=entry.state, sentence=entry.sentence, time=entry.time, command=command)
            if entry.state == "done":
                self._settled.append((name, entry.time))
