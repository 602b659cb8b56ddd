"""Keys that come in one piece, as over a slow line, in a real terminal: the console ends where each leads."""

import sys
import time
from pathlib import Path

from tests.terminal.terminal import Terminal


def test_tabs_and_a_filter_at_once_lead_to_one_pane_and_stay_there(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "bmtop", "--postfix", str(tmp_path / "etc"), "--log", str(tmp_path / "mail.log"),
        "--state", str(tmp_path / "state"),
    ]  # fmt: skip
    with Terminal.running(command, width=80, height=24) as terminal:
        terminal.wait_for("There is no log")
        for keys, pane in (
            (["Tab"] * 7, "Failed logins"), (["BTab"] * 3, "Journal"), (["Tab", "Tab", "BTab"], "Senders"),
        ):  # fmt: skip
            terminal.press(*keys)
            terminal.wait_for(rf"\[{pane} 0\]")
            time.sleep(0.7)
            assert f"[{pane} 0]" in terminal.screen(), "nothing comes after"
        terminal.type("/bob")
        terminal.wait_for("No login names bob")
        assert "Who refuses our mail" not in terminal.screen(), "no letter of it was a key"
