"""Why a sender is suspected, in words with figures; and how sure that makes us."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which figure on something counts as a reason; all may be set in the settings."""

    messages_per_hour: int = 1000
    clients: int = 4
    forged_share: float = 0.2
    forged_messages: int = 3
    recipients_per_message: float = 20.0
    unknown_recipients: int = 10
    failed_logins: int = 5
    rate_over_past: float = 10.0
    rate_messages: int = 30


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one account in the window. Rates are messages an hour."""

    messages: int
    recipients: int
    clients: int
    new_clients: int
    envelope_senders: int
    forged: int
    bounced: int
    unknown_recipients: int
    failed_logins: int
    broke_in: tuple[str, ...]
    rate_per_hour: float
    past_rate_per_hour: float | None
    own_address: bool


def reasons(figures: Figures, limits: Thresholds) -> tuple[tuple[str, ...], int]:
    """Return the reasons, strongest first, and their weight, 0 to 100 and more."""
    f = figures
    found: list[tuple[int, str]] = []
    if f.broke_in:
        found.append((50, f"{f.failed_logins} failed logins before it got in from {f.broke_in[0]}"))
    elif f.failed_logins >= limits.failed_logins:
        found.append((30, f"{f.failed_logins} failed logins before a first login from a new address"))
    if f.forged >= limits.forged_messages and f.forged >= limits.forged_share * f.messages:
        share = 100 * f.forged // max(f.messages, 1)
        found.append((40, f"{share} % forged senders ({f.envelope_senders:,} different ones)"))
    if f.rate_per_hour >= limits.messages_per_hour:
        found.append((20, f"{f.rate_per_hour:,.0f} messages an hour"))
    past = f.past_rate_per_hour
    if (
        past is not None
        and f.messages >= limits.rate_messages
        and f.rate_per_hour >= limits.rate_over_past * max(past, 1)
    ):
        found.append((25, f"{f.rate_per_hour / max(past, 1):,.0f} times its own past rate"))
    if f.clients >= limits.clients:
        found.append((15, f"{f.clients} client addresses"))
    if f.new_clients and found:
        found.append((10, f"{f.new_clients} of its addresses not seen before"))
    if f.unknown_recipients >= limits.unknown_recipients:
        found.append((20, f"{f.unknown_recipients:,} recipients that do not exist"))
    if f.messages and f.recipients / f.messages >= limits.recipients_per_message:
        found.append((10, f"{f.recipients / f.messages:,.0f} recipients a message"))
    if f.own_address and found:
        found.append((5, "sent through the server's own address: a webmail session"))
    found.sort(key=lambda pair: -pair[0])
    return tuple(words for _, words in found), sum(weight for weight, _ in found)
