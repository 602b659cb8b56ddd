"""One Postfix for all kinds of incident; each is played once, and looked at by several tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.mailserver import Postfix

from .kinds import KINDS
from .stage import postfix_for_all
from .verdict import Outcome, outcome


@pytest.fixture(scope="session")
def detection_postfix() -> Iterator[Postfix]:
    with postfix_for_all() as postfix:
        yield postfix


@pytest.fixture(scope="session")
def seen(detection_postfix: Postfix) -> Callable[[str], Outcome]:
    """What bmtop makes of the kind of this name."""
    known: dict[str, Outcome] = {}

    def see(name: str) -> Outcome:
        if name not in known:
            kind = next(kind for kind in KINDS if kind.name == name)
            known[name] = outcome(kind, detection_postfix)
        return known[name]

    return see
