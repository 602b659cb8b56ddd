"""A real Postfix for the tests: one that a module shares, or a fresh one for a single test."""

from collections.abc import Iterator

import pytest

from tests.mailserver import Postfix


def _fresh() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        yield postfix
    assert postfix.processes() == []
    assert not postfix.folder.exists()


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """One Postfix for all tests of a module: for tests that look, and change nothing that another one sees."""
    yield from _fresh()


@pytest.fixture
def mail_server() -> Iterator[Postfix]:
    """A Postfix of this test's own, with an empty queue: it starts in half a second."""
    yield from _fresh()
