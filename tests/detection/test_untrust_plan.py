"""mynetworks before and after: what `plan` makes of any value; and which untrust an undo takes back."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.bluemind.bluemind import BlueMind
from bmtop.checked import Client, Refused
from bmtop.incident.selection import Network
from bmtop.incident.territory import Territory, Trusted
from bmtop.postfix.instance import Postfix
from bmtop.postfix.networks import entries, parse_network
from bmtop.response.gate import Gate
from bmtop.response.journal import Journal
from bmtop.response.untrust import NotTrusted, Untrust, plan
from bmtop.response.untrusts import untrusted
from bmtop.server import Server

NOBODY: BlueMind | None = None


@pytest.mark.parametrize(
    ("before", "client", "after"),
    [
        ("127.0.0.0/8 192.0.2.66", "192.0.2.66", "127.0.0.0/8"),
        ("127.0.0.0/8 192.0.2.66/32", "192.0.2.66", "127.0.0.0/8"),
        ("192.0.2.66", "192.0.2.66", ""),
        ("192.0.2.64/30, 127.0.0.0/8", "192.0.2.64", "192.0.2.65, 192.0.2.66/31, 127.0.0.0/8"),
        ("192.0.2.64/31 192.0.2.64/30", "192.0.2.65", "192.0.2.64, 192.0.2.64, 192.0.2.66/31"),
        ("[2001:db8::]/127", "2001:db8::1", "[2001:db8::]"),
        ("2001:db8::/127", "2001:db8::1", "[2001:db8::]"),
        ("[2001:db8::1]", "2001:db8::1", ""),
        ("192.0.2.0/31 hash:/etc/t, /etc/n $x", "192.0.2.1", "192.0.2.0, hash:/etc/t, /etc/n, $x"),
        ("inline:{ {a = b}, c=d } 192.0.2.0/31", "192.0.2.1", "inline:{ {a = b}, c=d }, 192.0.2.0"),
        ("192.0.2.64/31", "::ffff:192.0.2.64", "192.0.2.65"),
        # Nobody's range, and what is none, stays as it is.
        ("192.0.2.7/24 192.0.2.0/31 nonsense", "192.0.2.1", "192.0.2.7/24, 192.0.2.0, nonsense"),
        ("192.0.2.0/31 !192.0.2.1", "192.0.2.1", "192.0.2.0, !192.0.2.1"),
    ],
)
def test_the_range_is_split_around_the_client(before: str, client: str, after: str) -> None:
    assert plan(before, Client(client)).after == after


@pytest.mark.parametrize(
    ("mynetworks", "why"),
    [
        ("127.0.0.0/8 !192.0.2.66 192.0.2.0/24", "excludes 192.0.2.66 already"),
        ("127.0.0.0/8", "No entry of mynetworks lets 192.0.2.66 in"),
        ("", "No entry"),
        ("127.0.0.0/8 hash:/etc/trusted $more", "see whether hash:/etc/trusted, $more does"),
    ],
)
def test_who_is_not_trusted_by_an_address_or_range_is_refused(mynetworks: str, why: str) -> None:
    with pytest.raises(NotTrusted, match=why.replace("$", r"\$")):
        plan(mynetworks, Client("192.0.2.66"))


def ranges(text: str) -> list[Trusted]:
    return [Trusted(parse_network(entry.lstrip("!")), entry, entry.startswith("!")) for entry in entries(text)]


def written(network: Network) -> str:
    return f"[{network.network_address}]/{network.prefixlen}" if network.version == 6 else str(network)


ADDRESSES = st.one_of(
    st.integers(0, 2**6 - 1).map(lambda n: str(ipaddress.IPv4Address("192.0.2.0") + n)),
    st.integers(0, 2**6 - 1).map(lambda n: str(ipaddress.IPv6Address("2001:db8::") + n)),
)
NETWORKS = st.tuples(ADDRESSES, st.integers(0, 7), st.sampled_from(["", "", "", "!"])).map(
    lambda made: (
        made[2] + written(ipaddress.ip_network((made[0], (128 if ":" in made[0] else 32) - made[1]), strict=False))
    )
)


@given(st.lists(NETWORKS, max_size=6), ADDRESSES)
def test_of_all_addresses_only_the_client_is_let_in_no_more(before: Sequence[str], client: str) -> None:
    text = ", ".join(before)
    trusting = Territory(trusted=tuple(ranges(text)))
    if trusting.lets_in(client) is None:
        with pytest.raises(NotTrusted):
            plan(text, Client(client))
        return
    after = plan(text, Client(client)).after
    trusts = Territory(trusted=tuple(ranges(after)))
    assert trusts.lets_in(client) is None
    assert after.count("!") == text.count("!")
    for start in ("192.0.2.0", "2001:db8::"):
        for n in range(-2, 2**6 + 2):
            other = str(ipaddress.ip_address(start) + n)
            assert other == client or (trusts.lets_in(other) is None) == (trusting.lets_in(other) is None), other


@given(st.text(max_size=200))
def test_any_text_at_all_is_a_list_of_entries_or_refused(text: str) -> None:
    try:
        change = plan(text, Client("192.0.2.1"))
    except NotTrusted:
        return
    assert change.replaced


def test_undo_takes_the_newest_back_or_the_one_that_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    gate = Gate(tmp_path / "state", journal, read_only=False)
    untrust = Untrust(Postfix(Server(), tmp_path), NOBODY)

    def set_to(mynetworks: str) -> None:
        (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nmynetworks = {mynetworks}\n")

    def done(action: str, client: str, before: str, after: str, of: str | None = None) -> None:
        record = {"before": before, "after": after, "through": "postfix", "explicit": True, "entry": before, "of": of}
        with gate.action(action, client, filter=record):
            set_to(after)

    done("untrust", "192.0.2.1", "A", "B")
    done("untrust", "192.0.2.2", "B", "C")
    with pytest.raises(RuntimeError), gate.action("untrust", "192.0.2.3", filter={"before": "C", "after": "D"}):
        raise RuntimeError("nothing was run")
    assert untrusted(journal).keys() == {"192.0.2.1", "192.0.2.2"}
    second = untrust.prepare_again(journal)
    assert (second.client, second.before, second.after) == ("192.0.2.2", "C", "B")
    with pytest.raises(Refused, match=r"first: `bmtop untrust 192.0.2.2 --undo`"):
        untrust.prepare_again(journal, Client("192.0.2.1"))
    done("trust again", second.client, second.before, second.after, second.of)
    first = untrust.prepare_again(journal)
    assert (first.client, first.before, first.after) == ("192.0.2.1", "B", "A")
    done("trust again", first.client, first.before, first.after, first.of)
    assert untrusted(journal) == {}
    with pytest.raises(Refused, match="No client was untrusted"):
        untrust.prepare_again(journal)
