"""Keep holding: what somebody newly queues is on hold at once, and nobody else's mail is."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from bmtop.checked import Refused
from bmtop.cli import main
from bmtop.incident.selection import Filter, network
from bmtop.postfix.queue import files
from bmtop.response.keep import KeepHolding
from tests.containment.bots import Bot
from tests.containment.conftest import Site, site
from tests.hostile.barrier import Barrier
from tests.mailserver import Message, Player, Postfix, played, wait_until
from tests.mailserver.stories import ALICE, BROKEN_RELAY, CAROL, INTRUDER, OFFICE
from tests.purge.filters import filtered

LETTER = Message("honest", CAROL, ("buyer@customer.example",))
SPAM = Message("spam", "winner@lottery.example", ("victim@bank.example",))


@contextlib.contextmanager
def holding(keep: KeepHolding) -> Iterator[None]:
    stop = Event()

    def run() -> None:
        while not stop.wait(0.1):
            keep.tick()

    keep.begin()
    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_only_what_the_login_newly_queues_is_held(plain_site: Site) -> None:
    player = Player(plain_site.postfix)
    (before,) = player.send(INTRUDER, [SPAM], ALICE)
    plain_site.postfix.settle()
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    with holding(keep), Bot(plain_site.postfix, INTRUDER, ALICE, "Right-alice-1", stays=True) as bot:
        honest = player.send(OFFICE, [LETTER] * 20, CAROL)
        wait_until(lambda: len(bot.sent) > 10 and set(bot.ids) <= plain_site.on_hold())
    done = keep.end()
    held = set(bot.ids)
    assert plain_site.on_hold() == held
    queue = plain_site.postfix.queue()
    assert {queue[sent.queue_id].queue_name for sent in (before, *honest)} == {"deferred"}
    assert done.sentence == f"{len(held)} messages of {ALICE} put on hold."
    began, ended = plain_site.journal()
    assert (began["action"], ended["action"]) == ("keep holding", "stop holding")
    assert len(ended["ids"]) == len(held)


def test_a_client_is_held_whatever_it_logs_in_as(plain_site: Site) -> None:
    player = Player(plain_site.postfix)
    keep = plain_site.responder.keep_holding(Filter(clients=(network("192.0.2.64/28"),)))
    with holding(keep):
        theirs = [*player.send(BROKEN_RELAY, [SPAM] * 3), *player.send(BROKEN_RELAY, [SPAM], ALICE)]
        player.send(OFFICE, [LETTER], CAROL)
        wait_until(lambda: len(plain_site.on_hold()) == 4)
    assert plain_site.on_hold() == {sent.queue_id for sent in theirs}


def test_the_log_alone_holds_nothing(plain_site: Site) -> None:
    """Whoever could write a line into the log could have anybody's mail stopped."""
    player = Player(plain_site.postfix)
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    with holding(keep):
        (honest,) = player.send(OFFICE, [LETTER], CAROL)
        with plain_site.postfix.log.open("a") as log:
            log.write(
                f"{time.strftime('%b %e %H:%M:%S')} mail postfix/smtpd[1]: {honest.queue_id}:"
                f" client=unknown[203.0.113.60], sasl_method=LOGIN, sasl_username={ALICE}\n"
            )
        (spam,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: spam.queue_id in plain_site.on_hold())
        plain_site.postfix.settle()
    keep.end()
    assert plain_site.on_hold() == {spam.queue_id}


def test_what_moves_to_another_queue_during_a_look_is_counted_once(
    plain_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen_twice(queue_directory: Path) -> Iterator[tuple[str, str]]:
        for found in files(queue_directory):
            yield from (found, found)

    monkeypatch.setattr("bmtop.response.keep.files", seen_twice)
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    with holding(keep):
        Player(plain_site.postfix).send(INTRUDER, [SPAM] * 3, ALICE)
        wait_until(lambda: len(plain_site.on_hold()) == 3)
    assert keep.end().sentence == f"3 messages of {ALICE} put on hold."


def test_without_the_log_the_queue_itself_is_looked_through(plain_site: Site) -> None:
    player = Player(plain_site.postfix)
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    with holding(keep):
        plain_site.postfix.log.rename(plain_site.postfix.log.with_name("away"))
        (spam,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: spam.queue_id in plain_site.on_hold())


def test_what_the_user_released_meanwhile_stays_released(plain_site: Site) -> None:
    player = Player(plain_site.postfix)
    keep = plain_site.responder.keep_holding(Filter(login=ALICE))
    with holding(keep):
        (one,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: keep.held)
        subprocess.run(["postsuper", "-c", plain_site.postfix.etc, "-H", one.queue_id], check=True, capture_output=True)
        (two,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: len(keep.held) == 2)
    assert plain_site.on_hold() == {two.queue_id}
    # Once it is off, nothing more is held; and on again, it counts anew.
    assert keep.end().sentence.startswith("2 messages of")
    (three,) = player.send(INTRUDER, [SPAM], ALICE)
    plain_site.postfix.settle()
    assert keep.tick() == 0
    with holding(keep):
        (four,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: keep.held)
    assert keep.end().sentence.startswith("1 message of")
    assert plain_site.on_hold() == {two.queue_id, four.queue_id}
    assert plain_site.postfix.queue()[three.queue_id].queue_name == "deferred"


@pytest.mark.parametrize("xforward", [True, False], ids=["xforward", "silent"])
def test_what_a_content_filter_gives_back_is_held(tmp_path: Path, xforward: bool) -> None:
    with filtered(xforward=xforward) as postfix:
        here = site(postfix, tmp_path)
        keep = here.responder.keep_holding(Filter(login=ALICE))
        player = Player(postfix)
        with holding(keep):
            player.send(INTRUDER, [SPAM] * 5, ALICE)
            player.send(OFFICE, [LETTER] * 5, CAROL)
            postfix.settle()
            # One that was in the filter's hands just then is there twice: as it came, and as it came back.
            wait_until(lambda: here.on_hold() == {id for id, label in played(postfix).items() if label == "spam"})
        assert len(here.on_hold()) >= 5
        assert len(postfix.queue()) == len(here.on_hold()) + 5


def test_it_is_for_a_login_or_a_client_alone(shared: Postfix, tmp_path: Path) -> None:
    responder = site(shared, tmp_path).responder
    for wanted in (Filter(), Filter(sender="@lottery.example"), Filter(login=ALICE, subject="x"), Filter(queue="hold")):
        with pytest.raises(Refused, match="takes a login or a client"):
            responder.keep_holding(wanted)


def options(site: Site) -> list[str]:
    settings = site.settings
    return ["--postfix", str(settings.postfix), "--log", str(settings.log), "--state", str(settings.state)]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(sys.modules["bmtop"].__path__[0]).parent)}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_from_the_command_line_until_it_is_told_to_stop(plain_site: Site, end: signal.Signals) -> None:
    player = Player(plain_site.postfix)
    (before,) = player.send(INTRUDER, [SPAM], ALICE)
    plain_site.postfix.settle()
    command = [sys.executable, "-m", "bmtop", "hold", "--login", ALICE, "--follow", "--yes", *options(plain_site)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        try:
            while not process.stdout.readline().startswith("Holding what"):
                assert process.poll() is None
            sent = player.send(INTRUDER, [SPAM] * 5, ALICE)
            player.send(OFFICE, [LETTER], CAROL)
            wait_until(lambda: {s.queue_id for s in sent} <= plain_site.on_hold())
        finally:
            process.send_signal(end)
        said = process.stdout.read()
    assert process.returncode == 0
    assert f"5 messages of {ALICE} put on hold." in said
    assert plain_site.on_hold() == {before.queue_id, *(s.queue_id for s in sent)}
    assert [entry["action"] for entry in plain_site.journal()] == ["keep holding", "hold", "stop holding"]


@contextlib.contextmanager
def following(site: Site, config: Path) -> "Iterator[subprocess.Popen[str]]":
    """`bmtop hold --follow` of Alice, with a settings file."""
    command = [sys.executable, "-m", "bmtop", "hold", "--login", ALICE, "--follow", "--yes", f"--config={config}"]
    with subprocess.Popen(
        [*command, *options(site)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told_to_stop(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Tell it to stop once it has dealt with what was queued; return its exit status, and what it said since."""
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Holding what"):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_from_the_command_line_what_comes_in_is_held_while_what_is_queued_is_listed(
    plain_site: Site, tmp_path: Path
) -> None:
    player = Player(plain_site.postfix)
    (before,) = player.send(INTRUDER, [SPAM], ALICE)
    plain_site.postfix.settle()
    barrier = Barrier(tmp_path / "bin", "-j", {"postqueue": "/usr/sbin/postqueue"})
    with following(plain_site, barrier.settings) as process:
        barrier.wait()
        (spam,) = player.send(INTRUDER, [SPAM], ALICE)
        wait_until(lambda: spam.queue_id in plain_site.on_hold(), 5)
        assert before.queue_id not in plain_site.on_hold()
        barrier.open()
        status, out, err = told_to_stop(process)
    assert plain_site.on_hold() == {before.queue_id, spam.queue_id}
    assert f"1 message of {ALICE} put on hold." in out
    assert (status, "run the same hold again" in err) == (0, False)


def test_from_the_command_line_the_exit_status_says_what_was_not_held(plain_site: Site, tmp_path: Path) -> None:
    Player(plain_site.postfix).send(INTRUDER, [SPAM] * 3, ALICE)
    plain_site.postfix.settle()
    program, config = tmp_path / "postsuper", tmp_path / "bmtop.toml"
    program.write_text('#!/bin/sh\nhead -n 1 | /usr/sbin/postsuper "$@"\n')
    program.chmod(0o755)
    config.write_text(f'path = ["{tmp_path}", "/usr/sbin", "/usr/bin", "/bin"]\n')
    with following(plain_site, config) as process:
        assert told_to_stop(process)[0] == 3
    assert len(plain_site.on_hold()) == 1


def test_the_command_line_asks_first(
    shared: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = site(shared, tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))  # which is no terminal
    for arguments in (("--login", ALICE), ("--login", ALICE, "--dry-run"), ("--login", ALICE, "--yes", "--json"), ()):
        assert main(["hold", "--follow", *arguments, *options(here)]) == 2
        assert capsys.readouterr().err
    assert not (here.settings.state / "journal.jsonl").exists()
