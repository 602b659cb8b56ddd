"""Whom Postfix trusts and whose mail it takes: mynetworks and the domain lists, read from Postfix itself."""

import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path

from bmtop.incident.selection import Network
from bmtop.incident.territory import Territory
from bmtop.postfix.instance import Postfix
from bmtop.server import CommandFailed

_DOMAIN_LISTS = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
# Table types whose keys postmap(1) -s can list.
_LISTABLE = frozenset({"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"})
_TABLE = re.compile(r"[a-z_]+:.+", re.DOTALL)


def territory(postfix: Postfix, more_own: frozenset[str] = frozenset()) -> Territory:
    """Return what Postfix's configuration says, with `more_own` as addresses of the same installation.

    What cannot be read is named in its `problems`. Raises `CommandFailed` where postconf fails.
    """
    values = postfix.settings("mynetworks", "relay_domains", "proxy_interfaces", *_DOMAIN_LISTS)
    problems: list[str] = []
    domains, complete = _domains(postfix, [values.get(name, "") for name in _DOMAIN_LISTS])
    relayed, relayed_complete = _domains(postfix, [values.get("relay_domains", "")])
    proxies = re.split(r"[\s,]+", values.get("proxy_interfaces", "").strip())
    return Territory(
        trusted=tuple(_networks(postfix, values.get("mynetworks", ""), problems)),
        own_addresses=frozenset(proxies) - {""} | more_own | _interfaces(postfix),
        domains=frozenset(domains),
        relay_domains=frozenset(relayed),
        domains_complete=complete and relayed_complete,
        problems=tuple(problems),
    )


def entries(value: str) -> list[str]:
    """Split a Postfix list at commas and spaces; what stands in braces stays together."""
    return re.findall(r"[a-z_]+:\{[^}]*\}|\{[^}]*\}|[^\s,]+", value)


def parse_network(entry: str) -> Network:
    """Return the address or range of a mynetworks entry, `[2001:db8::]/32` included; raises `ValueError`."""
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](/\d+)?", entry)
    return ipaddress.ip_network(bracketed[1] + (bracketed[2] or "") if bracketed else entry)


def _networks(postfix: Postfix, value: str, problems: list[str]) -> Iterator[tuple[Network, str, bool]]:
    for entry in entries(value):
        excluded, pattern = entry.startswith("!"), entry.lstrip("!")
        try:
            if pattern.startswith("/"):
                for _, name, inner in _networks(postfix, _file(pattern), problems):
                    yield parse_network(name.lstrip("!")), entry, excluded != inner
            elif _TABLE.fullmatch(pattern) and not pattern.startswith("["):
                for network, permits in _table_networks(postfix, pattern):
                    yield network, entry, excluded or not permits
            else:
                yield parse_network(pattern), entry, excluded
        except (ValueError, OSError, CommandFailed):
            problems.append(
                f"The entry {entry[:80]!a} of mynetworks cannot be read; clients that it lets in count as open relays."
            )


def _file(path: str) -> str:
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return " ".join(line for line in lines if not line.startswith("#"))


def _table_networks(postfix: Postfix, table: str) -> Iterator[tuple[Network, bool]]:
    """Yield each range of a table and whether it permits; cidr_table(5) has the patterns in plain text."""
    kind, _, name = table.partition(":")
    if kind == "cidr":
        for line in Path(name).read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split(None, 1)
            if words and not words[0].startswith("#"):
                yield parse_network(words[0].lstrip("!")), not words[0].startswith("!")
        return
    for key in _keys(postfix, table):
        yield parse_network(key), True


def _keys(postfix: Postfix, table: str) -> list[str]:
    """Return the keys of a lookup table; raises `CommandFailed` where its type cannot be listed."""
    if table.startswith("inline:"):
        return re.findall(r"([^\s={},]+)\s*=", table)
    if table.partition(":")[0] not in _LISTABLE:
        raise CommandFailed(f"The table {table} cannot be listed.")
    result = postfix.query("postmap", "-s", table).check("See whether the table is there.")
    return [line.split(None, 1)[0] for line in result.out.decode("utf-8", "replace").splitlines() if line.strip()]


def _domains(postfix: Postfix, values: list[str]) -> tuple[set[str], bool]:
    """Return the domains of these lists, and whether all could be listed."""
    found: set[str] = set()
    complete = True
    for value in values:
        for entry in entries(value):
            try:
                if entry.startswith("/"):
                    names = entries(_file(entry))
                elif _TABLE.fullmatch(entry):
                    names = [key for key in _keys(postfix, entry.removeprefix("proxy:")) if "@" not in key]
                else:
                    names = [entry]
                found.update(name.lower() for name in names)
            except (OSError, CommandFailed):
                complete = False
    return found, complete


def _interfaces(postfix: Postfix) -> frozenset[str]:
    """Return the machine's own addresses; none where ip(8) cannot tell."""
    try:
        result = postfix.server.run("ip", "-j", "address", "show", timeout=10).check("")
        links = json.loads(result.out)
        return frozenset(str(a["local"]) for link in links for a in link.get("addr_info", ()) if "local" in a)
    except (CommandFailed, ValueError, KeyError, TypeError):
        return frozenset()
