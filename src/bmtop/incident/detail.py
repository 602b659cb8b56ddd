"""The details of one login or one client: what the picture's row sums up, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bmtop.incident.activity import Activity, Queued
from bmtop.incident.picture import Attacked, FailedLogin


class Moment(NamedTuple):
    """A point of the time line: `what` in words, `figure` with an address or a count, or empty."""

    time: float
    what: str
    figure: str


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is known of a login or client, of the window unless it says otherwise; every list is complete
    up to `MOST` rows, the most frequent first. `different` has how many there are in all, of a list that is not.

    `clients` are the addresses that sent, `tried_from` those that failed to log in, `tried` the names that a
    client failed with. `domains` are the recipients'. `queued` and `queued_bytes` are None where the queue
    cannot be read. `moments` may lie before the window.
    """

    name: str
    moments: tuple[Moment, ...]
    messages: int
    recipients: int
    sent: int
    deferred: int
    bounced: int
    unknown: int
    queued: int | None
    queued_bytes: int | None
    logins: tuple[tuple[str, int], ...] = ()
    clients: tuple[tuple[str, int], ...] = ()
    senders: tuple[tuple[str, int], ...] = ()
    domains: tuple[tuple[str, int], ...] = ()
    tried: tuple[tuple[str, int], ...] = ()
    tried_from: tuple[tuple[str, int], ...] = ()
    different: Mapping[str, int] = field(default_factory=dict)

    def of(self, what: str) -> int:
        """Return how many different rows the list of this name has, those beyond `MOST` included."""
        return self.different.get(what, len(getattr(self, what)))


MOST = 100


def detail(
    name: str,
    activity: Activity,
    queued: Queued | None,
    *,
    attacked: Attacked | None = None,
    failed: FailedLogin | None = None,
) -> Detail:
    """Return the details: `attacked` has the failures at a login, `failed` those of a client."""
    counts = activity.counts
    different = {f"{kind}s": counts.distinct(kind) for kind in ("login", "client", "sender", "domain")}
    if failed:
        different["tried"] = len(failed.logins)
    if attacked:
        different["tried_from"] = len(attacked.clients)
    return Detail(
        name=name,
        moments=tuple(sorted(_moments(activity, attacked, failed))),
        messages=counts["messages"],
        recipients=counts["recipients"],
        sent=counts["sent"],
        deferred=counts["deferred"],
        bounced=counts["bounced"],
        unknown=counts.distinct("unknown"),
        queued=None if queued is None else queued.messages,
        queued_bytes=None if queued is None else queued.bytes,
        logins=tuple(counts.of("login", MOST)),
        clients=tuple(counts.of("client", MOST)),
        senders=tuple(counts.of("sender", MOST)),
        domains=tuple(counts.of("domain", MOST)),
        tried=failed.logins[:MOST] if failed else (),
        tried_from=attacked.clients[:MOST] if attacked else (),
        different=different,
    )


def _moments(activity: Activity, attacked: Attacked | None, failed: FailedLogin | None) -> list[Moment]:
    found = []
    if activity.first_seen:
        found += [
            Moment(activity.first_seen, "first message", ""),
            Moment(max(activity.peak[0], activity.first_seen), "busiest minute", f"{activity.peak[1]:,} messages"),
            Moment(activity.last_seen, "last message", ""),
        ]
    if activity.first_foreign:
        found.append(
            Moment(activity.first_foreign[0], "first message from a foreign address", activity.first_foreign[1])
        )
    for one in (attacked, failed):
        if one is not None:
            found.append(Moment(one.first_seen, "first failed login", ""))
            found += [Moment(time, "got in after failed logins", who) for who, time in one.got_in]
    return found
