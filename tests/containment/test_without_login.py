"""Containing a relay client: colleagues who log in from behind the same address go on as if nothing was."""

import time
from pathlib import Path

import pytest

from bmtop.checked import Client
from bmtop.incident.selection import Filter, network
from tests.containment.conftest import Site, site
from tests.containment.test_connections import is_alive, logged
from tests.containment.test_keep_holding import holding
from tests.mailserver import Message, Player, played, wait_until
from tests.mailserver.stories import BROKEN_RELAY, CAROL
from tests.purge.filters import filtered

LETTER = Message("colleague", CAROL, ("buyer@customer.example",))
SPAM = Message("spam", "winner@lottery.example", ("victim@bank.example",))
PRINTER = Filter(clients=(network(BROKEN_RELAY.address),), without_login=True)


def test_the_runbook_of_a_relay_client_spares_who_logs_in_from_there(plain_site: Site) -> None:
    postfix = plain_site.postfix
    player = Player(postfix)
    printer, colleague = player.connect(BROKEN_RELAY), player.connect(BROKEN_RELAY, CAROL)
    silent = player.connect(BROKEN_RELAY, CAROL)
    spam, letters = [printer.send(SPAM).queue_id], [colleague.send(LETTER).queue_id]
    postfix.settle()
    runbook = plain_site.responder.runbook(plain_site.messages, client=Client(BROKEN_RELAY.address))

    assert runbook.run("hold").sentence == "1 of 1 messages held; what comes in is held as well."
    spam.append(printer.send(SPAM).queue_id)
    letters.append(colleague.send(LETTER).queue_id)

    def spam_is_held() -> bool:
        runbook.tick()
        return set(spam) <= plain_site.on_hold()

    wait_until(spam_is_held, what="the new spam is held")
    postfix.settle()
    assert plain_site.on_hold() == set(spam)

    assert runbook.run("connections").sentence.startswith("1 SMTP connection was ended and gone")
    assert [is_alive(session) for session in (printer, colleague, silent)] == [False, True, True]
    assert runbook.run("purge").sentence.startswith("2 of 2 messages deleted.")
    letters.append(colleague.send(LETTER).queue_id)
    assert played(postfix) == dict.fromkeys(letters, "colleague")
    runbook.run("watch")
    begun = time.time()
    wait_until(lambda: time.time() > begun + 1, what="the log's seconds, which are whole, are past that")
    letters.append(colleague.send(LETTER).queue_id)
    logged(postfix, ": client=", 6)
    runbook.tick()
    assert runbook.verdict is not None
    assert runbook.verdict.state == "watching"
    assert plain_site.on_hold() == set()
    runbook.close()
    for session in (printer, colleague, silent):
        session.hang_up()


def test_a_connection_that_logged_in_after_its_first_message_is_spared(plain_site: Site) -> None:
    """Whoever logs in stays so: what it sent before does not tell any more who is there."""
    postfix = plain_site.postfix
    session = Player(postfix).connect(BROKEN_RELAY)
    session.send(SPAM)
    assert session.log_in(CAROL, postfix.passwords[CAROL])
    session.send(LETTER)
    logged(postfix, ": client=", 2)
    assert plain_site.responder.end_connections(PRINTER).sentence.startswith("No SMTP connection serves")
    assert is_alive(session)
    session.hang_up()


@pytest.mark.parametrize("xforward", [True, False], ids=["xforward", "silent"])
def test_keep_holding_tells_them_apart_behind_a_content_filter(tmp_path: Path, xforward: bool) -> None:
    """The filter gives all of it back without a login, and with XFORWARD under the client's own address."""
    with filtered(xforward=xforward) as postfix:
        here = site(postfix, tmp_path)
        player = Player(postfix)
        with holding(here.responder.keep_holding(PRINTER)):
            player.send(BROKEN_RELAY, [LETTER] * 5, CAROL)
            player.send(BROKEN_RELAY, [SPAM] * 5)
            player.send(BROKEN_RELAY, [LETTER] * 5, CAROL)
            postfix.settle()
            # One that was in the filter's hands just then is there twice: as it came, and as it came back.
            wait_until(lambda: here.on_hold() == {id for id, label in played(postfix).items() if label == "spam"})
        assert len(here.on_hold()) >= 5
        assert len(postfix.queue()) == len(here.on_hold()) + 10
