"""The report and the check, as people, cron and a monitoring system meet them."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bmtop import commands, report
from bmtop.config import Settings
from bmtop.incident.picture import Blocked
from tests.console.desk import NOW, Desk, failed_login
from tests.hostile.programs import on
from tests.hostile.pty import Pty
from tests.mailserver import Client, Player, Postfix
from tests.mailserver.stories import incident
from tests.purge.commandline import Bmtop


@pytest.fixture(scope="module")
def attacked() -> Iterator[Postfix]:
    """A Postfix with a small incident in its log and its queue."""
    with Postfix.temporary() as postfix:
        incident(Player(postfix), scale=40)
        postfix.settle()
        yield postfix


def test_check_says_it_in_one_line_and_by_its_status(attacked: Postfix) -> None:
    bmtop, queued = Bmtop(attacked), len(attacked.queue())
    for arguments, status, word in (
        (("--critical", str(queued)), 2, "CRITICAL"),
        (("--warning", str(queued), "--critical", "100000"), 1, "WARNING"),
        # Nothing is wrong with the queue, but somebody is suspected.
        (("--warning", "100000", "--critical", "100000"), 1, "WARNING"),
    ):
        said = bmtop("check", *arguments)
        assert said.status == status
        assert said.out.startswith(f"BMTOP {word} - {queued} queued, suspected: alice@example.com (")
        assert said.out.count("\n") == 1
        assert f" | queue={queued};" in said.out


def test_check_is_ok_where_all_is_well(tmp_path: Path) -> None:
    with Postfix.temporary() as postfix:
        said = Bmtop(postfix, tmp_path)("check")
    assert (said.status, said.out) == (0, "BMTOP OK - 0 queued | queue=0;200;200;0\n")


@pytest.mark.parametrize("wrong", [("--warning", "x"), ("--postfix", "/nowhere"), ("--critical",), ("more",)])
def test_a_check_that_cannot_be_made_is_unknown_and_no_alarm(attacked: Postfix, wrong: tuple[str, ...]) -> None:
    said = Bmtop(attacked)("check", *wrong)
    assert said.status == 3
    assert "Traceback" not in said.out + said.err


def test_wrong_use_of_any_other_command_is_2(attacked: Postfix) -> None:
    assert Bmtop(attacked)("report", "--since", "x").status == 2


def test_what_cannot_be_read_is_null_and_said_once(attacked: Postfix) -> None:
    bmtop = Bmtop(attacked)
    told = bmtop("--postfix", "/nowhere", "report", "--json")
    assert told.status == 0
    assert told.json["queue"] is None
    assert told.json["senders"][0]["login"] == "alice@example.com"
    assert {row["queued"] for row in told.json["senders"]} == {None}
    (problem,) = told.json["problems"]
    assert problem in told.err
    assert told.err.count("\n") == 1

    text = bmtop("--postfix", "/nowhere", "report").out
    head, row = (line for line in text.splitlines() if line.startswith(("  login ", "  alice@")))
    assert row.index(" ? ") + 2 == head.index("queued") + len("queued"), "it stands under its heading"


def test_a_name_that_many_addresses_try_is_a_row_of_its_own() -> None:
    addresses = ("203.0.113.5", "203.0.113.6", "2001:db8::7")
    with Postfix.temporary() as postfix:
        player = Player(postfix)
        for address in addresses:
            player.fail_logins(Client(address), ["info@example.com"] * 2)
        postfix.settle()
        told = Bmtop(postfix)("report", "--json").json
    assert told["attacked"] == [
        {"login": "info@example.com", "clients": dict.fromkeys(addresses, 2), "failures": 6, "succeeded": []}
    ]


def test_the_report_tells_what_was_done_and_why_in_whole_sentences() -> None:
    with Postfix.temporary() as postfix:
        incident(Player(postfix), scale=40)
        postfix.settle()
        bmtop = Bmtop(postfix)
        reasons = next(row["reasons"] for row in bmtop("report", "--json").json["senders"] if row["reasons"])
        assert "\nActions: none\n" in bmtop("report").out
        held = bmtop("hold", "--login=alice@example.com", "--yes").out.split()[1]
        journal = bmtop.state / "journal.jsonl"
        earlier = [json.loads(line) | {"time": 0.0, "number": "earlier"} for line in journal.read_text().splitlines()]
        journal.write_text("".join(json.dumps(entry) + "\n" for entry in earlier) + journal.read_text())
        text = bmtop("report").out
        why = next(line for line in text.splitlines() if line.startswith("  alice@example.com"))
        assert why.endswith("; ".join(reasons))
        (action,) = text.partition("\nActions\n")[2].splitlines()[1:]
        assert " hold    alice@example.com  done   " in action
        assert action.endswith(f"{held} of {held} messages put on hold.")
        with Pty.running(on(postfix, "report"), environment={"COLUMNS": "100"}) as terminal:
            assert terminal.ended() == 0
            terminal.wait_for(b"Actions")
            shown = terminal.written.decode().replace("\r\n", "\n").split("\n")
        assert next(line for line in shown if line.startswith("  alice@example.com")) == f"{why[:99]}…"
        assert any("Actions" in line for line in shown)


def test_what_other_servers_answer_is_whole_and_names_left_out_are_counted() -> None:
    desk = Desk()
    answer = "421 4.7.0 [192.0.2.10] Our system has detected an unusual rate of unsolicited mail. " * 4
    desk.blocked = (Blocked("Gmail", "provider", NOW, NOW, 3, 3, "mx.example.net", answer.strip()),)
    desk.failed = [failed_login("203.0.113.5", logins=tuple((f"{n}@example.com", 1) for n in range(12)))]
    text = report.as_text(desk.picture(), None)
    assert answer.strip() in text
    assert "4@example.com 1, and 7 more\n" in text
    assert "\nActions: not known\n" in text
    assert max(map(len, report.as_text(desk.picture(), None, width=80).splitlines())) == 80


def test_a_damaged_journal_leaves_the_report_readable(attacked: Postfix, tmp_path: Path) -> None:
    bmtop, journal = Bmtop(attacked, tmp_path), tmp_path / "journal.jsonl"
    assert bmtop("hold", "--login=alice@example.com", "--yes").status == 0
    good = journal.read_text()
    strange = json.dumps(json.loads(good.splitlines()[0]) | {"time": 1e20, "number": "strange"})
    journal.write_text(f"{'[' * 100_000}\n{strange}\n{good}")
    told = bmtop("report")
    assert (told.status, told.err) == (0, "")
    (action,) = told.out.partition("\nActions\n")[2].splitlines()[1:]
    assert " hold    alice@example.com  done   " in action
    journal.unlink()
    journal.mkdir()
    told = bmtop("report")
    assert told.status == 0
    assert "\nActions: not known\n" in told.out
    assert told.err == f"The journal {journal} cannot be read (is a directory); see what is there.\n"


@pytest.mark.parametrize("how", [(), ("--mask",), ("--json",)])
def test_a_journal_that_is_a_link_is_said_once(attacked: Postfix, tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "journal.jsonl").symlink_to("/etc/passwd")
    told = Bmtop(attacked, tmp_path)("report", *how)
    assert told.err.count("The journal ") == 1


def test_an_exported_report_says_why_what_was_done_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = tmp_path / "state" / "journal.jsonl"
    journal.mkdir(parents=True)
    settings, sentence = Settings(state=tmp_path / "state"), f"The journal {journal} cannot be read (is a directory);"
    for known in ((), (f"{sentence} see what is there.",)):
        # The console may have looked before the journal was damaged.
        picture = replace(Desk().picture(time.time()), problems=known)
        path = commands.export(picture, settings, None)
        text = path.read_text(encoding="utf-8")
        path.unlink()
        assert "\nActions: not known\n" in text
        assert text.count(f"! {sentence} see what is there.\n") == 1
