"""Untrust on a real Postfix: who is refused, and who still relays, is tried over SMTP."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bmtop import checked, cli
from bmtop.bluemind.bluemind import BlueMind
from bmtop.bluemind.bmcli import BmCli
from bmtop.bluemind.rest import Rest
from bmtop.bluemind.service import Service
from bmtop.config import Settings
from bmtop.monitor import Monitor
from bmtop.postfix.instance import Postfix as Instance
from bmtop.response.gate import Gate
from bmtop.response.journal import Journal
from bmtop.response.untrust import Untrust
from bmtop.server import Server
from tests.bluemind import bm_cli_standin, rest_standin
from tests.mailserver import Client, Message, Player, Postfix, wait_until
from tests.mailserver.postfix import run
from tests.mailserver.stories import CAROL

BROKEN = "192.0.2.66"
TRUSTED = "127.0.0.0/8, [::1]/128, 192.0.2.0/24"
AROUND = (
    "127.0.0.0/8, [::1]/128, 192.0.2.0/26, 192.0.2.64/31, 192.0.2.67, 192.0.2.68/30, 192.0.2.72/29,"
    " 192.0.2.80/28, 192.0.2.96/27, 192.0.2.128/25"
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix.temporary() as postfix:
        yield postfix


@pytest.fixture
def trusting(postfix: Postfix, tmp_path: Path) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """The command line on a Postfix that trusts a range; what it changed is put back."""

    def bmtop(*arguments: str) -> tuple[int, str, str]:
        options = ("--postfix", str(postfix.etc), "--log", str(postfix.log), "--state", str(tmp_path / "state"))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.main([*options, *arguments])
            except SystemExit as end:
                status = int(end.code or 0)
        return status, out.getvalue(), err.getvalue()

    yield bmtop
    if mynetworks(postfix) != TRUSTED:
        postfix.postconf(mynetworks=TRUSTED)


def mynetworks(postfix: Postfix) -> str:
    return run("postconf", "-c", str(postfix.etc), "-h", "mynetworks").stdout.decode().strip()


def relays(postfix: Postfix, address: str) -> bool:
    """Whether the server takes mail for elsewhere from there; its word for a no is `Relay access denied`."""
    with Player(postfix).connect(Client(address)) as session:
        session.command("MAIL FROM:<somebody@example.com>")
        code, text = session.command("RCPT TO:<x@faraway.test>")
    assert code == 250 or "Relay access denied" in text
    return code == 250


def refused_soon(postfix: Postfix, address: str) -> None:
    # A server process of before the reload may still serve one more connection.
    wait_until(lambda: not relays(postfix, address), what=f"{address} is refused")


def test_it_is_refused_its_neighbours_still_relay_and_undo_brings_it_back(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    Player(postfix).send(Client(BROKEN), [Message("test", "a@bank.example", ("x@faraway.test",))])
    postfix.settle()
    status, out, _ = trusting("untrust", BROKEN, "--yes")
    assert status == 0
    assert mynetworks(postfix) == AROUND
    assert f"Postfix trusts {BROKEN} no more." in out
    refused_soon(postfix, BROKEN)
    for neighbour in ("192.0.2.1", "192.0.2.65", "192.0.2.67", "192.0.2.10", "192.0.2.254"):
        assert relays(postfix, neighbour), neighbour

    status, out, _ = trusting("report", "--json")
    row = next(row for row in json.loads(out)["relays"] if row["client"] == BROKEN)
    assert (row["kind"], row["network"]) == ("refused", "192.0.2.0/24")

    status, out, _ = trusting("untrust", "--undo", "--yes", "--json")
    told = json.loads(out)
    assert (status, told["action"], told["done"], told["after"]) == (0, "trust again", True, TRUSTED)
    assert mynetworks(postfix) == TRUSTED
    wait_until(lambda: relays(postfix, BROKEN), what="it relays again")


def test_what_it_advises_holds_the_relayed_mail_and_nobody_elses(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    player, there = Player(postfix), Client(BROKEN)
    (spam,) = player.send(there, [Message("spam", "a@bank.example", ("x@faraway.test",))])
    (honest,) = player.send(there, [Message("honest", CAROL, ("buyer@customer.example",))], CAROL)
    postfix.settle()
    _, out, _ = trusting("untrust", BROKEN, "--yes")
    (advice,) = re.findall(r"^To hold what it has queued: bmtop (.*)$", out, re.MULTILINE)
    assert trusting(*shlex.split(advice), "--yes")[0] == 0
    queue = postfix.queue()
    assert (queue[spam.queue_id].queue_name, queue[honest.queue_id].queue_name) == ("hold", "deferred")


def test_one_whose_connection_goes_on_is_told_by_that(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    settings = Settings(log=postfix.log, postfix=postfix.etc, state=tmp_path / "state")
    with Player(postfix).connect(Client(BROKEN)) as session:
        assert trusting("untrust", BROKEN, "--yes")[0] == 0

        def reason() -> str:
            session.send(Message("test", "a@bank.example", ("x@faraway.test",)))
            postfix.settle()
            rows = Monitor(settings, Instance(Server(), postfix.etc)).read_once().relays
            return next(" ".join(row.reasons) for row in rows if row.client == BROKEN)

        wait_until(lambda: re.match(r"untrusted \d\d:\d\d:\d\d; its connection is still open", reason()))


def test_the_command_that_ran_can_be_pasted(postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = trusting("untrust", BROKEN, "--yes")
    (ran,) = (line.removeprefix("Ran: ") for line in out.splitlines() if line.startswith("Ran: "))
    postfix.postconf(mynetworks=TRUSTED)
    assert subprocess.run(ran, shell=True).returncode == 0
    assert mynetworks(postfix) == AROUND


def test_a_dry_run_shows_before_and_after_and_changes_nothing(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, _ = trusting("untrust", BROKEN, "--dry-run", "--json")
    told = json.loads(out)
    assert (status, told["before"], told["after"], told["dry_run"], told["done"]) == (0, TRUSTED, AROUND, True, False)
    assert mynetworks(postfix) == TRUSTED
    assert not (tmp_path / "state").exists()


def test_without_yes_and_without_a_terminal_nothing_is_done(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, err = trusting("untrust", BROKEN)
    assert (status, mynetworks(postfix)) == (2, TRUSTED)
    assert "--yes" in err


def test_read_only_does_not_untrust(postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]) -> None:
    status, _, err = trusting("--read-only", "untrust", BROKEN, "--yes")
    assert (status, mynetworks(postfix)) == (2, TRUSTED)
    assert "read-only" in err


@pytest.mark.parametrize("own", ["127.0.0.1", "::1", "127.8.8.8"])
def test_the_servers_own_addresses_stay_trusted(
    own: str, postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, err = trusting("untrust", own, "--yes")
    assert (status, mynetworks(postfix)) == (2, TRUSTED)
    assert "must stay trusted" in err


def test_one_that_is_not_trusted_is_said_to_be_so(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, err = trusting("untrust", "203.0.113.9", "--yes")
    assert (status, mynetworks(postfix)) == (2, TRUSTED)
    assert "No entry of mynetworks lets 203.0.113.9 in" in err
    status, _, err = trusting("untrust", "--undo", "--yes")
    assert (status, err) == (2, "bmtop: No client was untrusted that could be taken back; see the journal.\n")


def test_ipv6_is_split_and_written_in_brackets(postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]) -> None:
    postfix.postconf(mynetworks="127.0.0.0/8 [2001:db8:5::]/125")
    assert trusting("untrust", "2001:db8:5::2", "--yes")[0] == 0
    assert mynetworks(postfix) == "127.0.0.0/8, [2001:db8:5::]/127, [2001:db8:5::3], [2001:db8:5::4]/126"
    refused_soon(postfix, "2001:db8:5::2")
    assert all(relays(postfix, f"2001:db8:5::{n}") for n in (0, 1, 3, 4, 7))


@pytest.mark.parametrize(
    ("entry", "content"),
    [
        ("/{folder}/trusted", "# ours\n192.0.2.66, 198.51.100.5\n"),
        ("192.0.2.0/24 cidr:/{folder}/trusted", "192.0.2.64/26 ok\n"),
        ("texthash:/{folder}/trusted", "192.0.2.66 ok\n"),
        ("192.0.2.0/24 regexp:/{folder}/trusted", "/^192\\.0\\.2\\.66$/ ok\n"),
    ],
)
def test_what_stands_in_a_file_or_table_is_left_and_named(
    entry: str, content: str, postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    (postfix.folder / "trusted").write_text(content)
    entry = entry.replace("/{folder}", str(postfix.folder))
    postfix.postconf(mynetworks=f"127.0.0.0/8 {entry}")
    wait_until(lambda: relays(postfix, BROKEN), what="the table is in use")
    status, _, err = trusting("untrust", BROKEN, "--yes")
    assert (status, mynetworks(postfix)) == (2, f"127.0.0.0/8 {entry}")
    assert entry.rpartition(" ")[2] in err
    assert "take it out there" in err


def test_a_reference_to_another_parameter_is_left_and_named(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    postfix.postconf(mynetworks="127.0.0.0/8 $ours 198.51.100.0/31", ours="192.0.2.0/24")
    status, _, err = trusting("untrust", BROKEN, "--yes")
    assert status == 2
    assert "$ours" in err
    status, out, _ = trusting("untrust", "198.51.100.1", "--dry-run", "--json")
    assert (status, json.loads(out)["after"]) == (0, "127.0.0.0/8, $ours, 198.51.100.0")


def test_a_service_with_a_mynetworks_of_its_own_is_told(
    postfix: Postfix, trusting: Callable[..., tuple[int, str, str]]
) -> None:
    service = f"127.0.0.1:{postfix.ports.submission}/inet/mynetworks"
    run("postconf", "-c", str(postfix.etc), "-P", f"{service}=192.0.2.0/24")
    _, out, _ = trusting("untrust", BROKEN, "--yes")
    assert "master.cf has a mynetworks of its own" in out
    assert str(postfix.ports.submission) in out
    # What somebody else set meanwhile is not written over.
    postfix.postconf(mynetworks="127.0.0.0/8")
    status, _, err = trusting("untrust", "--undo", "--yes")
    assert (status, mynetworks(postfix)) == (2, "127.0.0.0/8")
    assert "changed meanwhile" in err
    run("postconf", "-c", str(postfix.etc), "-PX", service)


def test_through_bluemind_it_is_its_setting_that_changes(postfix: Postfix, tmp_path: Path) -> None:
    """BlueMind sorts, adds its own addresses, and passes the setting on to Postfix in the background."""
    program = bm_cli_standin.Standin(tmp_path)
    core = program.core
    key = tmp_path / "key"
    key.write_text(rest_standin.KEY)
    stop = threading.Event()

    def pass_on() -> None:
        known = core.load()["sysconf"]["mynetworks"]
        while not stop.wait(0.1):
            if (now := core.load()["sysconf"]["mynetworks"]) != known:
                known = now
                postfix.postconf(mynetworks=now)

    before = core.load()["sysconf"]["mynetworks"]
    postfix.postconf(mynetworks=before)
    journal = Journal(tmp_path / "state")
    gate = Gate(tmp_path / "state", journal, read_only=False)
    background = threading.Thread(target=pass_on)
    background.start()
    try:
        with rest_standin.serving(core) as rest:
            bluemind = BlueMind(Rest(Service(rest.url, key)), BmCli(Server(), str(program.program), folder=tmp_path))
            untrust = Untrust(Instance(Server(), postfix.etc), bluemind)
            change = untrust.prepare(checked.Client(BROKEN), journal)
            assert change.through == "bluemind"
            assert "!" not in change.after
            assert untrust.apply(gate, change).ok
            refused_soon(postfix, BROKEN)
            assert relays(postfix, "192.0.2.65")
            assert relays(postfix, "192.0.2.67")
            assert untrust.apply(gate, untrust.prepare_again(journal)).ok
            wait_until(lambda: relays(postfix, BROKEN), what="it relays again")
            assert "192.0.2.0/24" in core.load()["sysconf"]["mynetworks"]
    finally:
        stop.set()
        background.join()
        postfix.postconf(mynetworks=TRUSTED)
