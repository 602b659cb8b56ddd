"""What a purge deleted comes back: on hold, byte for byte, under its own id where the file system allows."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.mailserver.postfix import run
from tests.purge.commandline import Bmtop, labels, queues, raw, several_links

ALICE, CAROL = "alice@example.com", "carol@example.com"


def play(postfix: Postfix, count: int = 6) -> dict[str, bytes]:
    """Alice's spam and carol's mail; returns the queue as it lies there."""
    player = Player(postfix)
    letters = [Message("spam", f"x{n}@lottery.example", (f"v{n}@bank.example",), body="x" * n) for n in range(count)]
    player.send(Client("203.0.113.60"), letters, ALICE)
    player.send(Client("198.51.100.7"), [Message("carol", CAROL, ("v@bank.example",))] * 2, CAROL)
    postfix.settle()
    return raw(postfix)


@contextmanager
def small_file_system(folder: Path, options: str = "") -> Iterator[None]:
    """Another file system on this folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700{options}", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def contents(postfix: Postfix) -> dict[str, bytes]:
    """Whose content each message has, without what its id and place change in Postfix's own words."""
    return {queue_id: postfix.content(queue_id) for queue_id in postfix.queue()}


def undo_folder(postfix: Postfix) -> Path:
    return postfix.spool / "bmtop-undo"


def test_the_same_file_comes_back(postfix: Postfix, bmtop: Bmtop) -> None:
    before, inodes = play(postfix), {queue_id: path.stat().st_ino for queue_id, path in postfix.files().items()}
    done = bmtop("purge", "--login", ALICE, "--yes", "--json").json
    assert labels(postfix) == {"carol": 2}
    for folder in (undo_folder(postfix), undo_folder(postfix) / done["undo"]):
        assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o700, 0)
    back = bmtop("undo", done["undo"], "--yes", "--json")
    assert back.status == 0
    told = back.json
    assert set(told.pop("restored")) == set(done["done"])
    assert told == {"undo": done["undo"], "renamed": {}, "failed": {}, "notes": []}
    assert raw(postfix) == before
    assert {queue_id: path.stat().st_ino for queue_id, path in postfix.files().items()} == inodes
    assert {queues(postfix)[queue_id] for queue_id in done["done"]} == {"hold"}
    assert not several_links(postfix)
    assert bmtop("undo", "--list").status == 1
    assert bmtop("undo", done["undo"], "--yes").status == 2


def test_postfix_has_nothing_to_say_of_the_copies(postfix: Postfix, bmtop: Bmtop) -> None:
    play(postfix)
    before = run("postfix", "-c", str(postfix.etc), "check")
    at = postfix.log.stat().st_size
    assert bmtop("purge", "--login", ALICE, "--yes").status == 0
    assert list(undo_folder(postfix).iterdir())
    after = run("postfix", "-c", str(postfix.etc), "check")
    run("postsuper", "-c", str(postfix.etc), "-s")
    run("postsuper", "-c", str(postfix.etc), "-p")
    assert (after.stdout, after.stderr) == (before.stdout, before.stderr)
    assert "warning" not in postfix.log.read_text()[at:]
    assert bmtop("undo", "--yes").status == 0


@pytest.fixture(scope="module")
def long_ids() -> Iterator[Postfix]:
    with Postfix.temporary(long_queue_ids=True) as postfix:
        yield postfix


@pytest.mark.parametrize("elsewhere", [False, True], ids=["link", "copy"])
@pytest.mark.parametrize("kind", ["short", "long"])
def test_ids_fit_their_files(request: pytest.FixtureRequest, kind: str, elsewhere: bool) -> None:
    """On another file system the copy becomes a new file: its id has the new inode, as postsuper -s would have it."""
    postfix = request.getfixturevalue("postfix" if kind == "short" else "long_ids")
    bmtop, before = Bmtop(postfix), play(postfix)
    texts = contents(postfix)
    if not elsewhere:
        done = bmtop("purge", "--login", ALICE, "--yes", "--json").json
        back = bmtop("undo", "--yes", "--json").json
        assert (set(back["restored"]), back["renamed"]) == (set(done["done"]), {})
        assert raw(postfix) == before
    else:
        with small_file_system(undo_folder(postfix)):
            done = bmtop("purge", "--login", ALICE, "--yes", "--json").json
            assert len(done["done"]) == 6
            assert labels(postfix) == {"carol": 2}
            back = bmtop("undo", "--yes", "--json").json
        # An inode that was just freed may be the new one: then the id stays.
        new = {old: back["renamed"].get(old, old) for old in before}
        assert set(back["renamed"]) <= set(done["done"])
        assert set(back["restored"]) == {new[old] for old in done["done"]}
        assert raw(postfix) == {new[old]: content for old, content in before.items()}
        assert contents(postfix) == {new[old]: text for old, text in texts.items()}
    at = postfix.log.stat().st_size
    assert run("postsuper", "-c", str(postfix.etc), "-s").stderr == b""
    assert "postsuper" not in postfix.log.read_text()[at:]
    assert {queues(postfix)[queue_id] for queue_id in back["restored"]} == {"hold"}
    assert bmtop("release", "--login", ALICE, "--yes", "--json").json["done"]
    assert set(queues(postfix).values()) == {"deferred"}
    run("postsuper", "-c", str(postfix.etc), "-d", "ALL")


def test_a_hold_queue_with_subfolders(mail_server: Postfix) -> None:
    mail_server.postconf(hash_queue_names="deferred, defer, hold", hash_queue_depth="2")
    bmtop, before = Bmtop(mail_server), play(mail_server)
    done = bmtop("purge", "--login", ALICE, "--yes", "--json").json
    back = bmtop("undo", "--yes", "--json").json
    assert set(back["restored"]) == set(done["done"])
    assert raw(mail_server) == before
    for queue_id in done["done"]:
        assert mail_server.files()[queue_id].parent == mail_server.spool / "hold" / queue_id[0] / queue_id[1]
    # Postfix finds each by its id; released, it is ordinary mail again.
    said = run("postsuper", "-c", str(mail_server.etc), "-H", done["done"][0]).stderr
    assert b"Released from hold: 1 message" in said
    assert bmtop("release", "--login", ALICE, "--yes", "--json").json["left_out"] == {}
    mail_server.deliver()
    wait_until(lambda: not mail_server.queue(), 30, "all of it is delivered")


@pytest.mark.parametrize("full", [",nr_inodes=5", ",size=12k"])
def test_no_room_for_copies(postfix: Postfix, bmtop: Bmtop, full: str) -> None:
    before = play(postfix, 20)
    with small_file_system(undo_folder(postfix), full):
        said = bmtop("purge", "--login", ALICE, "--yes")
        assert (said.status, said.out) == (2, "")
        assert "no room" in said.err
        assert "--without-undo" in said.err
        assert raw(postfix) == before
        assert not several_links(postfix)
        assert bmtop("undo", "--list").status == 1
        # Whoever asks for it can purge nevertheless.
        assert bmtop("purge", "--login", ALICE, "--yes", "--without-undo").status == 0
    assert labels(postfix) == {"carol": 2}


def test_no_room_for_links(tmp_path: Path) -> None:
    """The queue's own file system is full: not even a link can be made."""
    place = Path("/tmp") / f"bmtop-small-{os.getpid()}"
    with small_file_system(place):
        place.chmod(0o755)
        with Postfix.temporary(queue_on=place / "spool") as postfix:
            bmtop, before = Bmtop(postfix), play(postfix, 30)
            used = int(os.statvfs(place).f_files - os.statvfs(place).f_ffree)
            subprocess.run(["mount", "-o", f"remount,nr_inodes={used + 12}", place], check=True)
            said = bmtop("purge", "--login", ALICE, "--yes")
            assert (said.status, said.out) == (2, "")
            assert "no room" in said.err
            assert raw(postfix) == before
            assert not several_links(postfix)
            assert bmtop("purge", "--login", ALICE, "--yes", "--without-undo").status == 0
            assert labels(postfix) == {"carol": 2}


def with_settings(postfix: Postfix, tmp_path: Path, text: str) -> Bmtop:
    settings = tmp_path / "bmtop.toml"
    settings.write_text(text)
    return Bmtop(postfix, None, "--config", str(settings))


def test_more_than_may_be_kept_is_asked_about(postfix: Postfix, tmp_path: Path) -> None:
    before = play(postfix)
    bmtop = with_settings(postfix, tmp_path, "undo_size = 1000")
    said = bmtop("purge", "--login", ALICE, "--yes")
    assert (said.status, "undo_size allows 1,000" in said.err) == (2, True)
    assert raw(postfix) == before


def test_the_oldest_goes_first_and_that_is_said(postfix: Postfix, tmp_path: Path) -> None:
    play(postfix)
    size = sum(m.message_size for m in postfix.queue().values())
    bmtop = with_settings(postfix, tmp_path, f"undo_size = {size}")
    ids = sorted(
        queue_id for queue_id, sender in ((i, m.sender) for i, m in postfix.queue().items()) if sender != CAROL
    )
    names = []
    for queue_id in ids[:3]:
        done = bmtop("purge", "--id", queue_id, "--yes", "--json").json
        assert done["notes"] == []
        names.append(done["undo"])
    listed = bmtop("undo", "--list", "--json").json
    assert [row["undo"] for row in listed] == names[::-1]
    assert [row["messages"] for row in listed] == [1, 1, 1]
    bmtop = with_settings(postfix, tmp_path, f"undo_size = {listed[0]['bytes'] * 3}")
    done = bmtop("purge", "--id", ids[3], "--yes", "--json").json
    assert done["notes"] == [f"The undo copy {names[0]} (1 message) was dropped: its room was needed."]
    assert [row["undo"] for row in bmtop("undo", "--list", "--json").json] == [done["undo"], names[2], names[1]]
    assert done["notes"][0] in bmtop.journal()[-1]["sentence"]


def test_after_a_day_it_is_dropped_and_that_is_said(postfix: Postfix, bmtop: Bmtop) -> None:
    play(postfix)
    first = bmtop("purge", "--sender", "x1@lottery.example", "--yes", "--json").json["undo"]
    about = undo_folder(postfix) / first / "about.json"
    told = json.loads(about.read_text())
    about.write_text(json.dumps(told | {"made": told["made"] - 24 * 3600 - 1}))
    done = bmtop("purge", "--sender", "x2@lottery.example", "--yes", "--json").json
    assert done["notes"] == [f"The undo copy {first} (1 message) was dropped: it was too old."]
    assert [row["undo"] for row in bmtop("undo", "--list", "--json").json] == [done["undo"]]
    assert os.listdir(undo_folder(postfix)) == [done["undo"]]


def test_a_place_that_others_could_have_set_up_is_refused(postfix: Postfix, bmtop: Bmtop, tmp_path: Path) -> None:
    before, place = play(postfix), undo_folder(postfix)
    place.symlink_to(tmp_path)
    try:
        said = bmtop("purge", "--login", ALICE, "--yes")
        assert (said.status, "link" in said.err) == (2, True)
    finally:
        place.unlink()
    place.mkdir()
    shutil.chown(place, "postfix")
    try:
        said = bmtop("purge", "--login", ALICE, "--yes")
        assert (said.status, "another user's" in said.err) == (2, True)
    finally:
        place.rmdir()
    assert raw(postfix) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../etc", "20260101-000000-abcd", "*", "", "."])
def test_no_other_folder_is_taken_for_a_copy(postfix: Postfix, bmtop: Bmtop, name: str) -> None:
    before = play(postfix)
    said = bmtop("undo", name, "--yes")
    assert (said.status, said.out) == (2, "")
    assert "no undo copy" in said.err
    assert raw(postfix) == before


def test_what_cannot_come_back_stays_in_the_copy(postfix: Postfix, bmtop: Bmtop) -> None:
    before = play(postfix)
    done = bmtop("purge", "--login", ALICE, "--yes", "--json").json
    taken, *others = sorted(done["done"])
    # Another message has the id.
    mine = next(path for queue_id, path in postfix.files().items() if queue_id in before)
    place = postfix.spool / "hold" / taken
    mine.rename(place)
    content = place.read_bytes()
    back = bmtop("undo", "--yes", "--json")
    assert (back.status, set(back.json["restored"])) == (3, set(others))
    assert back.json["failed"] == {taken: "its id is another message's now, so its copy was kept"}
    assert place.read_bytes() == content
    (row,) = bmtop("undo", "--list", "--json").json
    assert (row["undo"], row["messages"]) == (done["undo"], 1)
    place.rename(postfix.spool / "hold" / mine.name)
    assert bmtop("undo", "--yes", "--json").json["restored"] == [taken]
    assert raw(postfix) == before
    assert bmtop("undo", "--list").status == 1


def test_two_purges_are_taken_back_each_on_its_own(postfix: Postfix, bmtop: Bmtop) -> None:
    before = play(postfix)
    first = bmtop("purge", "--sender", "x1@lottery.example", "--yes", "--json").json["undo"]
    second = bmtop("purge", "--sender", "x2@lottery.example", "--yes", "--json").json["undo"]
    assert bmtop("undo", first, "--yes", "--json").json["undo"] == first
    assert len(raw(postfix)) == len(before) - 1
    assert bmtop("undo", "--yes", "--json").json["undo"] == second
    assert raw(postfix) == before
