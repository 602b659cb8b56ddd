"""The password is in no process list, seen by a sampler that would see it if it were there."""

import threading
from pathlib import Path

from bmtop.bluemind.bluemind import BlueMind
from bmtop.bluemind.passwords import make
from bmtop.checked import Login
from tests.bluemind import bm_cli_standin, rest_standin
from tests.bluemind.core import Core
from tests.bluemind.sampler import sampling, until


def test_by_rest_no_process_shows_the_password(
    bluemind: BlueMind, service: rest_standin.Standin, core: Core, jane: Login
) -> None:
    password = make()
    service.go.clear()
    with sampling(password) as sampler:
        setting = threading.Thread(target=bluemind.set_password, args=[jane, password])
        setting.start()
        until(service.waiting.is_set)
        sampler.wait_for_a_look()
        service.go.set()
        setting.join()
        sampler.wait_for_a_look()
    assert core.can_log_in(jane, password)
    assert sampler.seen == set()
    assert sampler.of_bm_cli == set()


def shown_by_bm_cli(bluemind: BlueMind, program: bm_cli_standin.Standin, jane: Login, go: Path, **consent: bool) -> int:
    """Return how many command lines showed the password while bm-cli was held up for the sampler to look."""
    password = make()
    program.behave(waits_for=str(go))
    with sampling(password) as sampler:
        setting = threading.Thread(target=bluemind.set_password, args=[jane, password], kwargs=consent)
        setting.start()
        until(program.log)
        sampler.wait_for_a_look()
        go.touch()
        setting.join()
    assert program.core.can_log_in(jane, password)
    assert sampler.of_bm_cli
    return len(sampler.seen)


def test_by_the_argument_file_no_process_shows_the_password(
    without_rest: BlueMind, program: bm_cli_standin.Standin, jane: Login, tmp_path: Path
) -> None:
    assert shown_by_bm_cli(without_rest, program, jane, tmp_path / "go") == 0


def test_in_the_arguments_the_password_is_seen(
    without_rest: BlueMind, program: bm_cli_standin.Standin, jane: Login, tmp_path: Path
) -> None:
    """The control: what the argument file keeps from happening."""
    without_rest.cli.memory = tmp_path / "no-memory"
    assert shown_by_bm_cli(without_rest, program, jane, tmp_path / "go", allow_argv=True) > 0
