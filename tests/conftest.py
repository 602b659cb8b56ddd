"""No test fails because the machine is slow, or because of how the tests were started."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# What is ignored here (a background job ignores Ctrl-C, nohup a lost terminal) would be ignored by all that tests
# start; what is handled would not.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the others are done beside it."""
    items.sort(key=lambda item: item.path.parent.name != "soak")
