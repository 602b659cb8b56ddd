"""A real Postfix to purge: one that a module shares, emptied for each test, or a fresh one."""

from collections.abc import Iterator

import pytest

from tests.mailserver import Player, Postfix
from tests.purge.commandline import Bmtop, clear


@pytest.fixture(scope="module")
def shared_postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        yield postfix


@pytest.fixture
def mail_server() -> Iterator[Postfix]:
    """A Postfix of this test's own."""
    with Postfix.temporary() as postfix:
        yield postfix


@pytest.fixture
def postfix(shared_postfix: Postfix) -> Postfix:
    """A Postfix whose queue is empty, and where bmtop has never run."""
    clear(shared_postfix)
    return shared_postfix


@pytest.fixture
def player(postfix: Postfix) -> Player:
    return Player(postfix)


@pytest.fixture
def bmtop(postfix: Postfix) -> Bmtop:
    return Bmtop(postfix)
