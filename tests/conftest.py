"""No test fails because the machine is slow, because of how the tests were started, or because of one beside it."""

import ctypes
import os
import signal
import subprocess

import pytest
from hypothesis import settings

_CLONE_NEWNS = 0x00020000  # unshare(2)

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# What is ignored here (a background job ignores Ctrl-C, nohup a lost terminal) would be ignored by all that tests
# start; what is handled would not.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_configure() -> None:
    """Have files in memory of one's own: some tests look whether anything was left there."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "none", "/dev/shm"], check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the others are done beside it."""
    items.sort(key=lambda item: item.path.parent.name != "soak")
