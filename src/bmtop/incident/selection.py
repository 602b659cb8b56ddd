"""Which queued messages are meant: one filter for the panes, the dialogs and the command line."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network:
    """Return the address or range that `text` names; raises `Refused` for anything else."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise Refused(f"{text[:80]!a} is no address or range: {error}.") from None


def _within(client: str | None, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return False
    return any(address in net for net in networks)


def _is_address(address: str, wanted: str) -> bool:
    """Compare with an address, `@domain`, or `<>`; domains and local parts without regard to case."""
    if wanted == "<>":
        return address == ""
    if wanted.startswith("@"):
        return address.lower().endswith(wanted.lower())
    return address.lower() == wanted.lower()


@dataclass(frozen=True)
class Filter:
    """What is asked of a message; all that is set must hold. `since` and `before` are epoch seconds.

    `sender` and `recipient` are an address, `@domain` or `<>`; `subject` is a regular expression.
    `not_clients` spares, so a filter of it alone counts as empty.
    """

    login: str | None = None
    clients: tuple[Network, ...] = ()
    not_clients: tuple[Network, ...] = ()
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    queue: str | None = None
    since: float | None = None
    before: float | None = None
    ids: tuple[QueueId, ...] = ()

    @property
    def empty(self) -> bool:
        return not any(getattr(self, f.name) not in (None, ()) for f in fields(self) if f.name != "not_clients")

    @property
    def needs_envelope(self) -> bool:
        """Whether only the queue file can answer: `postqueue -j` names no login and no client."""
        return self.login is not None or bool(self.clients or self.not_clients)

    def as_dict(self) -> dict[str, Any]:
        """Return what is set, as JSON values, under the names of the command line's options."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        names = {"clients": "client", "not_clients": "not_client", "ids": "id"}
        return {
            names.get(name, name): [str(v) for v in value] if isinstance(value, tuple) else value
            for name, value in found.items()
            if value not in (None, ())
        }

    @cached_property
    def _subject(self) -> re.Pattern[str] | None:
        return re.compile(self.subject) if self.subject is not None else None

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(self.ids)

    def matches(self, message: Message, accounts: Accounts) -> bool:
        """Tell whether `message` is meant, its subject aside (see `matches_subject`)."""
        return (
            (not self.ids or message.id in self._ids)
            and (self.queue is None or message.queue == self.queue)
            and (self.login is None or (message.login is not None and accounts.same(message.login, self.login)))
            and (not self.clients or _within(message.client, self.clients))
            and not (self.not_clients and _within(message.client, self.not_clients))
            and (self.since is None or message.arrival >= self.since)
            and (self.before is None or message.arrival < self.before)
            and (self.sender is None or _is_address(message.sender, self.sender))
            and (self.recipient is None or any(_is_address(r, self.recipient) for r in message.recipients))
        )

    def matches_subject(self, subject: str) -> bool:
        return self._subject is None or self._subject.search(subject) is not None


def select(messages: Iterable[Message], wanted: Filter, accounts: Accounts) -> tuple[Message, ...]:
    """Return the messages that `wanted` means, oldest first.

    Raises `Refused` for an empty filter, and where the answer is in envelopes that were not read.
    """
    if wanted.empty:
        raise Refused("No filter was given, so every message would be meant; name a login, a client or an id.")
    messages = list(messages)
    if wanted.needs_envelope and any(m.envelope is None for m in messages):
        unread = sum(m.envelope is None for m in messages)
        raise Refused(f"The envelopes of {unread:,} messages could not be read; run bmtop as root.")
    found = [m for m in messages if wanted.matches(m, accounts)]
    return tuple(sorted(found, key=lambda m: (m.arrival, m.id)))
