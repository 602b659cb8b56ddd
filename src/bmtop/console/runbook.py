"""The runbook of a login or client on one screen: its steps, what came of each, and what the watch says."""

import shlex
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen

from bmtop.console import results
from bmtop.console.columns import Column
from bmtop.console.containments import Containment
from bmtop.console.deeds.runner import Runner
from bmtop.console.figures import NONE, clock, count
from bmtop.console.panes.keybar import KeyBar
from bmtop.console.says import Says
from bmtop.console.table import Table
from bmtop.console.text import Cell, Kind, Line, content
from bmtop.incident.watch import Verdict
from bmtop.response.runbook import Step, StepState

_STATES: dict[StepState, Cell] = {
    "todo": Cell("TO DO", "dim"),
    "running": Cell("RUNNING", "warn"),
    "done": Cell("DONE", "good"),
    "failed": Cell("FAILED", "alarm"),
    "skipped": Cell("LEFT OUT", "dim"),
}
_WATCH: dict[StepState, Cell] = {
    "running": Cell("WATCHING", "warn"),
    "done": Cell("CONTAINED", "good"),
    "failed": Cell("ALARM", "alarm"),
}


def state(step: Step) -> Cell:
    """Return the state of a step in a word."""
    if step.missing and step.state != "running":
        return Cell("MISSING", "alarm")
    return _WATCH.get(step.state, _STATES[step.state]) if step.name == "watch" else _STATES[step.state]


def unanswered(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that are still to do or have failed; the optional ones are for their own choice."""
    again = ("todo", "failed")
    return [s for s in steps if (s.state in again or s.missing) and not s.optional and state(s).text != "ALARM"]


def _command(step: Step) -> str:
    return shlex.join(step.command) or NONE


COLUMNS: Sequence[Column[Step]] = (
    Column(
        "step", lambda s, now: Cell(s.title, "dim" if s.optional and s.state == "todo" else ""), 26, share=3, most=60
    ),
    Column("state", lambda s, now: state(s), 9),
    Column("at", lambda s, now: Cell(clock(s.time, now) if s.time is not None else NONE, "dim"), 8),
    Column("result", lambda s, now: Cell(s.sentence), 18, share=6),
    Column("command", lambda s, now: Cell(_command(s), "dim"), 16, share=2, rank=1),
)


def verdict(found: Verdict | None, remedy: Step | None) -> list[Line]:
    """Return what the watch says, and what to do about it."""
    if found is None:
        return [
            (
                Cell("Not watched yet. ", "dim"),
                Cell("a does all steps in order, enter the one under the cursor.", "dim"),
            )
        ]
    kinds: dict[str, Kind] = {"alarm": "alarm", "contained": "good", "watching": "warn"}
    word = Cell(f"{found.state.upper()}  ", kinds[found.state])
    told: list[Line] = [(word, Cell(sentence, kinds[found.state])) for sentence in found.sentences]
    if remedy is not None:
        told.append((Cell("!", "strong"), Cell(f"  does what is missing: {remedy.title}")))
    return told


def in_full(step: Step, progress: str) -> list[Line]:
    """Return all about one step, uncut."""
    told: list[Line] = [(Cell(step.title, "strong"), Cell("  "), state(step))]
    told += [(Cell(progress, "warn"),)] if progress else []
    told += [(Cell(step.sentence),)] if step.sentence else []
    told += [(Cell(note, "" if step.name == "watch" else "warn"),) for note in step.notes]
    told += results.command(step.command)
    told += [(Cell(step.meanwhile, "dim"),)] if step.meanwhile else []
    if step.optional:
        rarely = "Only where the others are not enough; it is not among those that a does."
        told.append((Cell("enter lets it in again." if step.state == "done" else rarely, "dim"),))
    return told


Deed = Callable[[Runner, Containment], Coroutine[Any, Any, None]]
StepDeed = Callable[[Runner, Containment, str], Coroutine[Any, Any, None]]


class Steps(Table[Step]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Run it", key_display="enter", tooltip="run the step under the cursor"),
    ]


class RunbookScreen(Screen[None]):
    """May be left at any time: what runs goes on, and the next `c` on the same target comes back to it."""

    AUTO_FOCUS = "#steps"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "all", "All steps", tooltip="run what is still to do or has failed, in order"),
        Binding("exclamation_mark", "remedy", "Missing", key_display="!", tooltip="run the step that the alarm names"),
        Binding("escape", "back", "Back", tooltip="back to the panes; what runs goes on"),
        Binding("n", "anew", "New", tooltip="once it is contained and has come back: begin a new runbook"),
        Binding("x", "skip", "Leave out", tooltip="leave the step out, by choice"),
        Binding("s", "stop", "Stop", tooltip="stop the step that is running, at the next safe moment"),
    ]

    def __init__(
        self, containment: Containment, runner: Runner, *, step: StepDeed, all_steps: Deed, anew: Deed
    ) -> None:
        super().__init__()
        self._containment = containment
        self._runner = runner
        self._step = step
        self._all = all_steps
        self._anew = anew

    def compose(self) -> ComposeResult:
        with Vertical(id="runbook"):
            yield Says(id="verdict")
            yield Steps(COLUMNS, lambda step: step.name, id="steps")
            with VerticalScroll(id="step", can_focus=False):
                yield Says(id="told")
        yield KeyBar()

    @property
    def _table(self) -> Table[Step]:
        return self.query_one("#steps", Table)

    def on_mount(self) -> None:
        self.query_one("#runbook").border_title = content(self, f"Contain {self._containment.name}")
        self._look()
        self.set_interval(0.25, self._look)

    def _look(self) -> None:
        containment, runbook = self._containment, self._containment.runbook
        if runbook is None:
            return
        self._table.show(runbook.steps, self._runner.clock())
        self._table.repaint()
        told = verdict(runbook.verdict, containment.missing)
        told += [(Cell("PROBLEM ", "alarm"), Cell(containment.problem))] if containment.problem else []
        self.query_one("#verdict", Says).say(*told)
        self._tell()
        held = f" · {count(containment.held)} newly held" if containment.held is not None else ""
        word = containment.state.text if containment.state else "not begun"
        said = content(self, f"{word}{held}")
        frame = self.query_one("#runbook")
        if said.markup != frame.border_subtitle:
            frame.border_subtitle = said
            self.refresh_bindings()

    def _tell(self) -> None:
        step = self._table.current
        if step is not None:
            self.query_one("#told", Says).say(*in_full(step, self._progress(step)))

    def _progress(self, step: Step) -> str:
        """Return how far a running step is, in words."""
        if step.state != "running" or step.name == "watch":
            return ""
        done, total, what = self._containment.progress.newest
        return f"{what} {count(done)} of {count(total)}" if total else what

    def on_table_moved(self, event: Table.Moved) -> None:
        self._tell()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        step = self._table.current
        if step is not None:
            self._runner.start(self._step(self._runner, self._containment, step.name))

    def action_all(self) -> None:
        self._runner.start(self._all(self._runner, self._containment))

    def action_remedy(self) -> None:
        step = self._containment.missing
        if step is None:
            self.notify("The watch misses no step.", markup=False)
        else:
            self._runner.start(self._step(self._runner, self._containment, step.name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "anew" or self._containment.is_contained

    def action_anew(self) -> None:
        self._runner.start(self._anew(self._runner, self._containment))

    def action_skip(self) -> None:
        step, runbook = self._table.current, self._containment.runbook
        if step is None or runbook is None or step.state == "running":
            self.notify("A step that runs cannot be left out.", severity="warning", markup=False)
        else:
            runbook.skip(step.name)
            self._look()

    def action_stop(self) -> None:
        self._containment.progress.stopped = True
        self.notify("What runs is stopped at its next safe moment.", markup=False)

    def action_back(self) -> None:
        self.dismiss(None)
