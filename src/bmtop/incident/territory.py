"""Whose addresses and domains are ours: the ground on which a client is a relay, or none."""

import ipaddress
from dataclasses import dataclass, field

from bmtop.incident.selection import Network

# Postfix's delivery agents that hand mail to our own people; the others take it elsewhere.
_INWARD = frozenset({"local", "virtual", "lmtp", "pipe", "discard"})


@dataclass(frozen=True)
class Territory:
    """What Postfix's configuration says. `domains` are those it takes mail for; where `domains_complete`
    is False, some are in a table that cannot be listed, and the delivery agent decides instead.
    `relay_domains` count with all that is below them (parent_domain_matches_subdomains).

    `trusted` has each range of mynetworks, the entry that it stands in, and whether that excludes it
    (`!`). The first that fits decides, as in postconf(5), mynetworks.
    """

    trusted: tuple[tuple[Network, str, bool], ...] = ()
    own_addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    relay_domains: frozenset[str] = frozenset()
    domains_complete: bool = False
    problems: tuple[str, ...] = field(default=())

    def lets_in(self, client: str) -> str | None:
        """Return the entry of mynetworks that trusts `client`, or None."""
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return None
        for network, entry, excluded in self.trusted:
            if address in network:
                return None if excluded else entry
        return None

    def is_own(self, client: str) -> bool:
        """Tell whether `client` is the server itself, or another server of the same installation."""
        if client in self.own_addresses:
            return True
        try:
            return ipaddress.ip_address(client).is_loopback
        except ValueError:
            return False

    def is_outward(self, recipient: str, daemon: str) -> bool:
        """Tell whether mail to `recipient`, delivered by `daemon`, goes elsewhere."""
        domain = recipient.rpartition("@")[2].lower() if "@" in recipient else ""
        if not domain or domain in self.domains or self._below_relay_domain(domain):
            return False
        return self.domains_complete or daemon not in _INWARD

    def _below_relay_domain(self, domain: str) -> bool:
        while domain:
            if domain in self.relay_domains:
                return True
            domain = domain.partition(".")[2]
        return False
