"""A screen on which something is selected that can be acted on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from bmtop.console import deeds
from bmtop.console.deeds.runner import Runner
from bmtop.console.target import Target

if TYPE_CHECKING:
    from bmtop.response.plan import MessageAction


class Acting(Screen[None]):
    """The keys that change something, on whatever `target` is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "contain", "Contain", tooltip="the runbook: all steps that stop it, and a watch that it worked"),
        Binding("l", "logout", "Logout", tooltip="end the sessions of the selected login"),
        Binding("p", "password", "Password", tooltip="set a new password for the selected login"),
        Binding(
            "d", "messages('purge')", "Purge", tooltip="delete what it has in the queue; u takes it back for 24 hours"
        ),
        Binding("h", "messages('hold')", "Hold", tooltip="stop what it has in the queue, or release it again"),
        Binding("u", "undo", "Undo", tooltip="bring back the messages of a purge, on hold"),
        Binding("t", "untrust", "Untrust", tooltip="take the selected client out of mynetworks; again: put it back"),
        Binding("H", "keep_holding", "Keep holding", tooltip="hold what it newly queues as well; again: end that"),
        Binding("k", "known", "Known", tooltip="mark the selected client as an honest relay, or take that back"),
        Binding(
            "exclamation_mark",
            "remedy",
            "Missing step",
            show=False,
            key_display="!",
            tooltip="in an alarm: run the step that is missing",
        ),
    ]

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner

    @property
    def target(self) -> Target | None:
        """The login or client that is selected."""
        raise NotImplementedError

    @property
    def aside(self) -> frozenset[str]:
        """The keys that are for the other kind of target: they come last where not all have room."""
        target = self.target
        return frozenset("tk") if target is None or target.login is not None else frozenset("lp")

    def _begin(self, deed: Callable[[Runner, Target], Coroutine[Any, Any, None]]) -> None:
        target = self.target
        if target is None:
            self.notify("Nothing is selected; choose a login or a client first.", severity="warning", markup=False)
        else:
            self._runner.start(deed(self._runner, target))

    def action_logout(self) -> None:
        self._begin(deeds.accounts.logout)

    def action_password(self) -> None:
        self._begin(deeds.accounts.password)

    def action_messages(self, action: MessageAction) -> None:
        self._begin(lambda runner, target: deeds.messages.messages(runner, action, target))

    def action_undo(self) -> None:
        self._runner.start(deeds.messages.undo(self._runner))

    def action_contain(self) -> None:
        self._begin(deeds.containment.contain)

    def action_keep_holding(self) -> None:
        self._begin(deeds.holding.keep_holding)

    def action_untrust(self) -> None:
        self._begin(deeds.relays.untrust)

    def action_known(self) -> None:
        self._begin(deeds.relays.known)

    def action_remedy(self) -> None:
        """Run the step that the first alarm asks for; where that is none of its own, show its runbook."""
        alarmed = self._runner.containments.alarmed
        if alarmed is None:
            self.notify("There is no alarm.", markup=False)
        elif alarmed.missing is None:
            self._runner.start(deeds.containment.contain(self._runner, alarmed.target))
        else:
            self._runner.start(deeds.containment.step(self._runner, alarmed, alarmed.missing.name))
