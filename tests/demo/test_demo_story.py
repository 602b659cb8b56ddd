"""The incident goes as it should, is the same each time, and goes the way that the administrator gives it."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest

from bmtop.demo.beats import Login, Send
from bmtop.demo.folder import lay_out
from bmtop.demo.story import Player, script
from bmtop.demo.toy import Toy
from tests.demo.conftest import NOW, make_toy, of_toy


class Running:
    """A toy whose story has been told up to a moment, and can be told on."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.toy = lay_out(folder, NOW)
        self.programs = of_toy(self.toy)
        self.player = Player(folder, 1, NOW)
        self.go_on_until(seconds)

    def go_on_until(self, seconds: float) -> str:
        """Tell the story up to this moment, and return what the log says of it."""
        before = self.toy.log.stat().st_size
        self.player.play_until(NOW + seconds)
        with open(self.toy.log, encoding="utf-8") as log:
            log.seek(before)
            return log.read()

    def queue(self) -> dict[str, str]:
        """Which queue each message is in, by id."""
        entries = map(json.loads, self.programs.run("postqueue", "-j").stdout.splitlines())
        return {entry["queue_id"]: entry["queue_name"] for entry in entries}

    def parts(self) -> Counter[str]:
        """What the queued messages play in the story, by a header of theirs."""
        return Counter(map(part_of, self.files().values()))

    def of(self, part: str) -> list[str]:
        """The ids of the messages that play this part."""
        return [id for id, path in self.files().items() if part_of(path) == part]

    def files(self) -> dict[str, Path]:
        return queue_files(self.toy)

    def bm_cli(self, *arguments: str) -> int:
        """Run bm-cli; return its exit status."""
        return subprocess.run([self.toy.bm_cli, *arguments], capture_output=True, timeout=60).returncode


def queue_files(toy: Toy) -> dict[str, Path]:
    queues = ("incoming", "active", "deferred", "hold", "maildrop")
    return {path.name: path for q in queues for path in (toy.queue_directory / q).rglob("*") if path.is_file()}


def part_of(file: Path) -> str:
    found = re.search(rb"X-Demo-Part: ([a-z ]+)p\x0f", file.read_bytes())
    assert found, file
    return found[1].decode()


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path, 60.0)


def tree(toy: Toy) -> dict[str, bytes]:
    return {
        str(path.relative_to(toy.queue_directory)): path.read_bytes()
        for path in toy.queue_directory.rglob("*") if path.is_file()
    }  # fmt: skip


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    first, again, other = make_toy(), make_toy(), make_toy(seed=2)
    try:
        assert first.log.read_bytes() == again.log.read_bytes()
        assert tree(first) == tree(again)
        assert first.log.read_bytes() != other.log.read_bytes()
    finally:
        for toy in (first, again, other):
            shutil.rmtree(toy.folder)


def test_the_beats_come_in_the_order_of_time_and_end() -> None:
    moments = [beat.at for beat in script(1)]
    assert moments == sorted(moments)
    assert moments[0] < -2000
    assert 3500 < moments[-1] < 4000


def test_quiet_then_a_brute_force_then_the_wave_within_half_a_minute() -> None:
    beats = list(takewhile(lambda beat: beat.at < 60, script(1)))
    bad = ("stolen login", "second login", "website")
    spam = [beat.at for beat in beats if isinstance(beat.act, Send) and beat.act.part in bad]
    guesses = [b.at for b in beats if isinstance(b.act, Login) and b.client.address == "203.0.113.57"]
    assert 6 <= min(guesses) < 7
    assert 12 < min(spam) < 16
    assert 10 <= sum(20 <= at < 30 for at in spam) / 10 <= 22


def test_the_gauge_passes_the_manuals_threshold_within_half_a_minute_and_then_stays_bounded(tmp_path: Path) -> None:
    running = Running(tmp_path, 5.0)
    assert len(running.queue()) < 40
    running.go_on_until(30.0)
    assert 200 < len(running.queue()) < 500
    running.go_on_until(600.0)
    assert 2000 < len(running.queue()) < 4500


def test_everyone_who_should_be_in_the_story_is(running: Running) -> None:
    parts = running.parts()
    assert parts["stolen login"] > 300
    assert min(parts["second login"], parts["website"], parts["bounce"]) > 10
    assert parts["honest"] > 5
    log = running.toy.log.read_text(encoding="utf-8")
    stolen = Counter(re.findall(r"client=\S+\[([^]]+)\], sasl_method=LOGIN, sasl_username=sales@", log))
    assert set(stolen) == {"203.0.113.57", "2001:db8:4b1d::25"}
    assert "client=erp.example.com[192.0.2.20]\n" in log
    assert re.search(r"reject: RCPT from unknown\[203\.0\.113\.222\]: 554 5\.7\.1 .*Relay access denied", log)
    failed = re.findall(r"warning: unknown\[203\.0\.113\.57\]: SASL LOGIN authentication failed: .*=(\S+)$", log, re.M)
    assert failed.count("sales@example.com") >= 8
    assert len(set(failed)) >= 4
    assert {"sent", "deferred", "bounced"} == set(re.findall(r"status=(\w+)", log))


def test_the_second_stolen_login_sends_as_itself_and_the_first_one_does_not(running: Running) -> None:
    entries = map(json.loads, running.programs.run("postqueue", "-j").stdout.splitlines())
    sender = {entry["queue_id"]: entry["sender"] for entry in entries}
    senders = {part: {sender[id] for id in running.of(part)} for part in ("stolen login", "second login")}
    assert senders["second login"] == {"events@example.com"}
    assert len(senders["stolen login"]) > 8
    assert not any(sender.endswith("@example.com") for sender in senders["stolen login"])


def test_a_purge_of_the_stolen_login_can_spare_its_owners_own_mail(running: Running) -> None:
    text = {id: path.read_bytes() for id, path in running.files().items()}
    own = [id for id in running.of("honest") if b"sasl_username=sales@example.com" in text[id]]
    assert own
    assert all(b"client_address=192.0.2.131" in text[id] for id in own)


def test_what_is_deleted_stays_deleted_and_all_else_stays(running: Running) -> None:
    before = running.parts()
    spam = running.of("stolen login")
    done = running.programs.run("postsuper", "-d", "-", give="\n".join(spam).encode())
    assert done.stderr.endswith(f"Deleted: {len(spam)} messages\n".encode())
    after = running.parts()
    assert after == {part: count for part, count in before.items() if part != "stolen login"}
    log = running.go_on_until(75.0)
    assert not set(spam) & set(running.queue())
    assert not re.search("|".join(f" {id}: (?!removed)" for id in spam[:300]), log)


def test_what_is_held_stays_held_and_what_is_released_goes_on(running: Running) -> None:
    honest = running.of("honest")
    spam = running.of("stolen login")
    running.programs.run("postsuper", "-h", "-", give="\n".join([*spam, *honest]).encode())
    running.go_on_until(500.0)
    queue = running.queue()
    assert {queue[id] for id in spam} == {"hold"}
    running.programs.run("postsuper", "-H", "-", give="\n".join(honest).encode())
    log = running.go_on_until(620.0)
    queue = running.queue()
    tried_again = [id for id in honest if re.search(rf"qmgr\[\d+\]: {id}: from=<.*\(queue active\)", log)]
    assert tried_again
    assert all(queue[id] == "deferred" for id in honest if id not in tried_again)


def test_messages_that_were_linked_and_deleted_come_back_under_the_same_id(running: Running) -> None:
    queued = running.queue()
    spam = [id for id in running.of("stolen login") if queued[id] == "deferred"][:100]
    files = running.files()
    bytes_before = {id: files[id].read_bytes() for id in spam}
    saved = running.toy.state / "undo"
    saved.mkdir()
    for id in spam:
        os.link(files[id], saved / id)
    running.programs.run("postsuper", "-d", "-", give="\n".join(spam).encode())
    assert not set(spam) & set(running.queue())
    for id in spam:
        os.rename(saved / id, running.toy.queue_directory / "hold" / id)
    assert b"Renamed" not in running.programs.run("postsuper", "-s").stderr
    queued, files = running.queue(), running.files()
    assert {queued[id] for id in spam} == {"hold"}
    assert {id: files[id].read_bytes() for id in spam} == bytes_before
    done = running.programs.run("postsuper", "-H", "-", give="\n".join(spam).encode())
    assert done.stderr.endswith(b"Released from hold: 100 messages\n")
    queued = running.queue()
    assert {queued[id] for id in spam} == {"deferred"}


def test_a_requeued_message_gets_a_new_id_and_keeps_its_login(running: Running) -> None:
    old = running.of("second login")[0]
    running.programs.run("postsuper", "-r", old)
    assert running.queue()[old] == "maildrop"
    log = running.go_on_until(66.0)
    taken = re.search(rf"pickup\[\d+\]: (\w+): uid=\d+ from=<events@example.com> orig_id={old}\n", log)
    assert taken
    assert old not in running.queue()
    if taken[1] in running.queue():
        envelope = running.programs.run("postcat", "-eq", taken[1])
        assert b"named_attribute: sasl_username=events@example.com\n" in envelope.stdout


def accepted(log: str, login: str) -> list[str]:
    return re.findall(rf"client=(\S+), sasl_method=LOGIN, sasl_username={login}$", log, re.M)


def test_a_new_password_stops_the_thief_once_its_open_connections_have_ended(running: Running) -> None:
    assert running.bm_cli("user", "update", "sales@example.com", "--password", "New-Secret.12345") == 0
    assert accepted(running.go_on_until(64.0), "sales@example.com"), "an open connection stays authenticated"
    running.go_on_until(72.0)
    log = running.go_on_until(120.0)
    assert accepted(log, "sales@example.com") == []
    assert re.search(r"unknown\[2001:db8:4b1d::25\]: SASL LOGIN authentication failed: .*=sales@example.com\n", log)
    assert accepted(log, "events@example.com")
    assert "New-Secret" not in (running.toy.log.read_text() + (running.toy.folder / "accounts.json").read_text())


def test_a_logout_ends_the_web_session_and_not_the_spam(running: Running) -> None:
    def sessions() -> list[str]:
        entries = json.loads((running.toy.folder / "accounts.json").read_text())["sessions"]
        return [address for e in entries if e["email"] == "sales@example.com" for address in e["remoteAddresses"]]

    assert "203.0.113.57" in sessions()
    assert running.bm_cli("user", "logout", "--email=sales@example.com") == 0
    assert sessions() == []
    running.go_on_until(80.0)
    assert len(accepted(running.go_on_until(90.0), "sales@example.com")) > 30


@pytest.mark.parametrize("by", ["postconf", "bm-cli"])
def test_a_relay_that_is_trusted_no_more_is_refused_and_the_honest_one_is_not(running: Running, by: str) -> None:
    networks = "127.0.0.0/8 192.0.2.0/26 192.0.2.64/28 192.0.2.96/27 192.0.2.128/25"
    if by == "postconf":
        assert running.programs.run("postconf", "-e", f"mynetworks={networks}").returncode == 0
        assert running.programs.run("postfix", "reload").returncode == 0
    else:
        assert running.bm_cli("sysconf", "set", "mynetworks", "--value", networks) == 0
    log = running.go_on_until(180.0)
    refused = r"NOQUEUE: reject: RCPT from www\.example\.com\[192\.0\.2\.80\]: 554 5\.7\.1 <\S+>: Relay access denied; "
    assert len(re.findall(refused, log)) > 30
    assert "client=www.example.com" not in log
    assert "client=erp.example.com[192.0.2.20]" in log
    assert re.search(r"postfix/master\[\d+\]: reload -- version", running.toy.log.read_text())


def test_no_process_id_in_the_log_can_be_a_real_processs(shared_toy: Toy) -> None:
    log = shared_toy.log.read_text(encoding="utf-8")
    pids = {int(pid) for pid in re.findall(r"^.{15} mail postfix/[\w-]+\[(\d+)\]: ", log, re.M)}
    assert len(pids) > 10
    assert min(pids) > 4_194_304  # proc(5), pid_max


def test_the_null_sender_is_logged_as_the_real_one_logs_it(shared_toy: Toy) -> None:
    log = shared_toy.log.read_text(encoding="utf-8")
    assert re.search(r"/qmgr\[\d+\]: \w+: from=<>, size=", log)
    assert '<"">' not in log


def test_names_and_addresses_are_those_set_aside_for_examples(shared_toy: Toy) -> None:
    log = shared_toy.log.read_text(encoding="utf-8")
    for address in set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", re.sub(r"\d+\.\d+\.\d+ |dsn=\S+", "", log))):
        assert re.match(r"192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|127\.0\.0\.1$|192\.168\.1\.20$", address), address
    for domain in set(re.findall(r"@([\w.-]+)", log)):
        assert domain.endswith((".example", "example.com")) or re.fullmatch(r"[\d.]+|[\w-]+", domain), domain


def test_the_log_has_only_whole_lines_of_postfixs_form(shared_toy: Toy) -> None:
    daemons = "smtpd|cleanup|qmgr|smtp|lmtp|bounce|pickup|master|postsuper|postfix-script"
    form = re.compile(rf"[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d mail postfix/(?:{daemons})\[\d+\]: \S.*\n")
    with open(shared_toy.log, encoding="utf-8") as log:
        assert all(form.fullmatch(line) for line in log)
