"""A bot with an open, logged in connection is contained from the console, on a real Postfix with a real saslauthd.

Judged by the bot's own connection, by ss, and by the queue's files.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, OLD, SMITH
from tests.containment.saslauthd import saslauthd
from tests.containment.test_bots import LETTER, OFFICE, STAYS, connected_to
from tests.mailserver import Postfix, Session, wait_until
from tests.terminal.terminal import Terminal


@contextmanager
def site(folder: Path) -> Iterator[tuple[Postfix, list[str]]]:
    """A server where saslauthd goes on taking the old password for ten minutes, and the command that looks at it."""
    core = Core(folder)
    token = folder / "bm-core.tok"
    token.write_text(rest_standin.KEY)
    with (
        Postfix.temporary() as postfix,
        rest_standin.serving(core) as rest,
        saslauthd(postfix, core.can_log_in) as restart,
    ):
        settings = folder / "bmtop.toml"
        settings.write_text(
            f'sasl_restart = ["{restart}"]\nbm_cli = "/no/bm-cli"\nbm_api = "{rest.url}"\nbm_token = "{token}"\n'
        )
        yield postfix, [
                sys.executable, "-m", "bmtop", "--config", str(settings), "--postfix", str(postfix.etc),
                "--log", str(postfix.log), "--state", str(postfix.folder / "state"),
            ]  # fmt: skip


def run(terminal: Terminal, step: str, pattern: str) -> None:
    """Put the cursor on a step, and press enter, until the screen has the regular expression."""
    terminal.press("Home")
    terminal.press_until("Down", f"▸ {step}")
    terminal.press_until("Enter", pattern)


def confirm_purge(terminal: Terminal) -> None:
    """Confirm the list that is shown, by its number where that is asked for."""
    found = re.search(r"Purge ([\d,]+)", terminal.wait_for(r"Purge [\d,]+ "))
    assert found
    number = found[1].replace(",", "")
    if int(number) <= 100:
        terminal.press_until("y", "messages deleted")
        return
    for _ in range(5):
        # A dialog that has just opened may lose a digit, and then it does not let one go on.
        terminal.press("C-u")
        terminal.type(number)
        terminal.press("Enter")
        with suppress(AssertionError):
            terminal.press_until("Enter", "messages deleted", tries=2)
            return
    raise AssertionError(terminal.screen())


def until(terminal: Terminal, holds: Callable[[], bool], what: str) -> None:
    """Wait for something besides the screen; fails with the screen otherwise."""
    try:
        wait_until(holds, 30)
    except TimeoutError:
        raise AssertionError(f"waited for: {what}; the screen:\n{terminal.screen()}") from None


def do_what_is_missing(terminal: Terminal) -> None:
    terminal.press_until("!", "Do it")
    terminal.press("y")
    terminal.wait_gone("Do it")


def test_a_bot_with_an_open_connection_is_found_alarmed_about_and_stopped(tmp_path: Path) -> None:
    with site(tmp_path) as (postfix, command):
        with Session(postfix.ports.submission, OFFICE) as colleague:
            assert colleague.log_in(SMITH, OLD[SMITH])
            letter = colleague.send(LETTER).queue_id
        with Bot(postfix, STAYS, JANE, OLD[JANE], stays=True) as bot, Terminal.running(command) as terminal:
            wait_until(lambda: bot.sent)
            terminal.wait_for(rf"▸ {re.escape(JANE)}")

            terminal.press_until("c", f"─ Contain {JANE}")
            terminal.press("Enter")
            terminal.wait_for("messages held; what comes in is held as well")
            run(terminal, "Set a new password", "Make one and set it")
            terminal.press_until("Right", "Make one")
            terminal.press("Enter")
            terminal.wait_for("note it down now")
            terminal.press("Escape")
            terminal.wait_gone("note it down now")
            run(terminal, "Log out of", "Do it")
            terminal.press_until("y", "2 sessions were open, none is now")
            run(terminal, "Watch whether it worked", "ALARM|WATCHING")

            # The old connection still takes mail: the watch says so, and names the step.
            terminal.wait_for("ALARM .*its SMTP connection from 203.0.113.60 is still open")
            terminal.press("Escape")
            screen = terminal.wait_for(f"ALARM {JANE}: .*after the new password: its SMTP connection")
            assert "End its SMTP connections" in screen
            assert not bot.shut_out
            do_what_is_missing(terminal)
            until(terminal, lambda: bot.connections > 1, "its connection was ended, and the cache lets it in again")

            terminal.press_until("c", f"─ Contain {JANE}")
            terminal.wait_for("ALARM .*the SASL cache still has it")
            terminal.press("a")
            terminal.wait_for("Do all of it")
            terminal.press("y")
            confirm_purge(terminal)
            terminal.wait_for("ALARM .*its SMTP connection from 203.0.113.60 is still open")
            do_what_is_missing(terminal)
            screen = terminal.wait_for("WATCHING  Quiet for")
            for word in ("ALARM", "FAILED", "MISSING"):
                assert word not in screen
            until(terminal, lambda: bot.shut_out, "it cannot log in any more")
            # It goes on trying to log in, and is disconnected each time.
            until(terminal, lambda: connected_to(postfix) == [], "its connection is gone")
            sent = list(bot.ids)

            def on_hold() -> set[str]:
                return {path.name for path in (postfix.spool / "hold").iterdir()}

            def all_held() -> bool:
                return set(sent) & set(postfix.queue()) <= on_hold()

            until(terminal, all_held, "what came in after the purge is held")
            queue = postfix.queue()
            assert len(set(sent) & set(queue)) < len(sent)
            assert letter in queue
            assert letter not in on_hold(), "the colleague's letter was left alone"

            terminal.press("Escape")
            terminal.wait_for(rf"{re.escape(JANE)} .*CONTAINING")
            terminal.press_until("q", "Quit anyway")
            terminal.press_until("y", "Keep holding has ended: [0-9,]+ messages? of")
            assert terminal.wait_ended() == 0
            assert bot.ids == sent, "nothing more was taken from it"
