"""A mail server as BlueMind sets it up: Postfix, a saslauthd that remembers passwords, and the core behind both."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bmtop.config import Settings
from bmtop.incident.message import Message
from bmtop.monitor import Monitor
from bmtop.postfix import instance
from bmtop.response.responder import Responder
from bmtop.server import Server
from tests.bluemind import rest_standin
from tests.bluemind.core import Core
from tests.containment.saslauthd import saslauthd
from tests.mailserver import Postfix

JANE = "jane.doe@example.com"
SMITH = "smith@example.com"
OLD = {JANE: "old", SMITH: "other"}
RESTART = ("true",)


@pytest.fixture
def mail_server() -> Iterator[Postfix]:
    """A Postfix of this test's own."""
    with Postfix.temporary() as postfix:
        yield postfix
    assert postfix.processes() == []


@pytest.fixture(scope="module")
def shared() -> Iterator[Postfix]:
    """One for those tests of a module that leave nothing on it."""
    with Postfix.temporary() as postfix:
        yield postfix


@dataclass
class Site:
    """The whole of it, and bmtop's hands on it."""

    postfix: Postfix
    settings: Settings

    @property
    def responder(self) -> Responder:
        return Responder(self.settings, instance.Postfix(Server(self.settings.path), self.postfix.etc))

    def messages(self) -> tuple[Message, ...]:
        """What a console lists."""
        monitor = Monitor(self.settings, instance.Postfix(Server(self.settings.path), self.postfix.etc))
        return tuple(monitor.read_queue().values())

    def journal(self) -> list[dict[str, Any]]:
        """The actions in the journal that have ended, as they lie in its file, with the ids that they began with."""
        file = self.settings.state / "journal.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        begun = {entry["number"]: entry["ids"] for entry in map(json.loads, lines) if entry["state"] == "begun"}
        ends = [entry for entry in map(json.loads, lines) if entry["state"] != "begun"]
        return [{**entry, "ids": begun[entry["number"]]} for entry in ends]

    def on_hold(self) -> set[str]:
        return {path.name for path in (self.postfix.spool / "hold").iterdir()}


def site(postfix: Postfix, folder: Path, **settings: Any) -> Site:
    basis = {"log": postfix.log, "postfix": postfix.etc, "state": folder / "state", "bm_cli": "/no/bm-cli"}
    return Site(postfix, Settings(**{**basis, "bm_token": folder / "no-key", **settings}))


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return Core(tmp_path)


@pytest.fixture
def rest(core: Core) -> Iterator[rest_standin.Standin]:
    with rest_standin.serving(core) as standin:
        yield standin


@pytest.fixture
def bluemind_site(mail_server: Postfix, core: Core, rest: rest_standin.Standin, tmp_path: Path) -> Iterator[Site]:
    """Jane's password is `old`, and saslauthd will go on taking it when it is another."""
    token = tmp_path / "bm-core.tok"
    token.write_text(rest_standin.KEY)
    with saslauthd(mail_server, core.can_log_in) as restart:
        yield site(mail_server, tmp_path, bm_api=rest.url, bm_token=token, sasl_restart=(str(restart),))


@pytest.fixture
def here(shared: Postfix, core: Core, rest: rest_standin.Standin, tmp_path: Path) -> Site:
    """A BlueMind beside it, whose SASL cache is of no interest here."""
    token = tmp_path / "bm-core.tok"
    token.write_text(rest_standin.KEY)
    return site(shared, tmp_path, bm_api=rest.url, bm_token=token, sasl_restart=RESTART)


@pytest.fixture
def plain_site(mail_server: Postfix, tmp_path: Path) -> Site:
    """A Postfix without a BlueMind."""
    return site(mail_server, tmp_path)
