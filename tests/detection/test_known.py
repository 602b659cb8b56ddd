"""The list of known relays: kept for root alone, readable by hand, and never changed in read-only mode."""

import stat
from pathlib import Path

import pytest

from bmtop.checked import Refused
from bmtop.incident.selection import network
from bmtop.response.gate import Gate
from bmtop.response.journal import Journal
from bmtop.response.known import KnownRelays


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def gate(state: Path, *, read_only: bool = False) -> Gate:
    return Gate(state, Journal(state), read_only=read_only)


def test_what_is_marked_is_read_and_what_is_unmarked_is_not(state: Path) -> None:
    relays = KnownRelays(state)
    assert relays.read() == ()
    assert not state.exists()
    for client in ("192.0.2.10", "2001:db8::10", "198.51.100.0/28", "192.0.2.10"):
        relays.mark(gate(state), client)
    assert list(map(str, relays.read())) == ["192.0.2.10/32", "2001:db8::10/128", "198.51.100.0/28"]
    assert stat.S_IMODE(relays.path.stat().st_mode) == 0o600
    relays.unmark(gate(state), "192.0.2.10")
    assert network("192.0.2.10") not in relays.read()
    assert [entry.action for entry in Journal(state).entries(2)] == ["unmark as known"] * 2
    assert [path.name for path in state.iterdir() if "known" in path.name] == ["known-relays"]


def test_a_list_that_is_written_by_hand_keeps_its_words(state: Path) -> None:
    state.mkdir(mode=0o700)
    relays = KnownRelays(state)
    relays.path.write_text("# printers\n\n192.0.2.10 # the one in the hall\n198.51.100.0/28\n", encoding="utf-8")
    assert list(map(str, relays.read())) == ["192.0.2.10/32", "198.51.100.0/28"]
    relays.mark(gate(state), "192.0.2.11")
    relays.unmark(gate(state), "198.51.100.0/28")
    lines = relays.path.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["# printers", "", "192.0.2.10 # the one in the hall"]
    assert lines[3].startswith("192.0.2.11  # ")


def test_one_of_a_range_is_not_taken_off_by_itself(state: Path) -> None:
    relays = KnownRelays(state)
    relays.mark(gate(state), "198.51.100.0/28")
    with pytest.raises(Refused, match=r"198\.51\.100\.0/28 is: take that off"):
        relays.unmark(gate(state), "198.51.100.3")
    with pytest.raises(Refused, match="not on the list of known relays"):
        relays.unmark(gate(state), "192.0.2.99")


@pytest.mark.parametrize("client", ["", "unknown", "mail.example.com", "192.0.2.1/8", "-x", "192.0.2.1\n192.0.2.2"])
def test_what_is_no_address_is_refused(client: str, state: Path) -> None:
    with pytest.raises(Refused):
        KnownRelays(state).mark(gate(state), client)
    assert KnownRelays(state).read() == ()


def test_read_only_marks_nothing(state: Path) -> None:
    with pytest.raises(Refused, match="read-only"):
        KnownRelays(state).mark(gate(state, read_only=True), "192.0.2.10")
    assert not state.exists()


@pytest.mark.parametrize("text", ["192.0.2.10\nprinter\n", "192.0.2.0/24 x\n", "\udcff\n"])
def test_a_line_that_is_none_is_named_and_not_written_over(text: str, state: Path) -> None:
    state.mkdir(mode=0o700)
    relays = KnownRelays(state)
    relays.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for look in (relays.read, lambda: relays.mark(gate(state), "192.0.2.11")):
        with pytest.raises(Refused, match="Line "):
            look()
    assert relays.path.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_a_link_is_not_followed(state: Path, tmp_path: Path) -> None:
    state.mkdir(mode=0o700)
    secret = tmp_path / "secret"
    secret.write_text("192.0.2.10\n")
    relays = KnownRelays(state)
    relays.path.symlink_to(secret)
    with pytest.raises(Refused, match="cannot be read"):
        relays.read()
    with pytest.raises(Refused):
        relays.mark(gate(state), "192.0.2.11")
    assert secret.read_text() == "192.0.2.10\n"
