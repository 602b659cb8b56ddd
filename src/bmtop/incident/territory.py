"""Whose addresses and domains are ours: the ground on which a client is a relay, or none."""

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from bmtop.incident.accounts import lower
from bmtop.incident.selection import Network, unquoted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What makes a local part name where mail goes on to: `user%elsewhere@ours`, `elsewhere!user@ours`.
_ROUTED = re.compile("[@!%]")
# Postfix's delivery agents that hand mail to our own people; the others take it elsewhere.
_INWARD = frozenset({"local", "virtual", "lmtp", "pipe", "discard"})


@lru_cache(maxsize=16384)
def address_of(client: str) -> Address | None:
    """Return a client's address, an IPv4 address that is written as IPv6 as the former; None for `unknown`."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=16384)
def place(client: str) -> str:
    """Return what stays the same while one machine changes its address: of IPv6, the /64 (RFC 8981); else itself."""
    address = address_of(client)
    if address is None or address.version == 4:
        return client
    return str(ipaddress.ip_network((address, 64), strict=False))


class Trusted(NamedTuple):
    """A range of mynetworks, the entry that it stands in, and whether that excludes it (`!`)."""

    network: Network
    entry: str
    excluded: bool = False


class Seen(NamedTuple):
    """Clients and domains that have come up: what a table that cannot be listed must be asked for."""

    clients: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Territory:
    """What Postfix's configuration says. `domains` are those it takes mail for; where `domains_complete`
    is False, some are in a table that cannot be listed, and the delivery agent decides instead.
    `relay_domains` count with all that is below them (parent_domain_matches_subdomains).

    The first of `trusted` that fits decides, as in postconf(5), mynetworks. `must_ask` tells that some
    table answers only for what it is asked: it was asked for what had come up by then. `sources` are the
    files that all this was read from, each with its state at that time. `copied_to` are the addresses, in lower case,
    to which Postfix itself sends copies of what comes in.
    """

    trusted: tuple[Trusted, ...] = ()
    own_addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    relay_domains: frozenset[str] = frozenset()
    domains_complete: bool = False
    copied_to: frozenset[str] = frozenset()
    must_ask: bool = False
    sources: tuple[tuple[str, tuple[int, ...]], ...] = ()
    problems: tuple[str, ...] = field(default=())

    def lets_in(self, client: str) -> str | None:
        """Return the entry of mynetworks that trusts `client`, or None."""
        address = address_of(client)
        if address is None:
            return None
        for network, entry, excluded in self.trusted:
            if address in network:
                return None if excluded else entry
        return None

    def is_own(self, client: str) -> bool:
        """Tell whether `client` is the server itself, or another server of the same installation."""
        if client in self.own_addresses:
            return True
        address = address_of(client)
        return address is not None and (address.is_loopback or str(address) in self.own_addresses)

    def is_ours(self, domain: str) -> bool:
        """Tell whether we take mail for `domain`, in lower case; `[ADDRESS]` (RFC 5321, 4.1.3) where that is ours."""
        if domain.startswith("["):
            return self.is_own(domain[1:].removesuffix("]").removeprefix("ipv6:"))
        return domain in self.domains or self._below_relay_domain(domain)

    def outward(self, recipient: str, daemon: str, original: str | None = None) -> str | None:
        """Return the domain elsewhere that mail is for; None where it is for us.

        `recipient` is whom `daemon` delivers to, `original` whom it came in for where that is another: mail to our own
        people that they forward elsewhere came in for us. Nobody asked for the copies that Postfix makes.
        """
        if self.copied_to and lower(original or recipient) in self.copied_to:
            return None
        _, domain = self._destination(recipient)
        if domain and original:
            local, came_for = self._destination(original)
            # A domain that is not known for ours yet may still have routed it.
            if not came_for or _ROUTED.search(local) is None:
                domain = came_for
        return domain if domain and (self.domains_complete or daemon not in _INWARD) else None

    def _destination(self, address: str) -> tuple[str, str]:
        """Return the local part and the domain that mail for `address` goes to; an empty domain where that is ours.

        As trivial-rewrite(8) does by default, within quotes as well: behind a domain of ours, or none, the local part
        may name where mail goes on to (postconf(5), swap_bangpath, allow_percent_hack, resolve_dequoted_address).
        Postfix does so for mydestination alone, but whom it hands such mail to may do the same.
        """
        local, domain = unquoted(address), ""
        while not domain or self.is_ours(domain):
            if "@" in local:
                local, _, domain = local.rpartition("@")
            elif "!" in local:
                domain, _, local = local.partition("!")
            elif "%" in local:
                local, _, domain = local.rpartition("%")
            else:
                return local, ""
            domain = lower(domain).removesuffix(".")
        return local, domain if local else ""

    def _below_relay_domain(self, domain: str) -> bool:
        if not self.relay_domains:
            return False
        while domain:
            if domain in self.relay_domains:
                return True
            domain = domain.partition(".")[2]
        return False
