"""The test Postfix and its player do what all other tests rely on; judged by Postfix's own programs and files."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mailserver import (
    Client,
    Message,
    Played,
    Player,
    Postfix,
    PostfixError,
    Refused,
    incident,
    played,
    wait_until,
)
from tests.mailserver.ports import free_ports

PROJECT = Path(__file__).parents[2]
STRANGER = Client("203.0.113.7", "stranger.example")
TRUSTED = Client("192.0.2.5", "app.example.com")
TO_A_STRANGER = Message("test", "somebody@elsewhere.example", ("x@faraway.test",))


@pytest.fixture(scope="module")
def truth(postfix: Postfix) -> Played:
    return incident(Player(postfix))


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that does not exist yet, where user postfix can go."""
    folder = Path("/tmp") / f"bmtop-test-{os.getpid()}"
    yield folder
    assert not folder.exists()


def working_in(*folders: Path) -> list[str]:
    """Every process whose working directory is in one of these folders: Postfix's daemons work in the queue's."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            place = cwd.readlink()
        except OSError:
            continue
        found += [cwd.parent.name for folder in folders if place.is_relative_to(folder)]
    return found


def test_the_queue_holds_exactly_what_the_story_says(postfix: Postfix, truth: Played) -> None:
    labels = played(postfix)
    assert labels.keys() == postfix.queue().keys() == postfix.files().keys()
    assert Counter(labels.values()) == truth.queued()
    sent = {sent.queue_id: sent.label for sent in truth.sent}
    assert {queue_id: label for queue_id, label in labels.items() if label != "bounce"}.items() <= sent.items()


def test_the_story_has_everyone_in_it(truth: Played) -> None:
    counts, queued = truth.counts(), truth.queued()
    assert 180 <= counts.total() <= 220
    assert set(counts) == {
        "spam/alice", "spam/bob", "honest/carol", "webmail", "relay/broken", "relay/honest", "incoming",
    }  # fmt: skip
    assert set(queued) == {*counts, "bounce"}
    assert min(counts["spam/alice"], counts["spam/bob"], counts["relay/broken"]) > 2 * counts["honest/carol"]
    spam = [sent for sent in truth.sent if sent.label == "spam/alice"]
    assert {sent.client for sent in spam} == set(truth.stolen["alice@example.com"])
    assert len({sent.sender.partition("@")[2] for sent in spam}) > 50
    assert any(sent.sender == truth.framed for sent in spam)
    assert any(truth.framed in sent.recipients for sent in spam)
    assert any("alice@example.com" in sent.recipients for sent in truth.sent if sent.label == "honest/carol")


@pytest.mark.parametrize(
    ("label", "login", "clients"),
    [
        ("spam/alice", "alice@example.com", {"203.0.113.60", "2001:db8:bad::60"}),
        ("spam/bob", "bob@example.com", {"198.51.100.44"}),
        ("honest/carol", "carol@example.com", {"198.51.100.7"}),
        ("webmail", "erin@example.com", {"127.0.0.1"}),
        ("relay/broken", None, {"192.0.2.66"}),
        ("relay/honest", None, {"192.0.2.10"}),
    ],
)
def test_the_queue_files_name_who_sent(
    postfix: Postfix, truth: Played, label: str, login: str | None, clients: set[str]
) -> None:
    ids = [queue_id for queue_id, found in played(postfix).items() if found == label]
    envelopes = subprocess.run(
        ["postcat", "-c", postfix.etc, "-eq", *ids], capture_output=True, text=True, check=True
    ).stdout
    assert len(ids) == truth.queued()[label]
    assert re.findall(r"^named_attribute: sasl_username=(.*)", envelopes, re.M) == ([login] * len(ids) if login else [])
    assert set(re.findall(r"^named_attribute: client_address=(.*)", envelopes, re.M)) == clients


def test_the_log_tells_the_same_story(postfix: Postfix, truth: Played) -> None:
    log = postfix.log.read_text()
    failed = re.findall(r"\[(\S+)\]: SASL LOGIN authentication failed: .*, sasl_username=(\S+)", log)
    assert Counter(failed) == Counter((one.client, one.login) for one in truth.failed_logins)
    last_failure = log.rindex("authentication failure, sasl_username=alice@example.com")
    assert last_failure < log.index("sasl_method=LOGIN, sasl_username=alice@example.com")
    refused = re.findall(r"NOQUEUE: reject: RCPT from unknown\[203\.0\.113\.99\]: 454 4\.7\.1 <(\S+)>: Relay", log)
    assert refused == [to for _, recipients in truth.refused for to in recipients] != []
    assert "postfix/submission/smtpd[" in log
    # Of the machine's own clock it complains as well, where that is set right just then.
    expected = "authentication failed|file system clock|file time stamps"
    assert not re.findall(rf"(?:fatal|panic|error): .*|warning: (?!.*(?:{expected})).*", log)


def test_a_label_is_not_taken_from_what_a_spammer_wrote(mail_server: Postfix) -> None:
    fake = "X-Played: fake\n\n*** HEADER EXTRACTED active/A ***\n*** MESSAGE CONTENTS active/B ***\nX-Played: fake\n"
    headers = ("X-Played: fake", "Comments: *** MESSAGE CONTENTS active/C ***", " *** MESSAGE CONTENTS active/D ***")
    message = Message("real", "a@foreign.example", ("b@faraway.test", "c@faraway.test"), body=fake, headers=headers)
    sent = Player(mail_server).send(TRUSTED, [message] * 3)
    mail_server.settle()
    assert played(mail_server) == {one.queue_id: "real" for one in sent}
    assert mail_server.header(sent[0].queue_id, "X-Played") == "real"
    assert mail_server.header(sent[0].queue_id, "X-Nothing") is None
    assert fake.encode() in mail_server.content(sent[0].queue_id)


def test_all_of_a_message_arrives_dots_included(mail_server: Postfix) -> None:
    body = ".\n..\n.dot\nGrüße\n\n"
    (sent,) = Player(mail_server).send(TRUSTED, [Message("test", "", ("b@faraway.test",), body=body)])
    assert mail_server.content(sent.queue_id).endswith(b"\n\n" + body.encode())
    assert mail_server.queue()[sent.queue_id].sender == "MAILER-DAEMON"


def test_nothing_is_left_behind() -> None:
    elsewhere = [Path(name) for name in ("/etc/postfix", "/var/spool/postfix", "/var/lib/postfix", "/etc/sasldb2")]

    def look() -> set[tuple[Path, int]]:
        return {(path, path.lstat().st_mtime_ns) for top in elsewhere for path in (top, *top.rglob("*"))}

    before = look()
    with Postfix.temporary() as postfix:
        incident(Player(postfix), scale=40)
        open_session = Player(postfix).connect(STRANGER)
        assert len(working_in(postfix.folder)) > 5
    open_session.hang_up()
    assert working_in(postfix.folder) == []
    assert postfix.processes() == []
    assert not postfix.folder.exists()
    assert look() == before


def test_two_at_once_do_not_know_each_other(mail_server: Postfix) -> None:
    with Postfix.temporary() as other:
        assert len(set(Player(other).send(TRUSTED, [TO_A_STRANGER] * 2))) == 2
        assert len(other.queue()) == 2
        assert mail_server.queue() == {}
    Player(mail_server).send(TRUSTED, [TO_A_STRANGER])
    assert len(mail_server.queue()) == 1


def test_no_port_is_given_to_two_processes() -> None:
    asking = [
        sys.executable,
        "-c",
        "from tests.mailserver.ports import free_ports; print(*free_ports(300), flush=True); input()",
    ]
    others = [
        subprocess.Popen(asking, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        for _ in range(3)
    ]
    given = [str(port) for port in free_ports(300)]
    for other in others:
        assert other.stdout
        given += other.stdout.readline().split()
    for other in others:
        other.communicate("\n")
    assert len(given) == len(set(given)) == 1_200


def test_the_queue_can_be_on_another_file_system() -> None:
    elsewhere = Path("/dev/shm") / f"bmtop-test-{os.getpid()}"
    with Postfix.temporary(queue_on=elsewhere, long_queue_ids=True) as postfix:
        (sent,) = Player(postfix).send(TRUSTED, [TO_A_STRANGER])
        assert postfix.files()[sent.queue_id].stat().st_dev != postfix.folder.stat().st_dev
        assert not re.fullmatch("[0-9A-F]+", sent.queue_id)
        assert played(postfix) == {sent.queue_id: "test"}
    assert working_in(elsewhere) == []
    assert not elsewhere.exists()


def test_a_folder_that_is_there_is_not_taken_for_the_queue(reachable: Path) -> None:
    reachable.mkdir()
    with pytest.raises(FileExistsError, match="a new one"):
        Postfix.start(reachable / "mail", queue_on=reachable)
    reachable.rmdir()


def test_a_stopped_one_starts_again_with_its_queue(reachable: Path) -> None:
    try:
        with Postfix.start(reachable) as postfix:
            (sent,) = Player(postfix).send(TRUSTED, [TO_A_STRANGER])
            with pytest.raises(PostfixError, match="already running"):
                Postfix.start(reachable)
            assert len(Player(postfix).send(TRUSTED, [TO_A_STRANGER])) == 1
            postfix.settle()
            whole = postfix.raw(sent.queue_id)
        with Postfix.start(reachable) as postfix:
            assert postfix.raw(sent.queue_id) == whole
    finally:
        subprocess.run(["rm", "-rf", reachable], check=True)


def test_a_new_password_counts_for_new_connections_only(mail_server: Postfix) -> None:
    player = Player(mail_server)
    old = mail_server.passwords["alice@example.com"]
    with player.connect(STRANGER, "alice@example.com", mechanism="PLAIN") as session:
        mail_server.set_password("alice@example.com", "new")
        assert session.send(TO_A_STRANGER).login == "alice@example.com"
    with player.connect(STRANGER) as session:
        assert not session.log_in("alice@example.com", old)
        assert session.log_in("alice@example.com", "new")


def test_a_setting_is_in_force_when_postconf_returns(mail_server: Postfix) -> None:
    player = Player(mail_server)
    player.send(TRUSTED, [TO_A_STRANGER])
    mail_server.postconf(mynetworks="127.0.0.0/8")
    with pytest.raises(Refused, match="Relay access denied"):
        player.send(TRUSTED, [TO_A_STRANGER])
    player.probe(TRUSTED, [TO_A_STRANGER] * 3)
    assert len(player.sent) == 1
    assert len(player.refused) == 3


def test_mail_leaves_once_it_may(mail_server: Postfix) -> None:
    branch = Message("test", "a@foreign.example", ("office@example.org", "dave@example.com"))
    (sent,) = Player(mail_server).send(STRANGER, [branch])
    mail_server.settle()
    assert mail_server.queue()[sent.queue_id].queue_name == "deferred"
    mail_server.flush()
    wait_until(lambda: b"Connection refused" in mail_server.log.read_bytes(), what="Postfix has tried it")
    mail_server.settle()
    assert mail_server.queue()[sent.queue_id].queue_name == "deferred"
    mail_server.deliver()
    wait_until(lambda: not mail_server.queue(), what="all mail has left")
    delivered = re.findall(rf"{sent.queue_id}: to=<(\S+)>,.* status=sent", mail_server.log.read_text())
    assert sorted(delivered) == ["dave@elsewhere.example", "office@example.org"]


def test_who_is_not_root_is_told(reachable: Path) -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match="needs root"):
            Postfix.start(reachable)
    finally:
        os.seteuid(0)


def test_a_folder_that_postfix_cannot_reach_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PermissionError, match=r"cannot get through .*chmod o\+x"):
        Postfix.start(tmp_path / "mail")
    with pytest.raises(ValueError, match="short folder"):
        Postfix.start(Path("/tmp") / ("a" * 100))
    with pytest.raises(ValueError, match="without blanks"):
        Postfix.start(Path("/tmp/my mail"))


def test_a_start_that_fails_says_why_and_leaves_no_process(reachable: Path) -> None:
    try:
        with pytest.raises(PostfixError, match="nobody-like-that"):
            Postfix.start(reachable, settings={"mail_owner": "nobody-like-that"})
        assert working_in(reachable) == []
        assert Postfix(reachable, reachable / "spool").processes() == []
    finally:
        subprocess.run(["rm", "-rf", reachable], check=True)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_by_hand_it_runs_until_it_is_ended(reachable: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.mailserver", str(reachable), "--scale", "40", "--live"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        process.send_signal(ending)
        assert process.wait(30) == 0
    assert f"bmtop --postfix {reachable}/etc --log {reachable}/mail.log" in said
    assert working_in(reachable) == []
