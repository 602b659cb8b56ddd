"""Two administrators, each with a console, at the same server: both see what is done, and nothing is done twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.programs import on
from tests.hostile.screen import Screen
from tests.hostile.spam import ALICE, COUNT, spammed
from tests.mailserver import Postfix


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    with spammed() as postfix:
        yield postfix


def journal(postfix: Postfix) -> list[tuple[str, str]]:
    lines = Path(postfix.folder, "state", "journal.jsonl").read_text().splitlines()
    return [(entry["action"], entry["state"]) for entry in map(json.loads, lines)]


def test_two_consoles_at_once(postfix: Postfix) -> None:
    before = {id: path.read_bytes() for id, path in postfix.files().items()}
    command = on(postfix, "--window=1h")
    with Screen.running(command) as one, Screen.running(command) as other:
        for console in (one, other):
            console.wait_for(rf"{ALICE} +{COUNT}")
            # Both have frozen the same list.
            console.press_until("d", f"{COUNT} of {COUNT} messages chosen")
        one.press("y")
        one.wait_for(rf"Deleted {COUNT} of {COUNT}")
        other.press("y")
        other.wait_for(rf"Deleted 0 of {COUNT}")
        assert postfix.queue() == {}
        for console in (one, other):
            console.close("esc Close")
            console.wait_for(rf"purge +{ALICE} +done +Deleted {COUNT} of {COUNT}")
        # What one has deleted, the other brings back.
        other.press_until("u", "Bring back…")
        other.press_until("Enter", f"Bring back {COUNT}")
        other.press_until("y", f"Brought back {COUNT} of {COUNT}")
        one.wait_for(rf"hold {COUNT}\b")
        one.wait_for(r"undo .* done")
    assert {id: path.read_bytes() for id, path in postfix.files().items()} == before
    assert next(action for action, state in journal(postfix) if state == "done") == "purge"
    assert ("undo", "done") in journal(postfix)
