"""The picture: everything that the panes and the report show, at one moment, immutable.

Times are seconds since the epoch, rates are a minute, sizes are bytes.
"""

from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "warning", "critical"]
RelayKind = Literal["open", "trusted", "refused"]

QUEUES = ("incoming", "active", "deferred", "hold", "corrupt", "maildrop")


@dataclass(frozen=True, slots=True)
class QueueGauge:
    """The queue's size. `bytes` and `oldest` come with the listing and are None before the first one."""

    incoming: int
    active: int
    deferred: int
    hold: int
    corrupt: int
    maildrop: int
    bytes: int | None
    oldest: int | None
    growth_per_minute: float | None
    threshold: int
    state: State
    why: str
    history: tuple[tuple[float, int], ...] = ()

    @property
    def total(self) -> int:
        return self.incoming + self.active + self.deferred + self.hold + self.corrupt + self.maildrop


@dataclass(frozen=True, slots=True)
class Sender:
    """A SASL sender: one account, with every form of its login that was seen.

    `queued` counts messages by the envelope's login, whatever their sender says; None where the
    queue cannot be read. `suspicion` orders the rows; `reasons` say it in words, with figures. Words alone
    accuse nobody: a rate is told of an honest newsletter, too; `suspected` is the judgement.
    """

    login: str
    logins: tuple[str, ...]
    messages: int
    recipients: int
    rate: float
    clients: tuple[tuple[str, int], ...]
    envelope_senders: int
    forged: int
    queued: int | None
    sent: int
    deferred: int
    bounced: int
    failed_logins: int
    first_seen: float
    last_seen: float
    reasons: tuple[str, ...]
    suspicion: int
    suspected: bool = False
    different_clients: int = 0

    @property
    def addresses(self) -> int:
        """How many different clients there were, also where not all of them are told apart."""
        return max(self.different_clients, len(self.clients))


@dataclass(frozen=True, slots=True)
class Relay:
    """A client without a login whose mail, or tries, went elsewhere.

    `network` is the entry of mynetworks that lets a trusted one in; where that has gone since, it is the one
    that did, and `untrusted` is True. An open one is `untrusted` where it goes on after it was. A `known` relay
    was marked as an honest one: it is never `suspected`.
    """

    client: str
    name: str
    kind: RelayKind
    network: str | None
    messages: int
    recipients: int
    queued: int | None
    refused: int
    last_seen: float
    first_seen: float = 0.0
    known: bool = False
    untrusted: bool = False
    envelope_senders: int = 0
    reasons: tuple[str, ...] = ()
    suspicion: int = 0
    suspected: bool = False


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A client that failed to log in: the names it tried, and the logins with which it got in later.

    `unnamed` counts failures whose name Postfix did not log. `got_in` has the moment for each of `succeeded`.
    `broke_in` tells a guessed password from a mistyped one.
    """

    client: str
    name: str
    logins: tuple[tuple[str, int], ...]
    failures: int
    succeeded: tuple[str, ...]
    last_seen: float
    unnamed: int = 0
    first_seen: float = 0.0
    got_in: tuple[tuple[str, float], ...] = ()
    broke_in: bool = False


@dataclass(frozen=True, slots=True)
class Attacked:
    """An account that several clients failed to log in to: a distributed attack, in one row.

    `clients` has the failures of each; `got_in` those of them that got in, with the moment.
    """

    login: str
    clients: tuple[tuple[str, int], ...]
    failures: int
    got_in: tuple[tuple[str, float], ...]
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """Who refuses our mail, as their servers said: `who` is a DNS list (`list`) or a mail provider (`provider`).

    `recipients` got no mail for that reason, of which `deferred` are still tried; `since` is the first such
    answer that is known. `answer` and `host` are the newest one's, word for word, as that server chose them.
    """

    who: str
    kind: Literal["list", "provider"]
    since: float
    last_seen: float
    recipients: int
    deferred: int
    host: str
    answer: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One moment. `queue` is None where the queue cannot be read: `problems` says why, in sentences.

    `complete` is False while the log of the window, or the queue's envelopes, are still being read.
    `window` is in seconds. `log_time` is the newest log line's time stamp, `listed` the moment of
    the newest queue listing.
    """

    generated: float
    window: float
    complete: bool
    queue: QueueGauge | None
    senders: tuple[Sender, ...]
    relays: tuple[Relay, ...]
    failed_logins: tuple[FailedLogin, ...]
    log_time: float | None = None
    listed: float | None = None
    problems: tuple[str, ...] = field(default=())
    attacked: tuple[Attacked, ...] = ()
    blocked: tuple[Blocked, ...] = ()
