"""Before bmtop ends: what would end with it."""

from bmtop.console.containments import Containment
from bmtop.console.deeds.runner import Runner
from bmtop.console.dialogs.confirm import Confirm
from bmtop.console.figures import count
from bmtop.console.text import Cell, Line


async def may_leave(runner: Runner) -> bool:
    """Say what is still held or watched, and ask whether bmtop may end nevertheless."""
    lines: list[str | Cell | Line] = [line for found in runner.containments.open for line in _lines(found)]
    lines += ["", Cell("bmtop hold --follow goes on without the console.", "dim")]
    answer = await runner.ask(Confirm("Quit anyway?", lines, "Quit"))
    return answer is True


def _lines(found: Containment) -> list[Line]:
    told: list[Line] = []
    if found.held is not None:
        told.append((Cell(f"{found.name}: ", "strong"), Cell(f"keep holding ends; {count(found.held)} held so far.")))
    verdict = found.runbook.verdict if found.runbook else None
    if verdict is not None and verdict.state != "contained":
        told.append((Cell(f"{found.name}: ", "strong"), Cell(f"nobody watches any more. {verdict.sentence}", "warn")))
    return told
