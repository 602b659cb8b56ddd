"""How far an action is that runs in a thread."""

from bmtop.checked import Refused


class Steps:
    """How far an action is. The action's thread reports, the event loop looks; each is one assignment."""

    def __init__(self) -> None:
        self.newest: tuple[int, int, str] = (0, 0, "begins")
        self.stopped = False

    def report(self, done: int, total: int, step: str) -> None:
        """Note how far it is; raises `Refused` where the user asked to stop."""
        if self.stopped:
            raise Refused("Stopped as you asked; the journal says how far it came.")
        self.newest = (done, total, step)
