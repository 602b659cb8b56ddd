"""The incident: takes events and the queue, and gives the picture. Nothing here reads or waits."""

from collections.abc import Iterable, Iterator, Mapping

from bmtop.incident.accounts import Accounts, lower
from bmtop.incident.blocked import Blocks, blocker
from bmtop.incident.breakins import BreakIns
from bmtop.incident.detail import Detail, detail
from bmtop.incident.events import (
    Accepted,
    Activated,
    Delivery,
    Event,
    LoginFailed,
    Rejected,
    Removed,
    Sent,
)
from bmtop.incident.gauge import Gauge
from bmtop.incident.message import Message, Origin
from bmtop.incident.picture import Picture
from bmtop.incident.reasons import Thresholds
from bmtop.incident.relays import Relays
from bmtop.incident.selection import Network
from bmtop.incident.senders import Senders
from bmtop.incident.steps import Steps, done
from bmtop.incident.territory import Seen, Territory

# What Postfix logs where SASL gave it no name, as for an empty one (smtpd_sasl_glue.c).
_UNAVAILABLE = "(unavailable)"
# Logins whose account is remembered: those of one server's people, and some that are only tried.
_NAMES = 20_000
# Messages that are under way without being in the queue's listing: not listed yet, or gone without a word.
_UNLISTED = 20_000
# What the log says of a message that has left the queue is written by then, in seconds.
_WRITTEN_AFTER = 60.0
# Domains that a table must be asked for: those longest unseen go first.
_QUESTIONS = 5_000


class _Mail:
    """What is known of a message between its client= line and its removal."""

    __slots__ = (
        "account",
        "active",
        "blocked",
        "counted",
        "deferred",
        "filtered",
        "origin",
        "recipients",
        "reinjected",
        "sender",
        "time",
    )

    def __init__(self, time: float, origin: Origin, account: str | None, reinjected: bool) -> None:
        self.time = time
        self.origin = origin
        self.account = account
        self.reinjected = reinjected
        # A content filter gave it back under another id, which is the one that counts from then on.
        self.filtered = False
        self.active = False
        self.sender = ""
        self.recipients = 1
        # Recipients that were counted, at all, as deferred, and as refused by who blocks us: each once, though
        # it is tried again and again.
        self.counted = 0
        self.deferred = 0
        self.blocked = 0


class Incident:
    """Feed it events in the order of the log, tell it of the queue, and ask for the picture at any time."""

    def __init__(
        self,
        *,
        window: float,
        threshold: int,
        accounts: Accounts | None = None,
        territory: Territory | None = None,
        limits: Thresholds | None = None,
        gauge: Gauge | None = None,
    ) -> None:
        self.window = window
        self.accounts = accounts or Accounts()
        limits = limits or Thresholds()
        self._territory = territory or Territory()
        self._relays = Relays(self._territory, limits, window)
        self._breakins = BreakIns(limits, window)
        self._senders = Senders(self.accounts, self._territory, limits, window, self._breakins.several)
        self._blocks = Blocks(window)
        self.gauge = gauge or Gauge(threshold)
        self._mail: dict[str, _Mail] = {}
        self._room = _UNLISTED
        self._queue: dict[str, Message] = {}
        # How many of them nobody could read the envelope of.
        self._unopened = 0
        # When messages left the queue; their last lines may still be unread.
        self._left: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._domains: dict[str, None] = {}
        self._log_time: float | None = None
        self._listed: float | None = None

    def feed(self, event: Event) -> None:
        """Take the next event of the log."""
        self._log_time = event.time
        match event:
            case Delivery():
                self._delivery(event)
            case Accepted():
                self._accepted(event)
            case Activated():
                self._activated(event)
            case Removed():
                self._gone(event.id)
            case LoginFailed():
                login = None if event.login == _UNAVAILABLE else event.login
                account = None if login is None else self._account_of(login)
                self._breakins.failed(event.time, event.client, event.name, login, account)
            case Rejected():
                if event.relay:
                    self._relays.refused(event.time, event.client, event.name)
            case Sent():
                self._sent(event)

    def _gone(self, id: str) -> None:
        self._mail.pop(id, None)

    def _make_room(self) -> None:
        """Forget the oldest messages that are not in the queue: they left it, and the log lacks that line."""
        unlisted = [id for id in self._mail if id not in self._queue]
        for id in unlisted[: -_UNLISTED // 2]:
            self._gone(id)
        self._room = len(self._mail) + _UNLISTED // 2

    def _accepted(self, event: Accepted) -> None:
        if len(self._mail) >= self._room:
            self._make_room()
        # Another server in front of us may name an id of its own that happens to be one of ours.
        here = event.origin is not None and self._territory.is_own(event.client)
        before = self._mail.get(event.origin or "") if here else None
        if before is not None:
            # Back from a content filter: the same mail, not one more.
            before.filtered = True
            self._mail[event.id] = _Mail(event.time, before.origin, before.account, reinjected=True)
            return
        account = None
        if event.login is not None:
            account = self._account_of(event.login)
            if self._senders.accepted(event.time, account, event.login, event.client):
                self._first(event.time, account, event.login, event.client)
        origin = Origin(event.id, event.login, event.client, event.name)
        self._mail[event.id] = _Mail(event.time, origin, account, reinjected=False)

    def _first(self, time: float, account: str, login: str, client: str) -> None:
        """Take an account's first message from a client: logins may have failed before."""
        shared = self._territory.is_own(client)
        tried = self._breakins.accepted(time, client, login, account, shared=shared)
        if tried is not None:
            self._senders.broke_in(time, account, tried)

    def _sent(self, event: Sent) -> None:
        if event.login is None:
            self._relays.sent(event)
            for domain in event.domains:
                self._question(domain)
            return
        account = self._account_of(event.login)
        if self._senders.accepted(event.time, account, event.login, event.client, event.messages, event.last):
            self._first(event.time, account, event.login, event.client)
        self._senders.sent(account, event)
        for sender in event.senders:
            self._question(sender)

    def _account_of(self, login: str) -> str:
        account = self._names.get(login)
        if account is None:
            if len(self._names) >= _NAMES:
                self._names.clear()
            account = self._names[login] = self.accounts.account(login)
        return account

    def _activated(self, event: Activated) -> None:
        mail = self._mail.get(event.id)
        if mail is None or mail.active:
            return
        mail.active = True
        mail.sender = event.sender
        mail.recipients = event.recipients
        if mail.account is not None and not mail.reinjected:
            self._senders.activated(event.time, mail.account, event.sender, event.recipients)
            self._question(event.sender)

    def _delivery(self, event: Delivery) -> None:
        mail = self._mail.get(event.id)
        if event.status in ("deferred", "bounced"):
            self._refused(event, mail)
        if mail is None or mail.filtered:
            return
        again = event.status == "deferred" and mail.deferred >= mail.recipients
        mail.deferred += event.status == "deferred"
        if mail.account is not None:
            activity = self._senders.activity(mail.account, event.time)
            if mail.counted < mail.recipients:
                activity.sent_to(event.time, event.recipient)
                mail.counted += 1
            if not again:
                activity.delivered(event.time, event.status, event.dsn, event.recipient)
        elif not self._territory.is_own(mail.origin.client):
            self._without_login(event, mail, again)

    def _without_login(self, event: Delivery, mail: _Mail, again: bool) -> None:
        domain = self._territory.outward(event.recipient, event.daemon, event.original)
        if domain is None:
            return
        self._question(domain)
        client = mail.origin.client
        if mail.counted < mail.recipients:
            sender = None if mail.counted else mail.sender
            self._relays.relayed(event.time, client, mail.origin.name, domain, accepted=mail.time, sender=sender)
            mail.counted += 1
        if not again:
            self._relays.delivered(event.time, client, event.status, event.dsn, event.recipient)

    def _refused(self, event: Delivery, mail: _Mail | None) -> None:
        by = blocker(event, self._territory.is_own)
        # Each recipient once, also where it is tried again; of mail from before the log, only the last word counts.
        if by is None or (mail is None and event.status == "deferred"):
            return
        if mail is not None:
            if mail.blocked >= mail.recipients:
                return
            mail.blocked += 1
        self._blocks.refused(event, by)

    def _question(self, address: str) -> None:
        """Note a domain that a table must be asked for."""
        if self._territory.must_ask:
            domain = lower(address.rpartition("@")[2])
            self._domains.pop(domain, None)
            self._domains[domain] = None
            if len(self._domains) > _QUESTIONS:
                del self._domains[next(iter(self._domains))]

    def seen(self) -> Seen:
        """Return the clients and domains that a table which cannot be listed must be asked for."""
        return Seen(frozenset(self._relays.clients()), frozenset(self._domains))

    def origin(self, message: Message) -> Origin | None:
        """Return who sent `message` before a content filter gave it back, where the log told; else None."""
        envelope = message.envelope
        if envelope is None or envelope.login is not None:
            return None
        mail = self._mail.get(message.id)
        if mail is None or not mail.reinjected:
            # The filter passed the first id on, and that mail is still known.
            mail = self._mail.get(envelope.origin or "")
            # A short id may be another mail's by now.
            if mail is not None and int(mail.time) > message.arrival:
                return None
        return mail.origin if mail else None

    def queued(self, now: float, added: Iterable[Message], gone: Iterable[Message]) -> None:
        """Take what a listing of the queue brought and what it no longer has."""
        # An id that is in both stands for another message now.
        for message in gone:
            before = self._queue.pop(message.id, None)
            if before is not None:
                self._unopened -= before.envelope is None
                # What leaves has fewer recipients left than it was counted with.
                self._senders.queued(before, -1)
                self._relays.queued(before, -1)
                self._left.pop(message.id, None)
                self._left[message.id] = now
        for message in added:
            self._queue[message.id] = message
            self._unopened += message.envelope is None
            self._senders.queued(message, 1)
            self._relays.queued(message, 1)
        self._listed = now
        self._forget_left()

    @property
    def _queue_is_known(self) -> bool:
        """Whether it was listed, and every message's envelope was read: who has how many there depends on it."""
        return self._listed is not None and not self._unopened

    def _forget_left(self) -> None:
        """Forget the messages that left the queue, once the log is read beyond that; it may lack their last line."""
        read_to = self._log_time or 0.0
        while self._left:
            id = next(iter(self._left))
            if self._left[id] + _WRITTEN_AFTER > read_to and len(self._left) <= _UNLISTED:
                break
            del self._left[id]
            if id not in self._queue:
                self._gone(id)

    def territory(self, territory: Territory) -> None:
        """Take a changed configuration."""
        self._territory = self._senders.territory = self._relays.territory = territory
        self._relays.recount(self._queue.values())

    def known_relays(self, networks: tuple[Network, ...]) -> None:
        """Take the relays that were marked as honest ones."""
        self._relays.known = networks

    def untrusted_relays(self, clients: Mapping[str, tuple[str, float]]) -> None:
        """Take the clients that were untrusted, each with the entry that had let it in, and the moment it went."""
        self._relays.untrusted = clients

    def take_marks(self, before: "Incident") -> None:
        """Take what is known of relays beside the log from the incident that this one follows."""
        self._relays.known, self._relays.untrusted = before._relays.known, before._relays.untrusted

    def picture(self, now: float, *, complete: bool, problems: tuple[str, ...] = ()) -> Picture:
        """Return what is known at `now`."""
        return done(self.draw(now, complete=complete, problems=problems))

    def draw(self, now: float, *, complete: bool, problems: tuple[str, ...] = ()) -> Steps[Picture]:
        """Return the same, in steps of a few milliseconds at most; events may be fed in between."""
        known = self._queue_is_known
        senders = yield from self._senders.read(now, known)
        relays = yield from self._relays.read(now, known)
        failed_logins = yield from self._breakins.read(now)
        attacked = yield from self._breakins.attacked(now)
        return Picture(
            generated=now,
            window=self.window,
            complete=complete,
            queue=self.gauge.read(now),
            senders=senders,
            relays=relays,
            failed_logins=failed_logins,
            log_time=self._log_time,
            listed=self._listed,
            problems=(*problems, *self._not_exact()),
            attacked=attacked,
            blocked=self._blocks.read(now),
        )

    def _not_exact(self) -> Iterator[str]:
        """Yield a sentence for everything of which there is too much to count it exactly."""
        for missing, what, which in (
            (self._senders.missing, "logins sent", "messages"),
            (self._relays.missing, "relay clients came", "messages or tries"),
            (self._breakins.missing, "clients failed to log in, or at so many accounts,", "failures"),
        ):
            if missing:
                yield (
                    f"So many {what} in this window that only the busiest are told apart: a sketch, in which one may"
                    f" lack up to {missing:,} {which}. A shorter window (w) is exact again."
                )

    def login_detail(self, login: str) -> Detail:
        """Return the details of the account that `login` belongs to, as of the last picture."""
        name = self.accounts.account(login)
        activity, queued = self._senders.of(name)
        known = queued if self._queue_is_known else None
        return detail(name, activity, known, attacked=self._breakins.at(name))

    def client_detail(self, client: str) -> Detail:
        """Return the details of a client as a relay, and of its failed logins, as of the last picture."""
        activity, queued = self._relays.of(client)
        known = queued if self._queue_is_known else None
        return detail(client, activity, known, failed=self._breakins.by(client))
