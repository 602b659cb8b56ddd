"""Whom Postfix trusts and whose mail it takes: mynetworks and the domain lists, read from Postfix itself.

The lists are those of postconf(5): addresses, ranges, names, `!` exclusions, `/file` and `type:table` patterns.
A table that cannot be listed (LDAP, SQL, regular expressions) is asked for what has come up in the log.
"""

import ipaddress
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bmtop.incident.accounts import lower
from bmtop.incident.selection import Network
from bmtop.incident.territory import Seen, Territory, Trusted
from bmtop.postfix.instance import Postfix
from bmtop.server import CommandFailed

_DOMAIN_LISTS = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
# Whom copies go to: what they list, a message that came in for our own people may be sent on to unasked.
_COPY_MAPS = ("sender_bcc_maps", "recipient_bcc_maps")
# Table types whose keys postmap(1) -s can list, and what their files are called.
_INDEXED = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag", "sdbm": ".pag"}
_LISTABLE = frozenset({*_INDEXED, "texthash"})
_IN_FILES = frozenset({*_LISTABLE, "cidr", "regexp", "pcre", "ldap", "mysql", "pgsql", "sqlite"})
_TABLE = re.compile(r"([a-z_]+):(.+)", re.DOTALL)
_PLAIN = re.compile(r"([0-9.]+)(/\d{1,2})?", re.ASCII)
# How long the range is may stand inside of the brackets or behind them (postfix/src/util/cidr_match.c).
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)(?:(/\d{1,3})\]|\](/\d{1,3})?)", re.ASCII)
_INLINE = re.compile(r"([^\s={},]+)\s*=\s*([^\s{},]*)")
_DOMAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", re.ASCII)
_EVERYBODY: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
# Files that include files end somewhere.
_DEEPEST = 5


def territory(postfix: Postfix, more_own: frozenset[str] = frozenset(), seen: Seen | None = None) -> Territory:
    """Return what Postfix's configuration says, with `more_own` as addresses of the same installation.

    `seen` is what tables that cannot be listed are asked for. What cannot be read is named in its `problems`.
    Raises `CommandFailed` where postconf fails.
    """
    reader = _Reader(postfix, seen or Seen())
    found = postfix.settings(
        "config_directory", "mynetworks", "relay_domains", "proxy_interfaces", "always_bcc", *_DOMAIN_LISTS, *_COPY_MAPS
    )
    reader.read_from(f"{found.get('config_directory', '/etc/postfix')}/main.cf")
    domains = reader.domains([found.get(name, "") for name in _DOMAIN_LISTS])
    relay_domains = reader.domains([found.get("relay_domains", "")])
    copied_to = {found.get("always_bcc", ""), *(to for name in _COPY_MAPS for to in reader.copies(name, found))}
    own = {*entries(found.get("proxy_interfaces", "")), *more_own, *_interfaces(postfix)}
    return Territory(
        trusted=tuple(reader.networks(found.get("mynetworks", ""))),
        own_addresses=frozenset(map(_canonical, own)),
        domains=frozenset(domains),
        relay_domains=frozenset(relay_domains),
        domains_complete=reader.complete,
        copied_to=frozenset(map(lower, filter(None, copied_to))),
        must_ask=reader.must_ask,
        sources=tuple(reader.sources.items()),
        problems=tuple(reader.problems),
    )


def is_current(known: Territory) -> bool:
    """Tell whether the files that this was read from are still as they were."""
    return bool(known.sources) and all(_state(path) == state for path, state in known.sources)


def trusted(postfix: Postfix, mynetworks: str, client: str) -> str | None:
    """Return the entry of this `mynetworks` that would let `client` in, or None; tables are asked for it.

    Raises `CommandFailed` where an entry cannot be read: what cannot be read may let it in.
    """
    reader = _Reader(postfix, Seen(frozenset({client})))
    found = Territory(trusted=tuple(reader.networks(mynetworks)))
    if reader.problems:
        raise CommandFailed(reader.problems[0])
    return found.lets_in(client)


def entries(value: str) -> list[str]:
    """Split a Postfix list at commas and spaces; what stands in braces stays together (postconf(1))."""
    found, depth, start = [], 0, 0
    for place, char in enumerate(f"{value} "):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth <= 0 and (char.isspace() or char == ","):
            found.append(value[start:place])
            start = place + 1
    return [entry for entry in found if entry]


def parse_network(entry: str) -> Network:
    """Return the address or range of a mynetworks entry, IPv6 in brackets; raises `ValueError` for anything else."""
    found = _PLAIN.fullmatch(entry) or _BRACKETED.fullmatch(entry)
    if found is None:
        raise ValueError(f"{entry!a} is no address or range")
    return ipaddress.ip_network("".join(filter(None, found.groups())))


def is_elsewhere(entry: str) -> bool:
    """Tell whether an entry of mynetworks names a file or a table."""
    return entry.startswith("/") or (_TABLE.fullmatch(entry) is not None and not entry.startswith("["))


class _Reader:
    """Reads Postfix's lists, and notes what it read them from, and what it could not."""

    def __init__(self, postfix: Postfix, seen: Seen) -> None:
        self._postfix = postfix
        self._seen = seen
        self.complete = True
        self.must_ask = False
        self.problems: list[str] = []
        self.sources: dict[str, tuple[int, ...]] = {}

    def read_from(self, path: str) -> str:
        """Note the file's state before anything is read from it."""
        self.sources[path] = _state(path)
        return path

    def _file(self, path: str) -> str:
        """Return the patterns in a file: comments are whole lines."""
        lines = Path(self.read_from(path)).read_text(encoding="utf-8", errors="replace").splitlines()
        return " ".join(line for line in lines if not line.lstrip().startswith("#"))

    # Networks

    def networks(self, value: str, depth: int = 0) -> Iterator[Trusted]:
        """Yield the ranges of mynetworks, each with the entry that it stands in."""
        for entry in entries(value):
            pattern = entry.lstrip("!")
            excluded = (len(entry) - len(pattern)) % 2 == 1
            try:
                if pattern.startswith("/"):
                    if depth >= _DEEPEST:
                        raise ValueError("files that include files")
                    for network, _, inner in self.networks(self._file(pattern), depth + 1):
                        yield Trusted(network, entry, excluded != inner)
                elif is_elsewhere(pattern):
                    for network in self._table_networks(pattern):
                        yield Trusted(network, entry, excluded)
                else:
                    yield Trusted(parse_network(pattern), entry, excluded)
            except (ValueError, OSError, CommandFailed):
                self.problems.append(
                    f"The entry {entry[:80]!a} of mynetworks cannot be read;"
                    " clients that only it lets in are shown as open relays."
                )

    def _table_networks(self, table: str) -> list[Network]:
        """Return the ranges, or the clients that have come up, that a table holds."""
        kind, _, name = table.removeprefix("proxy:").partition(":")
        if kind == "static":
            return list(_EVERYBODY)
        if kind == "cidr" and name.startswith("/") and (plain := _cidr(Path(self.read_from(name)))) is not None:
            return plain
        if kind in _LISTABLE:
            # Such a table is looked up by address: a key that is a range lets nobody in.
            return [net for key in self._keys(table) if (net := _host(key)) is not None]
        return [net for key in self._ask(table, self._seen.clients) if (net := _host(key)) is not None]

    # Domains

    def domains(self, values: list[str]) -> set[str]:
        """Return the domains of these lists, in lower case."""
        found: set[str] = set()
        for value in values:
            excluded: set[str] = set()
            for name in self._names(value):
                (excluded if name.startswith("!") else found).add(name.lower())
            found -= {name[1:] for name in excluded}
        return found

    def _names(self, value: str, depth: int = 0) -> Iterator[str]:
        for entry in entries(value):
            try:
                if entry.startswith("/") and depth < _DEEPEST:
                    yield from self._names(self._file(entry), depth + 1)
                elif _TABLE.fullmatch(entry):
                    yield from (key for key in self._table_domains(entry) if "@" not in key)
                else:
                    yield entry
            except (OSError, CommandFailed):
                self.complete = False

    def _table_domains(self, table: str) -> Collection[str]:
        kind, _, _ = table.removeprefix("proxy:").partition(":")
        if kind == "inline" or kind in _LISTABLE:
            return self._keys(table)
        self.complete = False
        return self._ask(table, [domain for domain in self._seen.domains if _DOMAIN.fullmatch(domain)])

    # Copies

    def copies(self, setting: str, found: Mapping[str, str]) -> Iterator[str]:
        """Yield the addresses that the tables of this setting send copies to."""
        for table in entries(found.get(setting, "")):
            kind, _, name = table.removeprefix("proxy:").partition(":")
            try:
                if kind == "static":
                    yield name
                elif kind == "inline" or kind in _LISTABLE:
                    yield from (address for _, address in self._rows(table))
                else:
                    raise CommandFailed(f"{kind} tables cannot be listed")
            except CommandFailed:
                self.problems.append(
                    f"The table {table[:80]!a} of {setting} cannot be listed;"
                    " clients whose mail it has copied to elsewhere are shown as relay clients."
                )

    # Tables

    def _keys(self, table: str) -> list[str]:
        """Return all keys of a table; raises `CommandFailed` where it cannot be listed."""
        return [key for key, _ in self._rows(table)]

    def _rows(self, table: str) -> list[tuple[str, str]]:
        """Return all keys of a table, each with its value; raises `CommandFailed` where it cannot be listed."""
        kind, _, name = table.removeprefix("proxy:").partition(":")
        if kind == "inline":
            return _INLINE.findall(name)
        self.read_from(name + _INDEXED.get(kind, ""))
        result = self._postfix.query("postmap", "-s", f"{kind}:{name}").check("See whether the table is there.")
        lines = (line.split(None, 1) for line in result.out.decode("utf-8", "replace").splitlines())
        return [(words[0], words[-1]) for words in lines if words]

    def _ask(self, table: str, keys: Collection[str]) -> list[str]:
        """Return those of `keys` that a table has; raises `CommandFailed` where it does not answer."""
        self.must_ask = True
        kind, _, name = table.removeprefix("proxy:").partition(":")
        if kind in _IN_FILES and name.startswith("/"):
            self.read_from(name)
        if not keys:
            return []
        asked = "".join(f"{key}\n" for key in sorted(keys)).encode("utf-8", "replace")
        result = self._postfix.run("postmap", "-q", "-", f"{kind}:{name}", give=asked)
        # Its exit status is 1 where it found none of them, too.
        if result.status != 0 and result.err.strip():
            result.check("See whether the table is there.")
        return [line.split("\t", 1)[0] for line in result.out.decode("utf-8", "replace").splitlines() if "\t" in line]


def _cidr(path: Path) -> list[Network] | None:
    """Return the ranges of a cidr_table(5); None where it has conditions, so that it must be asked."""
    found: list[Network] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split(None, 1)
        # A line that begins with a blank goes on with the one before.
        if not words or words[0].startswith("#") or line[0].isspace():
            continue
        if words[0].startswith("!") or words[0].lower() in ("if", "endif"):
            return None
        # A rule that is none is skipped by Postfix, too.
        with suppress(ValueError):
            found.append(ipaddress.ip_network(words[0].replace("[", "").replace("]", "")))
    return found


def _host(key: str) -> Network | None:
    try:
        return ipaddress.ip_network(ipaddress.ip_address(key))
    except ValueError:
        return None


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _state(path: str) -> tuple[int, ...]:
    """Return what changes with a file; nothing where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _interfaces(postfix: Postfix) -> frozenset[str]:
    """Return the machine's own addresses; none where ip(8) cannot tell."""
    try:
        result = postfix.server.run("ip", "-j", "address", "show", timeout=10).check("")
        links = json.loads(result.out)
        return frozenset(str(a["local"]) for link in links for a in link.get("addr_info", ()) if "local" in a)
    except (CommandFailed, ValueError, KeyError, TypeError):
        return frozenset()
