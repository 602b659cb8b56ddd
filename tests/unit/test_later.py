"""What is loaded when: neither the first screen nor a report waits for what it does not need."""

import subprocess
import sys

import pytest

from bmtop import response
from bmtop.later import modules_of

# What only an action, a dialog, a command on the server or a log that is followed needs.
LATER = {
    "bmtop.response.purge", "bmtop.console.dialogs.dialog", "bmtop.console.deeds.messages", "bmtop.bluemind.rest",
    "sh", "urllib3", "pyinotify", "secrets",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Return the modules that a new Python has after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("code", [
    "import bmtop.cli",
    "import bmtop.cli, bmtop.console.app, bmtop.response.responder",
])  # fmt: skip
def test_the_start_loads_nothing_of_what_acts(code: str) -> None:
    loaded = loaded_by(code)
    assert "bmtop.reading" in loaded
    assert LATER.isdisjoint(loaded)


def test_a_module_is_loaded_when_it_is_named() -> None:
    code = "from bmtop import response\nassert 'bmtop.response.hold' not in sys.modules\nresponse.hold"
    assert "bmtop.response.hold" in loaded_by(code)


def test_what_is_no_module_is_said_as_python_says_it() -> None:
    load = modules_of("bmtop.response")
    assert load("hold") is response.hold
    with pytest.raises(ModuleNotFoundError, match=r"bmtop\.response\.nothing"):
        load("nothing")
    assert not hasattr(response, "__nothing__")
