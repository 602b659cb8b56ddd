"""A screen on which something is selected that can be acted on."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from bmtop.console.deeds.accounts import logout, password
from bmtop.console.deeds.messages import messages, undo
from bmtop.console.deeds.runner import Runner
from bmtop.console.target import Target
from bmtop.response.plan import MessageAction


class Acting(Screen[None]):
    """The keys that change something, on whatever `target` is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "logout", "Logout", tooltip="end the sessions of the selected login"),
        Binding("p", "password", "Password", tooltip="set a new password for the selected login"),
        Binding(
            "d", "messages('purge')", "Purge", tooltip="delete what it has in the queue; u takes it back for 24 hours"
        ),
        Binding("h", "messages('hold')", "Hold", tooltip="stop what it has in the queue, or release it again"),
        Binding("u", "undo", "Undo", tooltip="bring back the messages of a purge, on hold"),
    ]

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self._runner = runner

    @property
    def target(self) -> Target | None:
        """The login or client that is selected."""
        raise NotImplementedError

    def _begin(self, deed: Callable[[Runner, Target], Coroutine[Any, Any, None]]) -> None:
        target = self.target
        if target is None:
            self.notify("Nothing is selected; choose a login or a client first.", severity="warning", markup=False)
        else:
            self._runner.start(deed(self._runner, target))

    def action_logout(self) -> None:
        self._begin(logout)

    def action_password(self) -> None:
        self._begin(password)

    def action_messages(self, action: MessageAction) -> None:
        self._begin(lambda runner, target: messages(runner, action, target))

    def action_undo(self) -> None:
        self._runner.start(undo(self._runner))
