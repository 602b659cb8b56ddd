"""What the tests of the log share."""

from collections.abc import Iterator

import pytest

from tests.mailserver import Player, Postfix, incident


@pytest.fixture(scope="module")
def real_log() -> Iterator[bytes]:
    """The log of a whole incident on a real Postfix."""
    with Postfix.temporary() as postfix:
        incident(Player(postfix), 300)
        yield postfix.log.read_bytes()
