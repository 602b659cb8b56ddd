"""Ending SMTP connections: just those of one login or client, whatever else the same processes do."""

import contextlib
import smtplib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bmtop.incident.selection import Filter, network
from bmtop.server import SYSTEM_PATH, CommandFailed
from tests.containment.conftest import Site, site
from tests.mailserver import Client, Message, Player, Postfix, Session, wait_until
from tests.mailserver.stories import ALICE, BROKEN_RELAY, CAROL, INTRUDER, INTRUDER6, OFFICE

LETTER = Message("honest", CAROL, ("buyer@customer.example",))
THEIRS = Filter(login=ALICE)


def is_alive(session: Session) -> bool:
    """Whether the server still answers on it."""
    try:
        return session.command("NOOP")[0] == 250
    except ConnectionError:
        return False


def logged(postfix: Postfix, text: str, times: int = 1) -> None:
    """Wait until the log has this."""
    wait_until(lambda: postfix.log.read_text().count(text) >= times, what=f"the log has {text}")


def server_side(postfix: Postfix, session: Session) -> str:
    """What ss shows of the server's end of a connection; empty when there is none."""
    which = f"dport = {session.local_port}"
    found = subprocess.run(["ss", "-tnH", "state", "established", which], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def test_all_of_a_login_is_ended_and_nothing_else(plain_site: Site) -> None:
    postfix = plain_site.postfix
    player = Player(postfix)
    theirs = [player.connect(INTRUDER, ALICE), player.connect(INTRUDER6, ALICE, submission=True)]
    others = [player.connect(OFFICE, CAROL), player.connect(BROKEN_RELAY)]
    for session in (*theirs, *others):
        session.send(LETTER)
    logged(postfix, ": client=", 4)

    done = plain_site.responder.end_connections(THEIRS)

    assert done.ok
    assert done.sentence.startswith("2 SMTP connections were ended and gone: ")
    assert INTRUDER.address in done.sentence
    assert INTRUDER6.address in done.sentence
    assert done.command[:2] == ("ss", "-KtnH")
    assert [is_alive(session) for session in theirs] == [False, False]
    assert [server_side(postfix, session) for session in theirs] == ["", ""]
    assert [is_alive(session) for session in others] == [True, True]
    # The port takes new ones, in the very processes that served the old ones.
    with player.connect(OFFICE, CAROL) as again:
        again.send(LETTER)
    assert "throttling" not in postfix.log.read_text()
    assert plain_site.responder.connections().serving(THEIRS) == ()
    assert [(entry["action"], entry["target"], entry["state"]) for entry in plain_site.journal()] == [
        ("connections", ALICE, "done")
    ]
    for session in (*theirs, *others):
        session.hang_up()


def test_one_that_has_sent_nothing_yet_is_named_as_one_that_nobody_can_tell_the_login_of(plain_site: Site) -> None:
    """Logged in before, it needs no password any more; the log does not tell who logs in before mail comes."""
    session = Player(plain_site.postfix).connect(Client("203.0.113.61"), ALICE)
    # Whom a connection speaks for (XCLIENT), Postfix logs with its mail.
    logged(plain_site.postfix, "connect from unknown[127.0.0.1]")
    done = plain_site.responder.end_connections(THEIRS)
    assert done.sentence == f"No SMTP connection serves {ALICE} now."
    assert any("1 more stands open and sent nothing yet" in note and "127.0.0.1" in note for note in done.notes)
    assert is_alive(session), "it may be anybody's"
    session.hang_up()


def test_where_the_kernel_does_not_end_them_for_ss_they_are_shut_down(mail_server: Postfix, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ss").write_text('#!/bin/sh\ncase "$1" in -K*) exit 0;; *) exec /usr/bin/ss "$@";; esac\n')
    (programs / "ss").chmod(0o755)
    responder = site(mail_server, tmp_path, path=(str(programs), *SYSTEM_PATH)).responder
    session, other = Player(mail_server).connect(INTRUDER, ALICE), Player(mail_server).connect(OFFICE, CAROL)
    session.send(LETTER)
    other.send(LETTER)
    logged(mail_server, ": client=", 2)
    assert responder.end_connections(THEIRS).sentence.startswith("1 SMTP connection was ended and gone: ")
    assert not is_alive(session)
    assert is_alive(other)
    assert server_side(mail_server, session) == ""


def test_a_process_that_serves_somebody_else_by_now_is_left_alone(plain_site: Site) -> None:
    postfix = plain_site.postfix
    player = Player(postfix)
    player.send(INTRUDER, [LETTER], ALICE)
    logged(postfix, "disconnect from")
    other = player.connect(OFFICE, CAROL)
    other.send(LETTER)
    logged(postfix, ": client=", 2)
    lines = postfix.log.read_text().splitlines()
    first, second = (line.partition("smtpd[")[2].partition("]")[0] for line in lines if ": client=" in line)
    assert first == second
    assert plain_site.responder.end_connections(THEIRS).sentence == f"No SMTP connection serves {ALICE} now."
    assert is_alive(other)


def test_a_log_that_is_behind_ends_nobody_elses_connection(plain_site: Site) -> None:
    """Its daemon has died, so that it still has alice in the process which serves carol by now."""
    postfix = plain_site.postfix
    with logged_in_from("127.0.0.2", postfix, ALICE) as hers:
        hers.sendmail(CAROL, ["buyer@customer.example"], "Subject: Hello\r\n\r\nGood day.")
        logged(postfix, ": client=")
        (served,) = plain_site.responder.connections().serving(THEIRS)
        assert (served.client, served.peer.rpartition(":")[0]) == ("127.0.0.2", "127.0.0.2")
        log = plain_site.settings.state.parent / "behind.log"
        log.write_bytes(postfix.log.read_bytes())
    behind = replace(plain_site.settings, log=log)
    with logged_in_from("127.0.0.3", postfix, CAROL) as other:
        logged(postfix, f"smtpd[{served.pid}]: connect from unknown[127.0.0.3]")
        assert Site(postfix, behind).responder.end_connections(THEIRS).command == ()
        assert other.noop()[0] == 250


@contextlib.contextmanager
def logged_in_from(address: str, postfix: Postfix, login: str) -> Iterator[smtplib.SMTP]:
    """A client that has this address in truth."""
    with smtplib.SMTP("127.0.0.1", postfix.ports.smtp, source_address=(address, 0), timeout=30) as session:
        session.login(login, postfix.passwords[login])
        yield session


def test_one_that_sent_nothing_yet_goes_where_its_address_is_the_logins_alone(plain_site: Site) -> None:
    postfix = plain_site.postfix
    player = Player(postfix)
    with Session(postfix.ports.smtp, Client("127.0.0.1")) as plain:
        # Without XCLIENT, the connect line has the client's own address.
        assert plain.log_in(ALICE, postfix.passwords[ALICE])
        plain.send(LETTER)
    silent = Session(postfix.ports.smtp, Client("127.0.0.1"))
    silent.log_in(ALICE, postfix.passwords[ALICE])
    logged(postfix, "connect from", 3)
    (served,) = plain_site.responder.connections().serving(THEIRS)
    assert (served.sure, served.client) == (False, "127.0.0.1")

    player.send(Client("127.0.0.1"), [LETTER], CAROL)
    logged(postfix, "sasl_username=carol@example.com")
    assert plain_site.responder.connections().serving(THEIRS) == ()
    assert is_alive(silent)


@pytest.mark.parametrize("rotate", ["rename", "copytruncate"])
def test_a_connection_older_than_the_log_is_found(plain_site: Site, rotate: str) -> None:
    postfix = plain_site.postfix
    session = Player(postfix).connect(INTRUDER, ALICE)
    session.send(LETTER)
    logged(postfix, ": client=")
    responder = plain_site.responder
    connections = responder.connections()
    assert len(connections.serving(THEIRS)) == 1
    rotated = postfix.log.with_name("mail.log.1")
    if rotate == "rename":
        postfix.log.rename(rotated)
        postfix.log.touch()
    else:
        rotated.write_bytes(postfix.log.read_bytes())
        postfix.log.write_bytes(b"")
    assert len(connections.serving(THEIRS)) == 1
    assert len(plain_site.responder.connections().serving(THEIRS)) == 1
    assert responder.end_connections(THEIRS, connections).ok
    assert not is_alive(session)


def test_a_client_without_a_login(plain_site: Site) -> None:
    player = Player(plain_site.postfix)
    session, other = player.connect(BROKEN_RELAY), player.connect(OFFICE, CAROL)
    session.send(LETTER)
    other.send(LETTER)
    logged(plain_site.postfix, ": client=", 2)
    done = plain_site.responder.end_connections(Filter(clients=(network(BROKEN_RELAY.address),)))
    assert BROKEN_RELAY.address in done.sentence
    assert not is_alive(session)
    assert is_alive(other)


def test_without_the_log_or_a_postfix_nothing_is_claimed(plain_site: Site) -> None:
    postfix = plain_site.postfix
    session = Player(postfix).connect(INTRUDER, ALICE)
    session.send(LETTER)
    logged(postfix, ": client=")
    (postfix.spool / "pid" / "master.pid").rename(postfix.spool / "pid" / "moved")
    with pytest.raises(CommandFailed, match="see whether Postfix runs"):
        plain_site.responder.end_connections(THEIRS)
    (postfix.spool / "pid" / "moved").rename(postfix.spool / "pid" / "master.pid")
    postfix.log.rename(postfix.log.with_name("away"))
    with pytest.raises(CommandFailed, match="The log cannot be read"):
        plain_site.responder.end_connections(THEIRS)
    assert is_alive(session)
    assert [entry["state"] for entry in plain_site.journal()] == ["failed", "failed"]
