"""Who is named, and who is not, in every kind of incident; judged by what the player knows."""

from collections import Counter
from collections.abc import Callable

import pytest

from bmtop.incident.accounts import Accounts
from bmtop.incident.picture import Sender
from bmtop.report import as_dict

from .kinds import FRANK, GATEWAY, KINDS, NEWS
from .verdict import Outcome, table

Seen = Callable[[str], Outcome]
NAMES = [kind.name for kind in KINDS]
ALICE, BOB, CAROL, ERIN = (f"{name}@example.com" for name in ("alice", "bob", "carol", "erin"))


def row(outcome: Outcome, login: str) -> Sender:
    return next(row for row in outcome.picture.senders if row.login == login)


@pytest.mark.parametrize("name", NAMES)
def test_the_guilty_stand_on_top_and_the_honest_are_left_alone(name: str, seen: Seen) -> None:
    found = seen(name)
    assert found.hits == found.truth.guilty | found.truth.guilty_relays
    assert found.false_alarms == set()
    assert found.break_ins == found.truth.break_ins


@pytest.mark.parametrize("name", NAMES)
def test_each_relay_has_its_kind_and_mail_that_comes_in_for_us_is_none(name: str, seen: Seen) -> None:
    found = seen(name)
    assert found.relays == found.truth.relays


@pytest.mark.parametrize("name", NAMES)
def test_each_account_has_as_many_messages_as_the_server_took_from_it(name: str, seen: Seen) -> None:
    found = seen(name)
    aliases = found.truth.settings.get("domain_aliases", {})
    assert isinstance(aliases, dict)
    accounts, sent = Accounts("", aliases), Counter[str]()
    for login, count in found.sent.items():
        sent[accounts.account(login)] += count
    assert {row.login: row.messages for row in found.picture.senders} == sent
    assert all(row.forged == 0 for row in found.picture.senders if row.login not in found.truth.guilty)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_the_honest_but_how_fast_a_newsletter_is(name: str, seen: Seen) -> None:
    found = seen(name)
    said = {row.login: row.reasons for row in found.picture.senders if row.reasons}
    assert said.keys() - found.truth.guilty <= {NEWS}
    assert all("messages" in words for words in said.get(NEWS, ()))


def test_a_newsletter_stands_below_a_stolen_login_with_a_tenth_of_its_volume(seen: Seen) -> None:
    rows = seen("beside a newsletter").picture.senders
    assert [row.login for row in rows[:2]] == [BOB, NEWS]
    assert (rows[0].messages, rows[1].messages) == (40, 400)
    assert "14 recipients that do not exist" in rows[0].reasons


def test_one_person_is_one_row_with_every_login(seen: Seen) -> None:
    alice = row(seen("several logins"), ALICE)
    assert set(alice.logins) == {ALICE, "alice@alias.example", "alice@0f3a9c.internal"}
    assert alice.messages == 45


def test_an_address_not_seen_before_is_a_reason_where_the_account_is_known_from_elsewhere(seen: Seen) -> None:
    bob = row(seen("own sender"), BOB)
    assert "60 messages from an address not seen before" in bob.reasons
    assert any("its own past rate" in words for words in bob.reasons)


def test_a_name_that_many_addresses_guess_at_is_one_row_that_marks_who_got_in(seen: Seen) -> None:
    found = seen("many guessers").picture
    alice, carol = (next(row for row in found.attacked if row.login == login) for login in (ALICE, CAROL))
    assert found.attacked[0] is alice
    assert (len(alice.clients), alice.failures) == (12, 12)
    assert [client for client, _ in alice.got_in] == ["203.0.113.107"]
    assert alice.first_seen <= alice.got_in[0][1] <= found.generated
    assert (len(carol.clients), carol.failures, carol.got_in) == (12, 24, ())


def test_an_address_that_tries_many_names_is_named_with_the_one_it_got_in_by(seen: Seen) -> None:
    client = seen("many names").picture.failed_logins[0]
    assert (client.failures, len(client.logins), client.succeeded) == (12, 8, (BOB,))
    assert client.broke_in
    assert [login for login, _ in client.got_in] == [BOB]


def test_a_mistyped_password_is_told_and_is_no_break_in(seen: Seen) -> None:
    frank = next(row for row in seen("noise").picture.failed_logins if dict(row.logins) == {FRANK: 3})
    assert frank.succeeded == (FRANK,)
    assert not frank.broke_in
    assert row(seen("noise"), FRANK).reasons == ()


def test_what_a_spammer_writes_points_at_nobody(seen: Seen) -> None:
    found = seen("framed")
    carol = row(found, CAROL)
    assert (carol.messages, carol.forged, [client for client, _ in carol.clients]) == (8, 0, ["198.51.100.7"])
    liar = next(row for row in found.picture.failed_logins if row.client == "203.0.113.66")
    assert dict(liar.logins) == {
        CAROL: 30,
        "x, sasl_username=carol@example.com": 1,
        "[/red]carol@example.com": 1,
    }
    assert (liar.failures, liar.unnamed) == (33, 1)
    assert liar.succeeded == (BOB,)


def test_a_trusted_relay_is_shown_with_its_range_and_a_known_one_last(seen: Seen) -> None:
    relays = seen("trusted relay").picture.relays
    assert {row.network for row in relays} == {"192.0.2.0/24"}
    assert [(row.client, row.known, row.suspected) for row in relays][-1] == (GATEWAY.address, True, False)


def test_the_json_report_has_the_keys_that_it_promises(seen: Seen) -> None:
    found = as_dict(seen("trusted relay").picture)
    assert found.keys() == {
        "generated", "window_seconds", "complete", "queue", "senders", "relays", "failed_logins", "attacked", "blocked",
        "problems",
    }  # fmt: skip
    assert found["senders"][0].keys() == {
        "login", "logins", "messages", "recipients", "clients", "envelope_senders", "forged", "queued",
        "failed_logins", "first_seen", "last_seen", "reasons",
    }  # fmt: skip
    assert found["relays"][0].keys() == {
        "client", "name", "kind", "network", "messages", "recipients", "queued", "refused", "last_seen",
    }  # fmt: skip
    assert found["failed_logins"][0].keys() == {"client", "logins", "failures", "succeeded"}


def test_the_table_tells_every_kind(seen: Seen) -> None:
    lines = table([seen(name) for name in NAMES]).splitlines()
    assert len(lines) == 2 + len(NAMES) + 1
    assert lines[-1].startswith("| **all** | **12 of 12** | **")
    assert ", 0** |" in lines[-1]
