"""The incident: takes events and the queue, and gives the picture. Nothing here reads or waits."""

from collections.abc import Iterable

from bmtop.incident.accounts import Accounts
from bmtop.incident.breakins import BreakIns
from bmtop.incident.events import (
    Accepted,
    Activated,
    Delivery,
    Event,
    LoginFailed,
    Notified,
    Rejected,
    Removed,
)
from bmtop.incident.gauge import Gauge
from bmtop.incident.message import Message, Origin
from bmtop.incident.picture import Picture
from bmtop.incident.reasons import Thresholds
from bmtop.incident.relays import Relays
from bmtop.incident.senders import Senders
from bmtop.incident.territory import Territory


class _Mail:
    """What is known of a message between its client= line and its removal."""

    __slots__ = ("account", "active", "deferred", "origin", "recipients", "reinjected", "relayed")

    def __init__(self, origin: Origin, account: str | None, reinjected: bool) -> None:
        self.origin = origin
        self.account = account
        self.reinjected = reinjected
        self.active = False
        self.recipients = 1
        self.deferred = 0
        self.relayed = False


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
        self._territory = territory or Territory()
        self._senders = Senders(self.accounts, self._territory, limits or Thresholds(), window)
        self._relays = Relays(self._territory, window)
        self._breakins = BreakIns(window)
        self.gauge = gauge or Gauge(threshold)
        self._mail: dict[str, _Mail] = {}
        self._notifications: dict[str, str] = {}
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
                self._mail.pop(event.id, None)
                self._notifications.pop(event.id, None)
            case LoginFailed():
                self._breakins.failed(event.time, event.client, event.name, event.login)
                if event.login is not None:
                    self._senders.failed(event.time, event.login, event.client)
            case Rejected():
                if event.relay:
                    self._relays.refused(event.time, event.client, event.name)
            case Notified():
                self._notifications[event.notification] = event.id

    def _accepted(self, event: Accepted) -> None:
        before = self._mail.get(event.origin) if event.origin else None
        if before is not None:
            # Back from a content filter: the same mail, not one more.
            self._mail[event.id] = _Mail(before.origin, before.account, reinjected=True)
            return
        account = None
        if event.login is not None:
            account = self._senders.accepted(event.time, event.login, event.client)
            self._breakins.accepted(event.time, event.client, event.login)
        origin = Origin(event.id, event.login, event.client, event.name)
        self._mail[event.id] = _Mail(origin, account, reinjected=False)

    def _activated(self, event: Activated) -> None:
        mail = self._mail.get(event.id)
        if mail is None or mail.active:
            return
        mail.active = True
        mail.recipients = event.recipients
        if mail.account is not None and not mail.reinjected:
            self._senders.activated(event.time, mail.account, event.sender, event.recipients)

    def _delivery(self, event: Delivery) -> None:
        mail = self._mail.get(event.id)
        if mail is None:
            return
        if event.status == "deferred":
            # Each recipient is deferred again at every try; it counts once.
            if mail.deferred >= mail.recipients:
                return
            mail.deferred += 1
        if mail.account is not None:
            unknown = event.status == "bounced" and event.dsn == "5.1.1"
            self._senders.delivered(event.time, mail.account, event.status, unknown)
            return
        client = mail.origin.client
        # Mail to our own people that they forward elsewhere came in for us.
        target = event.recipient if event.original is None else event.original
        if not self._territory.is_own(client) and self._territory.is_outward(target, event.daemon):
            self._relays.relayed(event.time, client, mail.origin.name, first=not mail.relayed)
            mail.relayed = True

    def origin(self, message: Message) -> Origin | None:
        """Return who sent `message` before a content filter gave it back, where the log told; else None."""
        envelope = message.envelope
        if envelope is None or envelope.login is not None:
            return None
        mail = self._mail.get(message.id)
        if mail is None or not mail.reinjected:
            # The filter passed the first id on, and that mail is still known.
            mail = self._mail.get(envelope.origin or "")
        return mail.origin if mail else None

    def notification_for(self, id: str) -> str | None:
        """Return the queue id of the message whose bounce the queued message `id` reports."""
        return self._notifications.get(id)

    def queued(self, now: float, added: Iterable[Message], gone: Iterable[Message]) -> None:
        """Take what a listing of the queue brought and what it no longer has."""
        added, gone = list(added), list(gone)
        for messages, change in ((added, 1), (gone, -1)):
            self._senders.queued(messages, change)
            self._relays.queued(messages, change)
        self._listed = now

    def territory(self, territory: Territory) -> None:
        """Take a changed configuration."""
        self._territory = self._senders.territory = self._relays.territory = territory

    def picture(self, now: float, *, complete: bool, problems: tuple[str, ...] = ()) -> Picture:
        """Return what is known at `now`."""
        known = self._listed is not None
        return Picture(
            generated=now,
            window=self.window,
            complete=complete,
            queue=self.gauge.read(now),
            senders=self._senders.read(now, known),
            relays=self._relays.read(now, known),
            failed_logins=self._breakins.read(now),
            log_time=self._log_time,
            listed=self._listed,
            problems=problems,
        )
