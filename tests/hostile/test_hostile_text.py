"""What an attacker writes is read as text, and reaches the terminal, the report and every file as glyphs alone.

Judged by the bytes that bmtop wrote to its terminal, to its output, and into files.
"""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bmtop.cli import main
from tests.hostile.attack import GUESSER, HOSTILE, Attack, logins, play, quoted
from tests.hostile.programs import BMTOP, on, run
from tests.hostile.screen import Screen
from tests.mailserver import Postfix

# What Textual itself writes: modes, colours, places, questions to the terminal, and the shape of the pointer.
OURS = re.compile(rb"\x1b\[[0-9;?<>=]*\$?[a-zA-Z]|\x1b\]22;[a-z-]*\x07|\x07")
SHOWN = (r"\x1b[31;1;5mPWN1", r"\x1b]0;PWN2\x07", r"\u202emoc", "[red]PWN12", "[@click=app.quit]PWN13", r"\xff")


@pytest.fixture(scope="module")
def attack() -> Iterator[Attack]:
    with Postfix.temporary(users=logins(), settings={"line_length_limit": "4096"}) as postfix:
        yield play(postfix)


def assert_glyphs(octets: bytes, also: str = "") -> None:
    """Fail unless these bytes are text that acts on nothing."""
    text = octets.decode("utf-8")
    for char in set(text):
        assert char.isprintable() or char in f"\n{also}\u3000", f"{char!a} in {context(text, char)!a}"
        assert not 0xE0000 <= ord(char) <= 0xE0FFF
        assert not 0xFE00 <= ord(char) <= 0xFE0F
    assert "\u0489" * 4 not in text


def context(text: str, char: str) -> str:
    place = text.index(char)
    return text[max(0, place - 80) : place + 80]


def assert_harmless_on_a_terminal(raw: bytes) -> None:
    """Fail unless what was written to a terminal is Textual's own sequences, and glyphs."""
    assert b"\x1b[31;1;5m" not in raw
    assert b"\x1b]52" not in raw
    assert_glyphs(OURS.sub(b"", raw), also="\r")


def test_the_console_writes_nothing_of_it_to_the_terminal(attack: Attack, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    home = tmp_path / "home"
    home.mkdir()
    command = on(attack.postfix, "--window", "1h")
    script = ["sh", "-c", f"cd {home} && exec script -qefc {shlex.quote(shlex.join(command))} {raw}"]
    seen = ""
    with Screen.running(script, width=200, height=60) as terminal:

        def look(key: str, pattern: str) -> None:
            nonlocal seen
            terminal.press(key)
            seen += terminal.wait_for(pattern)

        def leave(pattern: str) -> None:
            terminal.press("Escape")
            terminal.wait_gone(pattern)

        terminal.wait_for(r"alice@example\.com +\d+")
        terminal.wait_for("PWN20x")
        look("Enter", "In the queue")
        look("s", "newest 20 of 40")
        look("End", "newest 20 of 40")
        leave("Subjects")
        look("d", "40 of 40 messages chosen")
        look("s", r"id +queue.* subject")
        for _ in range(100):
            look("Down", r"▸ \[x\]")
            if "PWN7" in terminal.row("▸ [x]"):
                break
        look("Enter", "addressed to")
        leave("addressed to")
        look("f", "list is saved")
        leave("chosen")
        look("e", "report is saved")
        look("S", "picture is saved")
        look("f", "only alice")
        look("m", "MASKED")
        look("m", "Senders")
        for _ in range(5):
            look("Tab", "Senders")
            look("Enter", "─ Log line|In the queue")
            if "─ Log line" in terminal.screen():
                break
            leave("In the queue")
        leave("─ Log line")
        terminal.press("q")
        assert terminal.wait_ended() == 0
    assert_harmless_on_a_terminal(raw.read_bytes().partition(b"\n")[2].rpartition(b"\nScript done")[0])
    for shown in (
        r"\x1b[31;1;5mPWN1",
        r"\x1b]0;PWN2\x07",
        r"\u202emoc",
        "[red]PWN12",
        "[@click=app.quit]PWN13",
        r"\xff",
    ):
        assert shown in seen, f"{shown} was there to be read"
    files = {path.suffix: path for path in home.iterdir()}
    assert len(list(home.iterdir())) == 3
    for path in home.iterdir():
        assert_glyphs(path.read_bytes(), also="\t")
        assert path.stat().st_mode & 0o777 == 0o600
    assert_picture(files[".svg"])


def assert_picture(path: Path) -> None:
    """Fail unless the picture is a well-formed one that runs nothing and loads nothing but its font."""
    tree = ElementTree.parse(path)
    kinds = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert kinds <= {"svg", "style", "defs", "clipPath", "rect", "text", "g", "circle"}, kinds
    for element in tree.iter():
        assert not any(name.lower().startswith("on") or name.endswith("href") for name in element.attrib)
    assert "PWN" in "".join(tree.getroot().itertext())


def test_the_reports_hold_nothing_of_it(attack: Attack) -> None:
    text = run(on(attack.postfix, "--window", "1h", "report"))
    assert text.returncode == 0
    assert_glyphs(text.stdout.encode("utf-8", "surrogateescape"))
    assert_glyphs(text.stderr.encode("utf-8", "surrogateescape"))
    assert max(map(len, text.stdout.splitlines())) < 1000, "a name of 900 characters does not make a table of them"
    told = run(on(attack.postfix, "--window", "1h", "report", "--json"))
    assert told.stdout.isascii()
    assert re.fullmatch(r"[\n\x20-\x7e]+", told.stdout)
    report = json.loads(told.stdout)
    tried = {login for row in report["failed_logins"] if row["client"] == GUESSER.address for login in row["logins"]}
    assert any("PWN7\u202emoc.elpmaxe" in login for login in tried), "JSON has it exactly"


def test_the_answers_of_the_command_line_hold_nothing_of_it(attack: Attack, capfd: pytest.CaptureFixture[str]) -> None:
    commands: list[tuple[str, ...]] = [("check",), ("undo", "--list")]
    for kind, text in HOSTILE.items():
        commands += [
            ("hold", "--sender", quoted(kind, text[:60]), "--dry-run"),
            ("purge", "--login", f"{kind}{text}@example.com", "--dry-run"),
            ("hold", "--recipient", text, "--dry-run", "--json"),
            ("logout", text),
            ("purge", "--subject", f"({text}", "--dry-run"),
            ("undo", text, "--yes"),
            ("purge", "--id", text),
            (text,),
            ("report", "--since", text),
        ]
    for command in commands:
        with suppress(SystemExit):
            main(on(attack.postfix, *command)[len(BMTOP) :])
        out, err = capfd.readouterr()
        assert out or err
        assert_glyphs(out.encode("utf-8", "surrogateescape"))
        assert_glyphs(err.encode("utf-8", "surrogateescape"))
        assert "itself failed" not in err


def test_what_was_done_about_it_is_journalled_and_shown_as_text(attack: Attack, tmp_path: Path) -> None:
    for kind in ("c1", "markup", "broken", "pile", "override", "action"):
        done = run(on(attack.postfix, "hold", "--sender", quoted(kind, HOSTILE[kind][:60]), "--yes"))
        assert done.returncode == 0, done.stderr
        assert "Held 2 of 2" in done.stdout
    journal = (attack.postfix.folder / "state" / "journal.jsonl").read_bytes()
    assert_glyphs(journal)
    assert journal.isascii()
    raw = tmp_path / "raw"
    script = ["script", "-qefc", shlex.join(on(attack.postfix)), str(raw)]
    with Screen.running(script, width=200, height=60) as terminal:
        terminal.wait_for(r"\\u202emoc.* done +2 of 2 messages put on hold")
        terminal.wait_for(r"\[@click=app.* done +2 of 2 messages put on hold")
        terminal.press("q")
        assert terminal.wait_ended() == 0
    assert_harmless_on_a_terminal(raw.read_bytes().partition(b"\n")[2].rpartition(b"\nScript done")[0])
