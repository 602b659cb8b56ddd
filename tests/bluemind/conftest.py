"""A BlueMind for the tests: its core, bm-cli and REST service on it, and bmtop's hands on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bmtop.bluemind.bluemind import BlueMind
from bmtop.bluemind.bmcli import BmCli
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import Service
from bmtop.checked import Login
from bmtop.server import Server
from tests.bluemind import bm_cli_standin, rest_standin
from tests.bluemind.core import Core


@pytest.fixture
def jane() -> Login:
    return Login("jane.doe@example.com")


@pytest.fixture
def program(tmp_path: Path) -> bm_cli_standin.Standin:
    """The program bm-cli, in a folder of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return bm_cli_standin.Standin(folder)


@pytest.fixture
def core(program: bm_cli_standin.Standin) -> Core:
    """The core that both the program and the service act on."""
    return program.core


@pytest.fixture
def cli(program: bm_cli_standin.Standin, tmp_path: Path) -> BmCli:
    return BmCli(
        Server(), str(program.program), folder=tmp_path / "state", disabled=tmp_path / "bm-cli.disabled", timeout=30
    )


@pytest.fixture
def service(core: Core) -> Iterator[rest_standin.Standin]:
    with rest_standin.serving(core) as standin:
        yield standin


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """The file with the key."""
    file = tmp_path / "bm-core.tok"
    file.write_text(rest_standin.KEY + "\n")
    return file


@pytest.fixture
def rest(service: rest_standin.Standin, token: Path) -> Rest:
    return Rest(Service(service.url, token))


@pytest.fixture
def bluemind(rest: Rest, cli: BmCli) -> BlueMind:
    return BlueMind(rest, cli)


@pytest.fixture
def without_rest(cli: BmCli, tmp_path: Path) -> BlueMind:
    """A BlueMind for whose REST service there is no key."""
    return BlueMind(Rest(Service(token=tmp_path / "no-such.tok")), cli)
