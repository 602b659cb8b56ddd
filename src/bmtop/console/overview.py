"""The overview: all panes, filled from one picture."""

import math
import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from bmtop import console
from bmtop.console import blocked, dialogs
from bmtop.console.acting import Acting
from bmtop.console.alert import Alert
from bmtop.console.deeds.runner import Runner
from bmtop.console.figures import window
from bmtop.console.panes.banner import Banner
from bmtop.console.panes.failed import FailedLogins, rows
from bmtop.console.panes.gauge import Gauge, against
from bmtop.console.panes.journal import Journal
from bmtop.console.panes.keybar import KeyBar
from bmtop.console.panes.log import KEPT, LiveLog
from bmtop.console.panes.needle import Needle
from bmtop.console.panes.pane import Pane
from bmtop.console.panes.problems import Problems
from bmtop.console.panes.relays import Relays
from bmtop.console.panes.senders import Senders
from bmtop.console.panes.tabs import Tabs
from bmtop.console.panes.title import Title
from bmtop.console.ports import Monitor, Responder
from bmtop.console.table import Table
from bmtop.console.target import Target
from bmtop.console.text import MASKED
from bmtop.incident.picture import Picture
from bmtop.response.journal import actions

WINDOWS = (300.0, 900.0, 3600.0, 21600.0, 86400.0)
WIDE, HIGH = 120, 38
"""Columns and lines from which on all panes are seen at once."""
_FEW = 5  # lines of the log


class Overview(Acting):
    AUTO_FOCUS = ".-current"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="only rows that name a text"),
        Binding("s", "sort", "Sort", tooltip="sort by the next column; a click on a column's head does it as well"),
        Binding("w", "window", "Window", tooltip="5m, 15m, 1h, 6h, 24h: the time span that the panes cover"),
        Binding("space", "pause", "Pause", key_display="space", tooltip="freeze the view; reading goes on"),
        Binding("f", "follow", "Follow", tooltip="the log: only lines about the selected row, or all"),
        Binding("b", "blocked", "Blocked", tooltip="who refuses our mail: since when, how much, in which words"),
        Binding("tab", "pane(1)", "Next pane", show=False, key_display="tab", tooltip="to the next pane"),
        Binding("shift+tab", "pane(-1)", "Pane before", show=False, tooltip="to the pane before"),
        Binding("escape", "clear", "Clear", show=False, tooltip="clear the filter, or put a problem away"),
    ]

    def __init__(
        self, server: str, monitor: Monitor, responder: Responder, runner: Runner, clock: Callable[[], float]
    ) -> None:
        super().__init__(runner)
        # As on most terminals; where they change, all styles are worked out once more before the first screen.
        self.add_class("-wide", "-high", update=False)
        self._server = server
        self._monitor = monitor
        self._responder = responder
        self._clock = clock
        self._picture = monitor.picture(clock())
        self._alert = Alert()
        self._paused = False
        self._log_shown = -math.inf
        self._following = False
        self._put_away: set[str] = set()
        self._current = 0
        self._selected: Target | None = None
        self.broken = ""

    @property
    def picture(self) -> Picture:
        """What the panes show."""
        return self._picture

    @property
    def _panes(self) -> list[Pane[Any]]:
        return list(self.query(Pane))

    @property
    def _pane(self) -> Pane[Any]:
        return self._panes[self._current]

    @property
    def target(self) -> Target | None:
        """What is selected in this pane; where it has nothing to act on, as log and journal, what was before."""
        return self._pane.target or self._selected

    def compose(self) -> ComposeResult:
        yield Title(self._server)
        yield Banner()
        yield Problems()
        yield Gauge()
        yield Tabs()
        with Container(id="panes"):
            yield Senders(self._runner.containments.mark)
            yield Relays(self._runner.containments.mark)
            yield FailedLogins()
            yield LiveLog()
            yield Journal()
        yield Needle()
        yield KeyBar()

    def on_mount(self) -> None:
        self._go(0)
        self.look()
        self._read_journal()
        self.set_interval(1.0, self.look)
        self.set_interval(0.25, self._look_at_news)
        self.set_interval(1.0, self._read_journal)

    def _look_at_news(self) -> None:
        """Look again where there is something new; in a flood the keys come first, and once a second is enough."""
        _, lines = self._monitor.log_lines(self.query_one(LiveLog).read)
        if not self._paused and len(lines) < KEPT and self._monitor.picture(self._clock()) != self._picture:
            self.look()

    def look(self) -> None:
        """Look again: once a second and at what is new; only what changed is painted."""
        now = self._clock()
        if not self._paused:
            self._picture = self._monitor.picture(now)
            self._fill(now)
            self._show_log(now)
        self._look_at_containments()
        self._say_on_whom()
        self.query_one(Title).fill(self._picture, now, self._modes())
        self.query_one(Tabs).fill([f"{p.BORDER_TITLE} {p.about}" for p in self._panes], self._current)

    def _show_log(self, now: float) -> None:
        """Show the newest lines: a few at once, many once a second, since nobody reads faster."""
        log = self.query_one(LiveLog)
        count, lines = self._monitor.log_lines(log.read)
        if len(lines) <= _FEW or time.monotonic() - self._log_shown >= 1.0:
            self._log_shown = time.monotonic()
            log.add(count, lines, now, live=self._picture.complete)

    def _look_at_containments(self) -> None:
        """Show the alarms, paused or not; each is heard once."""
        containments = self._runner.containments
        self.query_one(Banner).fill(containments)
        # Each is asked: what was heard together is not heard again.
        news = [containment.heard() for containment in containments]
        if any(news):
            self.app.bell()

    def _fill(self, now: float) -> None:
        picture = self._picture
        troubles = self._troubles()
        self._put_away &= set(troubles)
        told = [f"{trouble} (escape puts it away)" for trouble in troubles if trouble not in self._put_away]
        problems = tuple(filter(None, (self.broken, *told, *picture.problems)))
        self.query_one(Problems).fill(problems, picture.blocked, now)
        self.query_one(Gauge).fill(picture, now)
        self.query_one(Senders).fill(picture.senders, picture, now)
        self.query_one(Relays).fill(picture.relays, picture, now)
        self.query_one(FailedLogins).fill(rows(picture.failed_logins, picture.attacked), picture, now)
        gauge = picture.queue
        if gauge is not None and self._alert.heard(gauge.state):
            self.app.bell()
            if self.app.size.width < WIDE or self.app.size.height < HIGH:
                # It would lie over the one pane that is seen; the gauge says the same.
                return
            self.notify(
                f"{gauge.total:,} messages queued, {against(gauge)}.",
                title="Queue CRITICAL",
                severity="error",
                timeout=10,
                markup=False,
            )

    def _troubles(self) -> list[str]:
        """Return what keeps a containment from doing its work, a sentence each."""
        return [f"{c.name}: {c.problem}" for c in self._runner.containments if c.problem]

    def _modes(self) -> tuple[str, ...]:
        modes = {
            "READ-ONLY": self._responder.read_only,
            "PAUSED": self._paused,
            "MASKED": self.app.has_class(MASKED),
        }
        return (*self._runner.containments.words(), *(word for word, on in modes.items() if on))

    def _read_journal(self) -> None:
        """Look at the journal: others may act on this server as well."""
        if not self._paused:
            self.query_one(Journal).put(actions(self._responder.journal(400)), self._clock())

    def _go(self, index: int) -> None:
        """Go to the pane at `index`; where the terminal is small, it is the one that is seen."""
        panes = self._panes
        self.set_focus(panes[index % len(panes)])

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:
        """Move the focus, and at once make the pane that gets it the current one: the event about it comes late."""
        super().set_focus(widget, scroll_visible, from_app_focus)
        if isinstance(widget, Pane):
            # What was selected in the pane that is left.
            self._select()
            panes = self._panes
            self._current = panes.index(widget)
            for pane in panes:
                pane.set_class(pane is widget, "-current")
            self.query_one(Needle).close()
            self._select()

    def action_pane(self, by: int) -> None:
        self._go(self._current + by)
        self.look()

    def on_tabs_picked(self, event: Tabs.Picked) -> None:
        self._go(event.index)
        self.look()

    def on_table_moved(self, event: Table.Moved) -> None:
        self._select()

    def _select(self) -> None:
        target = self._pane.target
        if target is not None:
            self._selected = target
            self.refresh_bindings()
            if self._following:
                self.query_one(LiveLog).follow_target(target, self._clock())
        self._say_on_whom()

    def _say_on_whom(self) -> None:
        """Where the current pane has no row to act on, have it name whom the keys act on."""
        for pane in self._panes:
            pane.act_on(self._selected if pane is self._pane and pane.target is None else None)

    async def on_table_chosen(self, event: Table.Chosen) -> None:
        # Another pane may have become the current one meanwhile.
        if event.table is self._pane:
            await self.run_action("details")

    def action_details(self) -> None:
        pane = self._pane
        if isinstance(pane, LiveLog) and pane.current is not None:
            self.app.push_screen(dialogs.notice.Notice("Log line", [pane.current.text]))
        elif isinstance(pane, Journal) and pane.current is not None:
            self.app.push_screen(dialogs.notice.Notice("Journal", pane.in_full(self._clock())))
        elif pane.target is not None:
            self.app.push_screen(
                console.details.Details(pane.target, self._monitor, self._responder, self._runner, self._clock)
            )

    def action_follow(self) -> None:
        self._following = not self._following
        self.query_one(LiveLog).follow_target(self._selected if self._following else None, self._clock())

    def action_blocked(self) -> None:
        lines = blocked.lines(self._picture.blocked, self._clock())
        self.app.push_screen(dialogs.notice.Notice("Who refuses our mail", lines, tall=True))

    def action_sort(self) -> None:
        self._pane.sort_next()

    def action_window(self) -> None:
        longer = [w for w in WINDOWS if w > self._monitor.window]
        self._monitor.window = longer[0] if longer else WINDOWS[0]
        self.notify(f"The panes cover {window(self._monitor.window)} now.", markup=False)
        self.look()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.look()

    def action_filter(self) -> None:
        needle = self.query_one(Needle)
        needle.open(self._pane)
        self.set_focus(needle)

    def action_clear(self) -> None:
        """Clear the filter; where there is none, put away the problems of containments, until there is another."""
        if not (self._pane.needle or self.query_one(Needle).display):
            self._put_away = set(self._troubles())
            self._fill(self._clock())
        self._pane.filter("")
        self.set_focus(self._pane)

    def on_input_submitted(self) -> None:
        self.set_focus(self._pane)
