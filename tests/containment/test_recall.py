"""A runbook that is come back to: what the journal says was done, and what was taken back since."""

from bmtop.checked import Client
from bmtop.incident.selection import Filter, select
from bmtop.response.journal import Journal
from bmtop.response.plan import Plan, no_progress
from bmtop.response.runbook import Runbook, Step
from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.containment.bots import Bot
from tests.containment.conftest import JANE, Site
from tests.containment.test_bots import ticking, verdict_of
from tests.containment.test_runbook import runbook_of, states
from tests.mailserver import Message, Player
from tests.mailserver.stories import ALICE, BROKEN_RELAY, INTRUDER


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
    assert steps["hold"].sentence.endswith("What comes in is not held at present.")
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


def test_a_purge_of_a_part_is_not_all_of_it(plain_site: Site) -> None:
    spam = [Message("spam", "winner@lottery.example", (f"v{n}@bank.example",)) for n in range(4)]
    Player(plain_site.postfix).send(INTRUDER, spam, ALICE)
    plain_site.postfix.settle()
    responder, whole = plain_site.responder, Filter(login=ALICE)

    def again() -> Runbook:
        return responder.runbook(plain_site.messages, login=ALICE)

    def purge_of(runbook: Runbook) -> Step:
        return next(step for step in runbook.steps if step.name == "purge")

    def chosen(wanted: Filter) -> Plan:
        return Plan("purge", wanted, select(plain_site.messages(), wanted, responder.accounts))

    # By another filter, and by what was ticked in the list: d, the command line.
    responder.purge(chosen(Filter(login=ALICE, recipient="v0@bank.example")), no_progress)
    assert purge_of(again()).state == "todo"
    assert "The rest of its mail was left out by choice." in purge_of(again()).sentence
    one = chosen(whole).messages[:1]
    responder.purge(Plan("purge", whole, one, unticked=2), no_progress)
    assert purge_of(again()).state == "todo"
    # In the runbook itself, and when that is come back to.
    runbook = again()
    assert [step.state for step in runbook.steps if step.name == "purge"] == ["todo"]
    step = runbook.run("purge", plan=Plan("purge", whole, chosen(whole).messages[:1], unticked=1))
    assert step.state == "todo"
    assert step.sentence.startswith("1 of 1 messages deleted. The rest of its mail was left out by choice.")
    assert purge_of(again()).state == "todo"
    assert len(plain_site.postfix.queue()) == 1
    assert runbook.run("purge").state == "done"
    assert plain_site.postfix.queue() == {}
    assert purge_of(again()).state == "done"


def test_what_came_since_is_to_do_though_the_rest_was_purged(plain_site: Site) -> None:
    player, responder = Player(plain_site.postfix), plain_site.responder

    def again() -> dict[str, Step]:
        return {step.name: step for step in responder.runbook(plain_site.messages, login=ALICE).steps}

    def spam(number: int) -> None:
        letters = [Message("spam", f"winner{n}@lottery.example", ("v@bank.example",)) for n in range(number)]
        player.send(INTRUDER, letters, ALICE)
        plain_site.postfix.settle()

    spam(2)
    runbook = responder.runbook(plain_site.messages, login=ALICE)
    assert [runbook.run(name).state for name in ("purge", "connections")] == ["done", "done"]
    assert again()["purge"].state == "done"
    # It may have connected again, with whatever password: only a look at the connections of now can tell.
    assert again()["connections"].state == "todo"
    spam(3)
    assert again()["purge"].state == "todo"
    assert again()["purge"].sentence.endswith("3 more are queued by now.")


def test_what_is_held_meanwhile_is_told(plain_site: Site) -> None:
    responder = plain_site.responder
    keep = responder.keep_holding(Filter(login=ALICE))
    keep.begin()
    try:
        runbook = responder.runbook(plain_site.messages, login=ALICE, keep=keep)
        assert runbook.keep is keep
        assert runbook.steps[0].sentence.endswith("What comes in is held.")
    finally:
        keep.end()
    assert (
        responder.runbook(plain_site.messages, login=ALICE)
        .steps[0]
        .sentence.endswith("What comes in is not held at present.")
    )
