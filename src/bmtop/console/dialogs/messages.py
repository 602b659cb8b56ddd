"""The list of messages that a purge or hold is about: frozen, narrowed, looked at, and then confirmed."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Button, Input

from bmtop.checked import QueueId, Refused
from bmtop.console.choice import Choice, find
from bmtop.console.dialogs.dialog import Dialog, buttons
from bmtop.console.dialogs.message import columns, in_full, saved, subject_column
from bmtop.console.dialogs.narrowing import NAMES, Narrowing, merged, narrowed
from bmtop.console.dialogs.notice import Notice
from bmtop.console.figures import clock, count, plural, seconds, size
from bmtop.console.says import Says
from bmtop.console.table import Table
from bmtop.console.text import MASKED_AS_WELL, Cell, Line, content, mask_of
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter
from bmtop.response.plan import MessageAction, Plan
from bmtop.server import CommandFailed

TYPED_ABOVE = 100
_VERBS: dict[MessageAction, str] = {"purge": "Purge", "hold": "Hold", "release": "Release"}


@dataclass(frozen=True)
class Errand:
    """What the dialog is opened for: `action` was asked for, on `messages` as they were listed at `frozen_at`.

    `spared` are in the queue as well, from the same client, but with a login, where only those without are meant.
    `subjects`, `with_subject` and `save` block, and raise `Refused` or `CommandFailed`; `bounces` is quick.
    """

    action: MessageAction
    name: str
    wanted: Filter
    messages: Sequence[Message]
    spared: int
    frozen_at: float
    accounts: Accounts
    subjects: Callable[[Sequence[QueueId]], Mapping[QueueId, str]]
    with_subject: Callable[[Sequence[Message], Filter], Sequence[Message]]
    bounces: Callable[[Filter, Collection[Message]], Sequence[Message]]
    save: Callable[[str], Path]
    read_only: bool

    @property
    def actions(self) -> tuple[MessageAction, ...]:
        """What is offered, the one that is easiest to take back first."""
        return ("hold", "purge") if self.action == "purge" else ("hold", "release")


class Messages(Dialog[Plan]):
    """Ends with the plan that was confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "Yes"),
        Binding("space", "tick", "Tick", key_display="space"),
        Binding("a", "tick_all", "All"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "search_next", "Next", show=False),
        Binding("s", "subjects", "Subjects"),
        Binding("f", "save", "Save"),
        Binding("b", "bounces", "Bounces"),
        Binding("down", "to_list", "To the list", show=False),
    ]

    def __init__(self, errand: Errand) -> None:
        mode = "   READ-ONLY" if errand.read_only else ""
        without = ", without a login" if errand.wanted.without_login else ""
        super().__init__(f"{_VERBS[errand.action]}: {errand.name}{without}{mode}", tall=True)
        self._errand = errand
        self._choice = Choice(errand.wanted, errand.messages, errand.bounces(errand.wanted, errand.messages))
        self._subjects: dict[QueueId, str] = {}
        self._meant: MessageAction = errand.action
        self._needle = ""
        self._error = ""
        self._applied: Mapping[str, str] | None = None

    def inside(self) -> Iterable[Widget]:
        yield Says(id="sum")
        base = self._errand.wanted
        taken = {"login": base.login is not None or base.without_login, "client": bool(base.clients)}
        yield Narrowing([name for name in NAMES if not taken.get(name)])
        yield Table(columns(self._choice.ticked), lambda m: m.id, id="list", empty="No message is left.")
        search = Input(
            compact=True, id="search", placeholder="search: id, sender, recipient, client; then n for the next"
        )
        search.display = False
        yield search
        yield Says(id="says")
        # The digit that brings the focus stands there before the focus does, and must not be replaced by the next.
        placeholder = "type the number that stands on the button"
        yield Input(compact=True, id="count", placeholder=placeholder, select_on_focus=False)
        yield buttons(
            ("cancel", "Cancel"),
            *((action, _VERBS[action]) for action in self._errand.actions),
            act=self._errand.action,
        )

    @property
    def _table(self) -> Table[Message]:
        return self.query_one("#list", Table)

    @property
    def _settled(self) -> bool:
        """Whether the list is the one that the fields ask for: their texts are compared, no message is waited for."""
        return self.query_one(Narrowing).typed == self._applied

    def on_mount(self) -> None:
        self._applied = self.query_one(Narrowing).typed
        self._list()

    def _list(self) -> None:
        """Show what is listed by now, and what of it is chosen."""
        self._table.show(self._choice.listed, self._errand.frozen_at)
        self._table.repaint()
        self._tell()

    def _tell(self) -> None:
        tally = self._choice.tally()
        errand, needed = self._errand, False
        for action in errand.actions:
            number = tally.of(action)
            self.query_one(f"#{action}", Button).label = content(self, f" {_VERBS[action]} {number:,} ")
            needed = needed or number > TYPED_ABOVE
        self.query_one("#count").display = needed and not errand.read_only
        self.query_one("#sum", Says).say(*self._sum(tally.messages, tally.bytes, tally.on_hold))
        self._say(self._hint())

    def _sum(self, messages: int, octets: int, on_hold: int) -> list[Line]:
        errand, listed = self._errand, self._choice.listed
        held = f" · {count(on_hold)} of them on hold" if on_hold else ""
        ages = ""
        if listed:
            ages = f" · the oldest came {seconds(errand.frozen_at - self._choice.oldest)} ago"
        told: list[Line] = [
            (
                Cell(f"{count(messages)} of {plural(self._choice.total, 'message')} chosen", "strong"),
                Cell(f" · {size(octets)}{held}{ages}"),
            ),
            (
                Cell(
                    f"As listed at {clock(errand.frozen_at, errand.frozen_at)}: what came in later is not part of it.",
                    "dim",
                ),
            ),
        ]
        if errand.spared:
            told.append((Cell(f"{left_alone(errand.spared)}."),))
        bounces = self._choice.bounces
        if bounces:
            box = "[x]" if self._choice.with_bounces else "[ ]"
            made = f"{plural(len(bounces), 'bounce')} that Postfix made for them, and for such mail before"
            told.append((Cell(f"{box} and {made}: b"),))
        return told

    def _hint(self) -> Cell:
        if self._error:
            return Cell(self._error, "alarm")
        if not self._settled:
            return Cell("Narrowing…", "warn")
        if self._errand.read_only:
            return Cell("Read-only: the list may be looked at; nothing will be changed.", "warn")
        if self._errand.action == "purge":
            return Cell("Hold is instant and can be taken back; a purge can be undone for 24 hours.", "dim")
        return Cell("Hold is instant; Release lets them go again.", "dim")

    def _say(self, cell: Cell) -> None:
        self.query_one("#says", Says).say(cell)

    def on_narrowing_changed(self) -> None:
        self._say(Cell("Narrowing…", "warn"))
        self._narrow(self.query_one(Narrowing).typed)

    @work(exclusive=True, group="narrow")
    async def _narrow(self, typed: Mapping[str, str]) -> None:
        await asyncio.sleep(0.15)
        errand = self._errand
        try:
            narrowing = narrowed(typed, errand.frozen_at)
            kept = await asyncio.to_thread(self._kept, narrowing)
        except (Refused, CommandFailed) as error:
            self._error = str(error)
            self._tell()
            return
        wanted = merged(errand.wanted, narrowing)
        self._choice.narrow(wanted, kept, errand.bounces(wanted, kept))
        self._error, self._applied = "", typed
        self._list()

    def _kept(self, narrowing: Filter) -> Sequence[Message]:
        """Return what is left of the frozen list. Blocks."""
        errand = self._errand
        return errand.with_subject(narrowing.keep(errand.messages, errand.accounts), narrowing)

    def action_tick(self) -> None:
        if self.focused is not self._table:
            self._table.focus()
        elif self._table.current is not None:
            self._choice.toggle(self._table.current)
            self._list()
            self._table.action_move(1)

    def action_tick_all(self) -> None:
        self._choice.toggle_all()
        self._list()

    def action_bounces(self) -> None:
        self._choice.with_bounces = not self._choice.with_bounces
        self._list()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "bounces" or bool(self._choice.bounces)

    def action_to_list(self) -> None:
        self._table.focus()

    def on_table_chosen(self) -> None:
        message = self._table.current
        if message is not None:
            subject = self._subjects.get(message.id)
            self.app.push_screen(Notice(f"Message {message.id}", in_full(message, subject, self._errand.frozen_at)))

    def action_cancel(self) -> None:
        """Leave the search field, where that is open; else the dialog."""
        search = self.query_one("#search", Input)
        if search.display:
            search.display = False
            self._table.focus()
        else:
            self.dismiss(None)

    def action_search(self) -> None:
        search = self.query_one("#search", Input)
        search.display = True
        search.focus()

    def action_search_next(self) -> None:
        if self._needle:
            self._search()

    @work(exclusive=True, group="search")
    async def _search(self) -> None:
        listed, start = self._choice.listed, self._table.cursor + 1
        found = await asyncio.to_thread(find, listed, self._needle, start)
        if found is None:
            self._say(Cell(f"No message names {self._needle}.", "alarm"))
        else:
            self._table.move_to(found)
            self._say(self._hint())

    @work(exclusive=True, group="subjects")
    async def action_subjects(self) -> None:
        """Read the subjects of the messages in view."""
        self._say(Cell("Reading the subjects of the messages in view…", "dim"))
        ids = [m.id for m in self._table.in_view]
        try:
            self._subjects.update(await asyncio.to_thread(self._errand.subjects, ids))
        except (Refused, CommandFailed) as error:
            self._say(Cell(str(error), "alarm"))
            return
        self._table.set_columns([*columns(self._choice.ticked), subject_column(self._subjects)])
        self._tell()

    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        text = saved(self._choice.listed, self._choice.ticked, self._subjects)
        as_shown = MASKED_AS_WELL if mask_of(self) else ""
        try:
            path = await asyncio.to_thread(self._errand.save, text)
        except Refused as error:
            self._say(Cell(str(error), "alarm"))
        else:
            self._say(Cell(f"The list is saved{as_shown}: {path}", "good"))

    def on_key(self, event: Key) -> None:
        """A digit goes into the field that asks for the number, wherever the focus is but in another field."""
        field = self.query_one("#count", Input)
        typed = event.character or ""
        if typed.isdigit() and typed.isascii() and field.display and not isinstance(self.focused, Input):
            self._mean(self.focused)
            field.focus()
            field.insert_text_at_cursor(typed)
            event.stop()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search":
            self._needle = event.value
            event.input.display = False
            self._table.focus()
            self.action_search_next()
        elif event.input.id == "count":
            self.query_one(f"#{self._meant}").focus()
        else:
            self._table.focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if self._mean(event.button):
            self._confirm()
        else:
            self.action_cancel()

    def action_confirm(self) -> None:
        self._mean(self.focused)
        self._confirm()

    def _mean(self, widget: Widget | None) -> bool:
        """Mean, from now on, the action whose button that is, if it is one; tell whether it is."""
        for action in self._errand.actions:
            if widget is not None and widget.id == action:
                self._meant = action
                return True
        return False

    def _confirm(self) -> None:
        """End with the plan for what is meant, as it is on the screen; or say what is still missing."""
        action = self._meant
        if self._error:
            self._say(Cell(self._error, "alarm"))
            return
        if not self._settled:
            self._say(Cell("The list is still being narrowed; look at it, then confirm.", "alarm"))
            return
        plan = self._choice.plan(action)
        number = len(plan.messages)
        field = self.query_one("#count", Input)
        if not number:
            self._say(Cell(f"There is nothing to {action} in what is chosen.", "alarm"))
        elif number > TYPED_ABOVE and not self._errand.read_only and _digits(field.value) != str(number):
            missing = f"More than {TYPED_ABOVE} messages: type {number:,} here, then confirm {_VERBS[action]}."
            self._say(Cell(missing, "alarm"))
            field.select_all()
            field.focus()
        else:
            self.dismiss(plan)


def left_alone(spared: int) -> str:
    """Return in words that so many messages of a client are not meant, since they came with a login."""
    return f"{count(spared)} with a login from there {'is' if spared == 1 else 'are'} left alone"


def _digits(typed: str) -> str:
    return typed.strip().replace(",", "").replace(".", "").replace(" ", "")
