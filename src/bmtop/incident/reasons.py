"""Why a login or a relay client is suspected, in words with figures; and how sure that makes us.

No single figure tells a stolen login from an honest newsletter, so the reasons are of kinds: how much is sent
(bulk), from where (origin), as whom (sender), and to whom (recipients). Two kinds together make a suspect, or
one reason that is enough alone. What others can cause, such as failed logins, is never more than words.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["bulk", "origin", "sender", "recipients", "words"]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which figure on something counts as a reason; all may be set in the settings.

    Shares are from 0 to 1. `…_alone` is from where on it is enough by itself.
    """

    messages_per_hour: int = 1000
    messages_per_minute: int = 30
    rate_over_past: float = 10.0
    rate_messages: int = 30
    recipients_per_message: float = 20.0
    recipients: int = 200
    clients: int = 5
    clients_alone: int = 10
    new_share: float = 0.5
    failed_logins: int = 5
    failed_logins_alone: int = 20
    names_tried: int = 5
    forged_messages: int = 3
    forged_share: float = 0.2
    forged_senders_alone: int = 5
    null_messages: int = 50
    null_share: float = 0.5
    unknown_recipients: int = 10
    unknown_share: float = 0.1
    unknown_recipients_alone: int = 50
    unknown_share_alone: float = 0.3


@dataclass(frozen=True, slots=True)
class BreakIn:
    """Failed logins before a client got into an account for the first time.

    `failures` are its own at this account and `names` the accounts that it tried; `others_failures` came from
    `others` more clients. `shared` says that the client is the server itself, where many people log in; `several` that
    several accounts send from there, one of them without a failure of its own: as an office does behind one address.
    """

    client: str
    failures: int
    names: int
    others_failures: int
    others: int
    shared: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one login or client.

    Rates are messages an hour; `per_hour` was counted over `counted_over` seconds, an hour or a shorter window;
    `past_rate` is None where nothing was seen before the wave of mail began.
    `places` are the addresses, of IPv6 the /64s, that sent within the same hour, in the one that had most;
    `new_clients` the addresses first seen since that wave began, with `new_messages` of `wave_messages`. `forged`
    messages have another sender than the account's own; `foreign` ones one whose domain is not ours, with
    `foreign_senders` different ones. For a relay, which has no address of its own, both are the same. `null`
    messages have the null sender, as bounces have; `null_to_several` are those in the queue that have several
    recipients, as no bounce has. `unknown` recipients do not exist, of `answered`.
    """

    messages: int = 0
    recipients: int = 0
    per_hour: float = 0.0
    counted_over: float = _HOUR
    per_minute: int = 0
    busiest: int = 0
    busiest_rate: float = 0.0
    past_rate: float | None = None
    clients: int = 0
    places: int = 0
    new_clients: int = 0
    new_messages: int = 0
    wave_messages: int = 0
    forged: int = 0
    foreign: int = 0
    foreign_senders: int = 0
    null: int = 0
    null_to_several: int = 0
    unknown: int = 0
    answered: int = 0
    break_in: BreakIn | None = None
    webmail: bool = False
    relay: bool = False


class Reason(NamedTuple):
    kind: Kind
    weight: int
    alone: bool
    words: str


class Verdict(NamedTuple):
    """`reasons` in words, the strongest first. `suspicion` orders; whoever is suspected stands above all others."""

    suspected: bool
    suspicion: int
    reasons: tuple[str, ...]


def judge(figures: Figures, limits: Thresholds) -> Verdict:
    """Return whether these figures make a suspect, and why. Of others, only a high rate is told."""
    found = [
        reason
        for look in (_bulk, _origin, _break_in, _forged, _null, _recipients)
        for reason in look(figures, limits)
    ]  # fmt: skip
    kinds = {reason.kind for reason in found} - {"words"}
    suspected = len(kinds) > 1 or any(reason.alone for reason in found)
    if not suspected:
        found = [reason for reason in found if reason.kind == "bulk"]
    found.sort(key=lambda reason: -reason.weight)
    weight = sum(reason.weight for reason in found) + (100 if suspected else 0)
    return Verdict(suspected, weight, tuple(reason.words for reason in found))


def _bulk(f: Figures, limits: Thresholds) -> list[Reason]:
    found = []
    if f.per_hour >= limits.messages_per_hour:
        found.append(Reason("bulk", 20, False, _in_an_hour(f)))
    elif f.per_minute >= limits.messages_per_minute:
        found.append(Reason("bulk", 15, False, f"{f.per_minute:,} messages within a minute"))
    if f.past_rate is not None and f.busiest >= limits.rate_messages:
        times = f.busiest_rate / max(f.past_rate, 1.0)
        if times >= limits.rate_over_past:
            past = f"{f.past_rate:,.0f}" if f.past_rate >= 1 else "less than one"
            found.append(Reason("bulk", 20, False, f"{times:,.0f} times its own past rate ({past} an hour)"))
    each = f.recipients / max(f.messages, 1)
    if f.recipients >= limits.recipients and each >= limits.recipients_per_message:
        found.append(Reason("bulk", 15, False, f"{each:,.0f} recipients a message"))
    return found


def _in_an_hour(f: Figures) -> str:
    """Return how many messages there were, and in what time: of less than an hour, nothing is said of the rest."""
    if f.counted_over >= _HOUR:
        return f"{f.per_hour:,.0f} messages an hour"
    minutes, seconds = divmod(round(f.counted_over), 60)
    span = f"{minutes} minutes" if minutes > 1 and not seconds else f"{round(f.counted_over)} seconds"
    return f"{f.per_hour * f.counted_over / _HOUR:,.0f} messages within {span}"


def _origin(f: Figures, limits: Thresholds) -> list[Reason]:
    found = []
    if f.places >= limits.clients:
        alone = f.places >= limits.clients_alone
        found.append(Reason("origin", 50 if alone else 20, alone, f"{f.clients:,} client addresses"))
    if f.new_clients and f.busiest >= limits.rate_messages and f.new_messages >= limits.new_share * f.wave_messages:
        many = "an address" if f.new_clients == 1 else f"{f.new_clients:,} addresses"
        words = f"{f.new_messages:,} messages from {many} not seen before"
        found.append(Reason("origin", 25, False, words))
    if f.webmail:
        # No person sends like that by hand in a web page.
        by_machine = f.per_hour >= limits.messages_per_hour or f.per_minute >= limits.messages_per_minute
        words = "sent through the server's own address: a webmail session"
        found.append(Reason("origin" if by_machine else "words", 10, False, words))
    return found


def _break_in(f: Figures, limits: Thresholds) -> list[Reason]:
    tried = f.break_in
    if tried is None:
        return []
    stuffed = tried.names >= limits.names_tried and not tried.shared
    words = f"{tried.failures:,} failed logins before it got in from {tried.client}"
    if stuffed:
        words = f"it got in from {tried.client}, which failed at {tried.names:,} names before"
    if tried.failures >= limits.failed_logins or stuffed:
        alone = tried.failures >= limits.failed_logins_alone and not tried.shared
        # Behind one address, whoever failed at the names may be another than who got in.
        alone = alone or (stuffed and not tried.several)
        return [Reason("origin", 50 if alone else 30, alone, words)]
    every = tried.failures + tried.others_failures
    if every < limits.failed_logins:
        return []
    words = f"{every:,} failed logins from {tried.others + bool(tried.failures):,} addresses before"
    # Anybody can fail at somebody's login; only who failed, and then got in, says something of the account.
    return [Reason("origin" if tried.failures and not tried.shared else "words", 15, False, words)]


def _forged(f: Figures, limits: Thresholds) -> list[Reason]:
    # Mail under the null sender is nobody's: with a login it hides none that is. A relay may have bounces to send.
    of = f.messages if f.relay else max(f.messages - f.null, f.forged)
    if f.forged < limits.forged_messages or f.forged < limits.forged_share * of:
        return []
    # What is told is the share of all messages, as it stands beside the reasons.
    share = 100 * f.forged // max(f.messages, 1)
    many = f.foreign_senders >= limits.forged_senders_alone
    alone = many and f.foreign >= limits.forged_messages and f.foreign >= limits.forged_share * of
    different = f"{f.foreign_senders:,} different ones" if f.foreign_senders > 1 else "always the same one"
    if f.relay:
        words = f"{share} % of its senders are none of ours ({different})"
    elif f.foreign:
        words = f"{share} % forged senders ({different})"
    else:
        words = f"{share} % under another address of our own"
    # A login that sends as its colleagues may be a shared mailbox, or a list.
    return [Reason("sender" if f.foreign else "words", 60 if alone else 25 if f.foreign else 5, alone, words)]


def _null(f: Figures, limits: Thresholds) -> list[Reason]:
    if f.relay:
        # Another mail server of ours has its bounces to send, each to one recipient.
        null, words = f.null_to_several, "under the null sender to several recipients: no bounces"
    else:
        # Postfix writes bounces itself. With a login, it is read receipts and vacation replies, a few.
        null, words = f.null, "under the null sender, as bounces have"
    if null < limits.null_messages or null < limits.null_share * f.messages:
        return []
    return [Reason("sender", 25, False, f"{null:,} messages {words}")]


def _recipients(f: Figures, limits: Thresholds) -> list[Reason]:
    if f.unknown < limits.unknown_recipients or f.unknown < limits.unknown_share * f.answered:
        return []
    alone = f.unknown >= limits.unknown_recipients_alone and f.unknown >= limits.unknown_share_alone * f.answered
    words = f"{f.unknown:,} recipients that do not exist"
    return [Reason("recipients", 40 if alone else 30, alone, words)]
