"""What the mail log tells, an event a line. `time` is in seconds since the epoch.

Queue ids in events only tie lines together; what is acted upon comes from the queue, checked.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Accepted(NamedTuple):
    """smtpd took a message in. `login` is None without SASL; `origin` is the queue id before a content filter."""

    time: float
    id: str
    name: str
    client: str
    login: str | None
    method: str | None
    origin: str | None


class Activated(NamedTuple):
    """The queue manager began with a message; it says so again at every later try."""

    time: float
    id: str
    sender: str
    size: int
    recipients: int


class Delivery(NamedTuple):
    """One recipient, one try: `status` is sent, deferred, bounced, or expired; `answer` is the reply or reason."""

    time: float
    id: str
    recipient: str
    original: str | None
    daemon: str
    status: str
    dsn: str
    relay: str
    answer: str


class Notified(NamedTuple):
    """Postfix wrote a non-delivery notification for `id`, itself queued as `notification`."""

    time: float
    id: str
    notification: str


class Removed(NamedTuple):
    """A message left the queue: delivered, bounced or deleted."""

    time: float
    id: str


class LoginFailed(NamedTuple):
    """A failed SASL login; `login` is None where Postfix does not log it (before 3.5 or so)."""

    time: float
    name: str
    client: str
    login: str | None


class Rejected(NamedTuple):
    """smtpd refused a recipient; `relay` where the reason was that we do not relay there."""

    time: float
    name: str
    client: str
    relay: bool


class Sent(NamedTuple):
    """Messages of one login and client, each taken in, sent to its recipients at the first try and removed, all
    within one grain of the counts (`window.grain`).

    `last` is when the last one came in. `senders` has the messages of each envelope sender, `domains` the recipients
    at each domain. Without a login, only what goes elsewhere counts: `time` and `last` are then those of the first
    delivery, `first_domains` has the messages by the domain of that. `accepted` is when the last one that counts came
    in.
    """

    time: float
    last: float
    accepted: float
    name: str
    client: str
    login: str | None
    messages: int
    recipients: int
    senders: Mapping[str, int]
    domains: Mapping[str, int]
    first_domains: Mapping[str, int]


Event = Accepted | Activated | Delivery | Notified | Removed | LoginFailed | Rejected | Sent
