"""Whom the journal calls an action's target: as the panes name them, so that both are found together."""

import pytest

from bmtop.incident.selection import Filter, network
from bmtop.response.plan import Plan
from bmtop.response.responder import describe


@pytest.mark.parametrize(
    ("wanted", "whom"),
    [
        (Filter(clients=(network("203.0.113.57"),), without_login=True), "203.0.113.57"),
        (Filter(clients=(network("2001:db8::57"), network("192.0.2.0/24"))), "2001:db8::57, 192.0.2.0/24"),
        (Filter(login="alice@example.com"), "alice@example.com"),
    ],
)
def test_a_client_is_called_as_the_panes_call_it(wanted: Filter, whom: str) -> None:
    assert describe(Plan("purge", wanted, ())) == whom
