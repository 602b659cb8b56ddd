"""What an administrator does meanwhile, by keys and on the command line; judged by the queue itself."""

import json
from collections import Counter

from tests.hostile.programs import on, run
from tests.hostile.screen import Screen
from tests.mailserver import Postfix, played
from tests.mailserver.stories import ALICE, BOB

from .truth import Wrong


def _expect(postfix: Postfix, what: str, labels: Counter[str], held: int) -> None:
    """Raise unless these are the messages in the queue, by label, and so many are on hold."""
    found = Counter(played(postfix).values())
    on_hold = sum(message.queue_name == "hold" for message in postfix.queue().values())
    if (found, on_hold) != (labels, held):
        raise Wrong(f"after {what}: {dict(found)}, {on_hold} on hold, and not {dict(labels)}, {held} on hold")


def by_keys(terminal: Screen, postfix: Postfix) -> None:
    """Hold, purge and give back what the stolen account has in the queue; it is on hold in the end."""
    before = Counter(played(postfix).values())
    count = before["spam/alice"]
    without = before - Counter({"spam/alice": count})

    def confirm(key: str, done: str) -> None:
        # The list that the dialog shows is the one that this row is from.
        terminal.press_until("Home", rf"▸ {ALICE} .* % +{count} ")
        terminal.press(key)
        terminal.wait_for(f"{count} of {count} messages chosen")
        terminal.press("y")
        terminal.wait_for(done)
        terminal.press("Escape")
        terminal.wait_gone(done)

    confirm("h", rf"Put on hold {count} of {count}\. ")
    _expect(postfix, "holding by keys", before, count)
    confirm("d", rf"Deleted {count} of {count}\. ")
    _expect(postfix, "purging by keys", without, 0)
    terminal.press("u")
    terminal.wait_for("Choose the purge to take back")
    terminal.press_until("Enter", f"Bring back {count}")
    terminal.press("y")
    back = rf"Brought back {count} of {count}, on hold\."
    terminal.wait_for(back)
    terminal.press("Escape")
    terminal.wait_gone(back)
    _expect(postfix, "undoing by keys", before, count)


def by_commands(postfix: Postfix) -> None:
    """The same with the commands for the account whose password is known, while the console looks on."""
    before = Counter(played(postfix).values())
    held = sum(message.queue_name == "hold" for message in postfix.queue().values())
    count = before["spam/bob"]
    bobs = Counter({"spam/bob": count})
    for command, labels, on_hold in (
        (("hold", f"--login={BOB}"), before, held + count),
        (("release", f"--login={BOB}"), before, held),
        (("purge", f"--login={BOB}"), before - bobs, held),
        (("undo",), before, held + count),
    ):
        done = run(on(postfix, *command, "--yes", "--json"))
        acted = json.loads(done.stdout) if done.returncode == 0 else {}
        if len(acted.get("restored" if command[0] == "undo" else "done", ())) != count:
            raise Wrong(f"`{command[0]}` of {count} messages ended with {done.returncode}: {done.stdout}{done.stderr}")
        _expect(postfix, f"`bmtop {command[0]}`", labels, on_hold)
