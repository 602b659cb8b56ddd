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
    queue cannot be read. `suspicion` orders the rows; `reasons` say it in words, with figures.
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


@dataclass(frozen=True, slots=True)
class Relay:
    """A client without a login whose mail, or tries, went elsewhere.

    `network` is the entry of mynetworks that lets a trusted one in.
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


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A client that failed to log in: the names it tried, and the logins with which it got in later."""

    client: str
    name: str
    logins: tuple[tuple[str, int], ...]
    failures: int
    succeeded: tuple[str, ...]
    last_seen: float


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
