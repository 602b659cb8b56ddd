"""Which logins are one account: all forms of one person's, and never two people's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.accounts import Accounts

ACCOUNTS = Accounts("Example.COM", {"alias.example": "example.com", "0f3a9c.internal": "example.com"})
LOGINS = st.one_of(
    st.text(max_size=20),
    st.text("aA@.K\u212a\u0130\xe9 ", max_size=12),
    st.sampled_from(["", "@", "a@", "@a", "a@b@c", "x" * 300 + "@example.com"]),
)


@pytest.mark.parametrize(
    "login",
    ["alice", "ALICE", "alice@example.com", "Alice@EXAMPLE.com", "alice@alias.example", "alice@0f3a9c.internal"],
)
def test_all_forms_are_one_account(login: str) -> None:
    assert ACCOUNTS.account(login) == "alice@example.com"


@pytest.mark.parametrize(
    "login",
    ["", "@", "@example.com", "alice@", "alice@example.com@example.com", "bob", "alice@example.org", "alic\u212a", " "],
)
def test_no_other_login_is_taken_for_it(login: str) -> None:
    assert not ACCOUNTS.same(login, "alice@example.com")


def test_without_a_default_domain_a_bare_name_is_nobody_elses() -> None:
    accounts = Accounts("", {"alias.example": "example.com"})
    assert not accounts.same("alice", "alice@example.com")
    assert accounts.same("ALICE", "alice")


def test_the_default_domain_may_be_an_alias() -> None:
    accounts = Accounts("alias.example", {"alias.example": "example.com"})
    assert accounts.account("alice") == "alice@example.com"


@given(LOGINS)
def test_an_account_is_its_own_account(login: str) -> None:
    account = ACCOUNTS.account(login)
    assert ACCOUNTS.account(account) == account


@given(LOGINS, LOGINS)
def test_two_logins_are_one_only_by_ascii_case_and_a_known_domain(one: str, other: str) -> None:
    def plain(login: str) -> tuple[bytes, str]:
        local, at, domain = login.encode().lower().decode().partition("@")
        whole = local and (domain or not at) and "@" not in domain
        known = domain in ("", "example.com", "alias.example", "0f3a9c.internal")
        return (local.encode(), "example.com" if known else domain) if whole else (login.encode(), "itself")

    assert ACCOUNTS.same(one, other) == (plain(one) == plain(other))


@pytest.mark.parametrize(
    ("account", "sender", "own"),
    [
        ("alice@example.com", "alice@example.com", True),
        ("alice@example.com", "Alice+news@alias.example", True),
        ("alice@example.com", "bob@example.com", False),
        ("alice@example.com", "alice@bank.example", False),
        ("alice@example.com", "", False),
        ("alice", "alice@bank.example", True),
        ("alice", "bob@bank.example", False),
    ],
)
def test_whose_sender_it_is(account: str, sender: str, own: bool) -> None:
    assert Accounts("", {"alias.example": "example.com"}).is_own(account, sender) == own
