"""A screen on which something is selected that can be acted on."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from bmtop.console.deeds import Deeds
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

    def __init__(self, deeds: Deeds) -> None:
        super().__init__()
        self._deeds = deeds

    @property
    def target(self) -> Target | None:
        """The login or client that is selected."""
        raise NotImplementedError

    def _begin(self, deed: Callable[[Target], Coroutine[Any, Any, None]]) -> None:
        target = self.target
        if target is None:
            self.notify("Nothing is selected; choose a login or a client first.", severity="warning", markup=False)
        else:
            self._deeds.start(lambda: deed(target))

    def action_logout(self) -> None:
        self._begin(self._deeds.logout)

    def action_password(self) -> None:
        self._begin(self._deeds.password)

    def action_messages(self, action: MessageAction) -> None:
        self._begin(lambda target: self._deeds.messages(action, target))

    def action_undo(self) -> None:
        self._deeds.start(self._deeds.undo)
