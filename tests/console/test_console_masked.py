"""Masked: nobody reads whose an address is, each is told from the others; and what is saved meanwhile is masked."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop import commands, report
from bmtop.config import Settings
from bmtop.incident.picture import Picture
from bmtop.mask import Mask
from bmtop.response.journal import Journal, actions
from tests.console.desk import HONEST, STOLEN, Hands, console, failed_login, queue
from tests.console.ward import alarm

NAMES = st.sampled_from(["alice", "Alice", "anna", "bob", "a.b+c", '"a b"', "•••", "•••2"])
ADDRESSES = st.builds("{}@{}".format, NAMES, st.sampled_from(["example.com", "mail.example.com", "[192.0.2.1]"]))


@given(st.lists(ADDRESSES, max_size=30))
def test_two_addresses_are_masked_alike_only_where_they_are_the_same(addresses: list[str]) -> None:
    mask = Mask()
    hidden = {address: mask.text(address) for address in addresses}
    for address, shown in hidden.items():
        assert mask.text(f"from=<{address}>, {address}") == f"from=<{shown}>, {shown}", "it stays the same"
        assert mask.text(shown) == shown, "it is not masked once more"
        assert mask.name(address) == shown, "also as a login"
    readable = {a for a in addresses if not a.startswith("•")}
    assert len({hidden[a] for a in readable}) == len({a.lower() for a in readable})


@pytest.mark.timeout(20)
@pytest.mark.parametrize("strange", ["a" * 100_000, "a." * 50_000, '"a' * 50_000, "a@[" * 33_000], ids=lambda s: s[:3])
def test_the_longest_word_of_a_subject_holds_nobody_up(strange: str) -> None:
    mask = Mask()
    address = "alice@example.com"
    assert mask.text(f"{address} {strange} {address}").startswith("•••@example.com ")
    assert mask.text(f"{strange} {address}").endswith(" •••@example.com"), "what stands behind it is hidden as well"
    assert mask.text(f"{strange},{address}").endswith(",•••@example.com")


async def test_each_is_told_from_the_others_the_same_way_wherever_it_stands(tmp_path: Path) -> None:
    desk = queue(2)
    saved: list[str] = []

    def export(picture: Picture, mask: Mask | None) -> str:
        saved.append(report.as_text(picture, None, mask=mask))
        return "report.txt"

    async with console(desk, mask=True, folder=tmp_path, export=export) as user:
        screen = await user.sees("•••2@example")
        rows = [line for line in screen.splitlines() if re.search(r"•••\d?@example\.com +\d", line)]
        logins = [re.search(r"•••\d?@example\.com", row) for row in rows]
        assert len({found[0] for found in logins if found}) == 2, screen
        await user.press("d")
        stolen = re.search(r"Purge: (•••\d?@example\.com)", await user.sees("2 of 2 messages chosen"))
        assert stolen
        assert stolen[1] in rows[0], "the dialog names the row that was chosen"
        await user.press("f")
        await user.sees("The list is saved, masked as the screen is: ")
        await user.press("escape")
        await user.press("e")
        await user.sees("The report is saved, masked as the screen is: report.txt")
        await user.press("m")
        await user.sees(STOLEN)
        await user.press("e")
        await user.sees("The report is saved: report.txt")
    (path,) = tmp_path.iterdir()
    listed = path.read_text(encoding="utf-8")
    assert listed.count(f"\t{stolen[1]}\t") == 2
    assert "claim@" not in listed
    assert "victim" not in listed
    hidden, open_ = saved
    assert f"  {stolen[1]}  " in hidden
    assert "alice" not in hidden + listed
    assert "bob" not in hidden
    assert "alice" in open_


def test_the_exported_report_hides_what_was_done_and_to_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(state=tmp_path / "state")
    journal, desk = Journal(settings.state), queue(1)
    journal.end(journal.begin("1", "hold", STOLEN), "done", f"35 messages of {STOLEN} put on hold.")
    desk.failed = [failed_login("203.0.113.5", logins=((HONEST, 3), ("bert@example.com", 2)))]
    desk.problems = (f"The list of {STOLEN} cannot be read.",)
    picture = replace(desk.picture(), generated=time.time())
    text = commands.export(picture, settings, Mask()).read_text(encoding="utf-8")
    assert ", masked (the numbers are those of this run)\n" in text
    assert re.search(r" hold +•••@example\.com +done +35 messages of •••@example\.com put on hold\.", text)
    assert "•••2@example.com 3, •••3@example.com 2" in text
    assert "! The list of •••@example.com cannot be read." in text
    for name in ("alice", "bob", "bert"):
        assert name not in text
    picture = replace(picture, generated=picture.generated + 5)
    assert f"35 messages of {STOLEN} put on hold." in commands.export(picture, settings, None).read_text()


LONG = "anna-maria.schmidt-von-der-hohenburg-am-see"


@pytest.mark.parametrize("size", [(60, 24), (60, 15), (80, 24)])
async def test_no_part_of_a_name_is_read_where_a_small_terminal_wraps_it(size: tuple[int, int]) -> None:
    desk = queue(2)
    desk.problems = (f"Mail of {LONG}@verwaltung.example.com cannot be read; run bmtop as root.",)

    def hidden(screen: str) -> bool:
        return not any(part in screen for part in ("anna", "maria", "schmidt", "von-der", "hohenburg", "am-see"))

    async with console(desk, size=size, mask=True) as user:
        await user.look_again()
        assert hidden(await user.sees("PROBLEM Mail of •••@verwaltung.example.com cannot"))
        await user.press("m")
        assert not hidden(await user.sees("PROBLEM Mail of"))
        await user.press("space", "m")
        assert hidden(await user.sees("PROBLEM Mail of •••@verwaltung.example.com cannot")), (
            "also while it stands still"
        )


@pytest.mark.parametrize("size", [(60, 24), (60, 15), (80, 24)])
async def test_no_part_of_a_name_is_read_in_the_alarm_of_a_small_terminal(size: tuple[int, int]) -> None:
    desk = queue(2)
    hands = Hands(desk)
    async with console(desk, hands, size=size, mask=True) as user:
        await user.press("c")
        await user.sees("─ Contain •••@example.com")
        await user.press("home")
        while "▸ Watch" not in user.screen():
            await user.press("down")
        await user.press("enter")
        await user.when(lambda: hands.watcher.on, "it is watched")
        hands.watcher.says = replace(alarm("password"), sentences=(f"{LONG}@example.com sends as well.",))
        await user.press("escape")
        await user.sees("ALARM •••@example.com")
        await user.look_again()
        screen = user.screen()
        assert not any(part in screen for part in ("anna", "maria", "schmidt", "von-der", "hohenburg", "am-see"))


def test_a_login_without_a_domain_is_hidden_in_what_was_done_as_well(tmp_path: Path) -> None:
    journal, desk = Journal(tmp_path / "state"), queue(1)
    desk.failed = [failed_login("203.0.113.5", logins=(("carla", 3),))]
    deeds: list[tuple[str, str, str, dict[str, Any]]] = [
        ("hold", "alice", "35 messages of alice put on hold.", {"filter": {"login": "alice"}}),
        ("stop holding", "d.bert", "12 messages of d.bert, put on hold (Carla has malice).", {}),
        ("connections", "203.0.113.5", "1 connection of 203.0.113.5 was ended.", {}),
        ("mark as known", "192.0.2.0/24", "192.0.2.0/24 is known.", {}),
        ("purge", "chosen ids", "1 of 1 messages deleted.", {"filter": {"id": ["A000001"]}}),
        ("undo", "20260101-000000-abcd", "1 message is back.", {"undo": "20260101-000000-abcd"}),
        ("cache", HONEST, f"The cache was emptied for {HONEST}.", {}),
    ]
    for number, (action, target, sentence, more) in enumerate(deeds):
        begun = journal.begin(str(number), action, target, **more)
        journal.end(begun, "done", sentence, undo=begun.undo)
    done = actions(journal.entries(99))
    text = report.as_text(desk.picture(), done, mask=Mask())
    assert re.search(r" hold +(•••\d?) +done +35 messages of \1 put on hold\.", text)
    assert re.search(r" (•••\d?) +done +12 messages of \1, put on hold \(•••\d? has malice\)\.", text)
    assert not re.search(r"\balice|bert|[cC]arla|bob", text)
    for shown in (" 203.0.113.5 ", "of 203.0.113.5 was", " 192.0.2.0/24 is", " chosen ids ", " 20260101-000000-abcd "):
        assert shown in text
    assert re.search(r" (•••\d?@example\.com) +done +The cache was emptied for \1\.", text)
    assert " d.bert, put on hold (Carla has malice)." in report.as_text(desk.picture(), done)
