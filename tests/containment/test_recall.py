"""A runbook that is come back to: what the journal says was done, and what was taken back since."""

from bmtop.checked import Client
from bmtop.response.journal import Journal
from bmtop.response.plan import no_progress
from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, Site
from tests.containment.test_bots import ticking, verdict_of
from tests.containment.test_runbook import runbook_of, states
from tests.mailserver import Message, Player
from tests.mailserver.stories import BROKEN_RELAY


def test_it_can_be_left_and_come_back_to(here: Site) -> None:
    first = runbook_of(here)
    for name in ("hold", "password", "sessions"):
        first.run(name)
    first.skip("cache")
    first.close()
    Journal(here.settings.state).begin("0123456789ab", "connections", JANE)

    again = runbook_of(here, login=JANE.upper().replace("EXAMPLE.COM", "example.com"))
    steps = {step.name: step for step in again.steps}
    before = {step.name: step for step in first.steps}
    for name in ("password", "sessions"):
        assert steps[name].state == "done"
        assert steps[name].sentence == before[name].sentence
    assert (steps["hold"].state, steps["cache"].state) == ("todo", "todo")
    assert steps["hold"].sentence.endswith("Nothing is held at present.")
    assert steps["connections"].state == "failed"
    assert steps["connections"].sentence == "It was cut off; run it again."
    # What is known from the journal counts for the watch, too.
    with ticking(again):
        again.run("watch")
        found = verdict_of(again, lambda verdict: True)
        assert found.missing == ("cache", "connections")
        assert any(line.startswith("New password: ") for line in found.evidence)
    # Somebody else's runbook has none of it.
    assert set(states(runbook_of(here, "smith@example.com")).values()) == {"todo"}


def test_suspended_and_let_in_again(here: Site, core: Core) -> None:
    runbook = runbook_of(here)
    assert "suspend" not in {step.name for step in runbook.run_all() if step.state == "done"}
    assert runbook.run("suspend").sentence == f"{JANE} is suspended now."
    assert not core.can_log_in(JANE, runbook.take_password())
    runbook.close()
    assert states(runbook_of(here))["suspend"] == "done"
    again = runbook_of(here)
    assert again.run("suspend", back=True).sentence == f"{JANE} is active now."
    assert core.load()["users"]["UID-1"]["archived"] is False
    assert states(again)["suspend"] == states(runbook_of(here))["suspend"] == "todo"
    assert [entry["action"] for entry in here.journal()][-1] == "reactivate"


def test_what_is_still_suspended_stays_done(here: Site, core: Core, rest: rest_standin.Standin) -> None:
    runbook = runbook_of(here)
    assert runbook.run("suspend").state == "done"
    rest.instead, rest.only = (200, {}, b""), "POST"
    step = runbook.run("suspend", back=True)
    assert step.state == "done"
    assert step.sentence.startswith(f"Still so: {JANE} is not active, though BlueMind took it")
    assert core.load()["users"]["UID-1"]["archived"] is True
    # Letting it in was tried, and cut off once, and it is suspended all the same.
    Journal(here.settings.state).begin("0123456789ab", "reactivate", JANE)
    assert states(runbook_of(here))["suspend"] == "done"


def test_a_purge_that_was_undone_is_to_do_again(plain_site: Site) -> None:
    (letter,) = Player(plain_site.postfix).send(
        BROKEN_RELAY, [Message("spam", "winner@lottery.example", ("victim@bank.example",))]
    )
    plain_site.postfix.settle()
    client = Client(BROKEN_RELAY.address)

    def purge() -> str:
        return plain_site.responder.runbook(plain_site.messages, client=client).steps[3].state

    runbook = plain_site.responder.runbook(plain_site.messages, client=client)
    undo = runbook.run("purge").sentence.rpartition(" ")[2]
    assert purge() == "done"
    # Another one that is undone is not this one.
    Journal(plain_site.settings.state).end(
        Journal(plain_site.settings.state).begin("0123456789ab", "undo", "other", undo="other"),
        "done",
        "",
        undo="other",
    )
    assert purge() == "done"
    plain_site.responder.undo(undo, no_progress)
    assert letter.queue_id in plain_site.on_hold()
    assert purge() == "todo"
    runbook.run("purge")
    assert purge() == "done"


def test_a_client_that_is_trusted_again_is_to_be_untrusted_again(plain_site: Site) -> None:
    responder, client = plain_site.responder, Client(BROKEN_RELAY.address)
    first = responder.runbook(plain_site.messages, client=client)
    assert first.run("untrust").state == "done"
    assert states(responder.runbook(plain_site.messages, client=client))["untrust"] == "done"
    assert responder.change_trust(responder.prepare_trust_again(client)).ok
    again = responder.runbook(plain_site.messages, client=client)
    assert states(again)["untrust"] == "todo"
    with ticking(again), Bot(plain_site.postfix, BROKEN_RELAY, None, stays=False):
        again.run("watch")
        verdict = verdict_of(again, lambda verdict: verdict.state == "alarm")
        assert verdict.missing == ("untrust",)
        assert "it is still trusted; take it out of mynetworks" in verdict.sentence
