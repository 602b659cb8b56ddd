"""Which queued messages are meant: one filter for the panes, the dialogs and the command line."""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache, cached_property, lru_cache
from operator import attrgetter
from typing import Any

from bmtop.checked import QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NULL_SENDER = "<>"
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(@.*)?', re.DOTALL)


def network(text: str) -> Network:
    """Return the address or range that `text` names; raises `Refused` for anything else.

    An IPv4 address in IPv6 form (RFC 4291, 2.5.5.2) is the IPv4 address.
    """
    try:
        if "%" in text:
            # Any text at all may follow, line breaks included.
            raise ValueError("an address stands here without its zone")
        found = ipaddress.ip_network(text)
    except ValueError as error:
        raise Refused(f"{text[:80]!a} is no address or range: {error}.") from None
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
        return ipaddress.ip_network((int(found.network_address) & 0xFFFFFFFF, found.prefixlen - 96))
    return found


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _within(client: str | None, networks: tuple[Network, ...]) -> bool:
    address = _address(client or "")
    return address is not None and any(address in net for net in networks)


def unquoted(address: str) -> str:
    """Return an address as the queue file has it: without the quotes (RFC 5321, 4.1.2) that Postfix shows it with."""
    found = _QUOTED.fullmatch(address) if address.startswith('"') else None
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) + (found[2] or "") if found else address


def _folded(address: str) -> bytes:
    """Return what two addresses have in common that differ in ASCII case alone; no other letters are alike."""
    return address.encode("utf-8", "surrogatepass").lower()


class _Mailbox:
    """An address, `@domain` or `<>` that addresses are compared with."""

    def __init__(self, wanted: str) -> None:
        self._domain = wanted.startswith("@")
        self._wanted = b"" if wanted == NULL_SENDER else _folded(unquoted(wanted))

    def fits(self, address: str) -> bool:
        folded = _folded(address)
        return folded.endswith(self._wanted) if self._domain else folded == self._wanted


@dataclass(frozen=True)
class Filter:
    """What is asked of a message; all that is set must hold. `since` and `before` are epoch seconds.

    `sender` and `recipient` are an address, `@domain` (that domain alone, none below it) or `<>`; ASCII
    case makes no difference. `subject` is a regular expression of Python's, to be found anywhere in the
    subject. `not_clients` and `without_login` spare, so a filter of them alone counts as empty. Raises
    `Refused` for a value that is empty or no regular expression, and for a login beside `without_login`.
    """

    login: str | None = None
    without_login: bool = False
    clients: tuple[Network, ...] = ()
    not_clients: tuple[Network, ...] = ()
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    queue: str | None = None
    since: float | None = None
    before: float | None = None
    ids: tuple[QueueId, ...] = ()

    def __post_init__(self) -> None:
        for name in ("login", "sender", "recipient", "subject", "queue"):
            value = getattr(self, name)
            if value is not None and value.strip() in ("", "@"):
                hint = "; '<>' means the null sender" if name == "sender" else ""
                raise Refused(f"The {name} to look for is empty: name one, or leave it out{hint}.")
        if self.without_login and self.login is not None:
            raise Refused(f"No mail is without a login and of {self.login} at once; leave one of the two out.")
        if self.subject is not None:
            try:
                re.compile(self.subject)
            except (re.error, RecursionError, OverflowError) as error:
                raise Refused(f"{self.subject[:80]!a} is no regular expression: {error}.") from None

    @property
    def empty(self) -> bool:
        return all(name in ("not_clients", "without_login") for name, _ in self._set())

    @property
    def needs_envelope(self) -> bool:
        """Whether only the queue file can answer: `postqueue -j` names no login and no client."""
        return self.login is not None or bool(self.without_login or self.clients or self.not_clients)

    def as_dict(self) -> dict[str, Any]:
        """Return what is set, as JSON values, under the names of the command line's options."""
        names = {"clients": "client", "not_clients": "not_client", "ids": "id"}
        return {
            names.get(name, name): [str(v) for v in value] if isinstance(value, tuple) else value
            for name, value in self._set()
        }

    def _set(self) -> Iterator[tuple[str, Any]]:
        """Yield each field that is set, with its value."""
        for field in fields(self):
            value = getattr(self, field.name)
            # A time may be 0.
            if value is not None and value is not False and value != ():
                yield field.name, value

    @cached_property
    def _sender(self) -> _Mailbox | None:
        return None if self.sender is None else _Mailbox(self.sender)

    @cached_property
    def _recipient(self) -> _Mailbox | None:
        return None if self.recipient is None else _Mailbox(self.recipient)

    def keep(self, messages: Iterable[Message], accounts: Accounts) -> list[Message]:
        """Return those that are meant, in their order; their subjects aside: no listing and no envelope has them."""
        kept = list(messages)
        for meant in self._tests():
            kept = list(filter(meant, kept))
        return self._from_source(kept, accounts) if self.needs_envelope else kept

    def _from_source(self, messages: Iterable[Message], accounts: Accounts) -> list[Message]:
        """Return those that were handed in as is meant."""
        # A whole queue has few of them.
        meant = cache(lambda login, client: self.matches_source(login, client, accounts))
        nowhere = meant(None, None)
        # Written out, since a list may be long, and a key waits for it.
        return [m for m in messages if (meant(s.login, s.client) if (s := m.origin or m.envelope) else nowhere)]

    def _tests(self) -> Iterable[Callable[[Message], bool]]:
        """Yield a test for each part of the filter that is set, but for who handed a message in."""
        if self.ids:
            ids = frozenset(self.ids)
            yield lambda m: m.id in ids
        if self.queue is not None:
            yield lambda m: m.queue == self.queue
        if self.without_login:
            yield lambda m: not _login_is_unknown(m)
        if (since := self.since) is not None:
            yield lambda m: m.arrival >= since
        if (before := self.before) is not None:
            yield lambda m: m.arrival < before
        if self._sender is not None:
            yield lambda m: self.matches_sender(m.sender)
        if (recipient := self._recipient) is not None:
            yield lambda m: any(map(recipient.fits, m.recipients))

    def matches_source(self, login: str | None, client: str | None, accounts: Accounts) -> bool:
        """Tell whether mail that came with this login from this client is meant, as far as these two go."""
        return (
            (self.login is None or (login is not None and accounts.same(login, self.login)))
            and not (self.without_login and login is not None)
            and (not self.clients or _within(client, self.clients))
            and not (self.not_clients and _within(client, self.not_clients))
        )

    def matches_sender(self, sender: str) -> bool:
        """Tell whether mail from this envelope sender is meant, as far as that goes."""
        return self._sender is None or self._sender.fits(sender)


def _login_is_unknown(message: Message) -> bool:
    """Tell whether a content filter gave it back, which passes no login on, and the log does not tell it either."""
    return message.origin is None and message.envelope is not None and message.envelope.origin is not None


def select(messages: Iterable[Message], wanted: Filter, accounts: Accounts) -> tuple[Message, ...]:
    """Return the messages that `wanted` means, its subject aside, oldest first.

    Raises `Refused` for an empty filter, and where the answer is in envelopes that were not read.
    """
    if wanted.empty:
        raise Refused("No filter was given, so every message would be meant; name a login, a client or an id.")
    messages = list(messages)
    unread = [m for m in messages if m.envelope is None] if wanted.needs_envelope else []
    if unread:
        raise Refused(f"The envelopes of {len(unread):,} messages could not be read; run `sudo bmtop`.")
    found = wanted.keep(messages, accounts)
    # By one and then the other: a pair for each message would call the garbage collector, which looks at all of them.
    found.sort(key=attrgetter("id"))
    found.sort(key=attrgetter("arrival"))
    return tuple(found)


def came_later(
    messages: Iterable[Message], wanted: Filter, accounts: Accounts, known: Collection[Message]
) -> tuple[Message, ...]:
    """Return what `wanted` means by now and was not among the `known` messages: the same id may be another one."""
    seen = {(m.id, m.arrival) for m in known}
    return tuple(m for m in select(messages, wanted, accounts) if (m.id, m.arrival) not in seen)
