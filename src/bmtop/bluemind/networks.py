"""BlueMind's setting `mynetworks`: what may be in it, and what became of it."""

import ipaddress
import re

from bmtop.checked import Refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks in a setting that is to be made, parted by commas or spaces.

    Raises `Refused` for what BlueMind would change or not take: it strips a leading `!`, which makes
    trusted what was to be left out, and it takes no names and no files.
    """
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    if not parts:
        raise Refused("The trusted networks cannot be empty in BlueMind; leave 127.0.0.0/8 in.")
    return tuple(_network(part) for part in parts)


def lost_and_added(asked: tuple[Network, ...], setting: str) -> tuple[list[str], list[str]]:
    """Return which of the networks that were asked for the setting lacks, and what else it has."""
    parts = {part: _bare(part) for part in re.split(r"[,\s]+", setting) if part}
    lost = [str(network) for network in asked if network not in parts.values()]
    return lost, [part for part, network in parts.items() if network not in asked]


def _network(part: str) -> Network:
    if part.startswith("!"):
        raise Refused(f"BlueMind would drop the ! of {part[:60]!a}, and trust it; split the range around it.")
    network = _bare(part)
    if network is None:
        raise Refused(f"{part[:60]!a} is not a network; write it like 192.0.2.0/24, without bits right of the prefix.")
    return network


def _bare(part: str) -> Network | None:
    """Return the network, which Postfix wants in brackets where it is IPv6, or None where it is none."""
    if "%" in part:
        return None
    try:
        return ipaddress.ip_network(part.replace("[", "").replace("]", ""))
    except ValueError:
        return None
