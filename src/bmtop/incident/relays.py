"""Relay clients: mail for elsewhere without a login, and tries at it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bmtop.incident.accounts import lower
from bmtop.incident.activity import Activity, Owner, Queued
from bmtop.incident.events import Sent
from bmtop.incident.message import Message
from bmtop.incident.picture import Relay, RelayKind
from bmtop.incident.reasons import Thresholds, judge
from bmtop.incident.selection import Network
from bmtop.incident.sketch import Heaviest
from bmtop.incident.steps import Steps
from bmtop.incident.territory import Territory, address_of
from bmtop.incident.watch import clock

# Anybody can be refused, from any address: of more clients than these, those are told apart whose mail was accepted,
# and those that tried most.
_CLIENTS = 10_000
# Rows that are looked at in a step.
_STEP = 16
_ORDER: dict[RelayKind, int] = {"open": 0, "trusted": 1, "refused": 2}
_OPEN = "outside mynetworks, and its mail for elsewhere was accepted"


class _Client:
    """`entry` is what let it in when it was last accepted, `accepted` when that was, `refused` when it was not.

    `row` is the one that was made last, of the state `made_of`.
    """

    __slots__ = ("accepted", "activity", "entry", "made_of", "name", "refused", "row")

    def __init__(self, window: float) -> None:
        self.activity = Activity(window)
        self.name = "unknown"
        self.entry: str | None = None
        self.accepted = 0.0
        self.refused = 0.0
        self.made_of: tuple[object, ...] = ()
        self.row: Relay | None = None

    @property
    def weight(self) -> int:
        return self.activity.counts["refused"] + self.activity.counts["messages"]


class Relays:
    """Every client whose mail went elsewhere, or was refused as relaying. `known` ones were marked as honest."""

    def __init__(self, territory: Territory, limits: Thresholds, window: float) -> None:
        self.territory = territory
        self.known: tuple[Network, ...] = ()
        self.untrusted: Mapping[str, tuple[str, float]] = {}
        self._limits = limits
        self._window = window
        self._heaviest = Heaviest[_Client](
            _CLIENTS, window, lambda client: client.weight, lambda client: client.accepted > 0
        )
        self._clients = self._heaviest.known
        self._queued: dict[str, Queued] = {}
        # Those that have mail in the queue, and did nothing in the window.
        self._only_queued: dict[str, _Client] = {}
        # The newest rows' clients: in an order that is nearly right, they are quickly put in order.
        self._order: list[str] = []
        # Whose each queued message was counted as: the configuration may have changed when it leaves.
        self._owners: dict[str, str] = {}

    def _client(self, client: str, name: str, time: float) -> _Client:
        found = self._clients.get(client)
        if found is None:
            found = _Client(self._window)
            self._heaviest.add(client, found, time)
        if name != "unknown":
            found.name = name
        return found

    def refused(self, time: float, client: str, name: str) -> None:
        """A try was refused with `Relay access denied`."""
        if self.territory.is_own(client):
            return
        found = self._client(client, name, time)
        found.activity.counts.add(time, "refused")
        found.refused = max(found.refused, time)

    def relayed(self, time: float, client: str, name: str, domain: str, *, accepted: float, sender: str | None) -> None:
        """A recipient at `domain`, elsewhere, was tried; `sender` is that of a message that was not yet counted.

        The message was `accepted` then, which may be long before it is tried.
        """
        found = self._client(client, name, time)
        activity = found.activity
        activity.counts.see(time, "domain", domain)
        if sender is None:
            return
        # What is elsewhere today may turn out to be ours, so messages are counted by domain.
        activity.counts.see(time, "to", domain)
        activity.message(time, client)
        activity.sender(time, sender, self._owner(sender))
        found.accepted = max(found.accepted, accepted)
        found.entry = self.territory.lets_in(client)

    def sent(self, event: Sent) -> None:
        """Messages of this client went out, as far as they went elsewhere."""
        found = self._client(event.client, event.name, event.time)
        found.activity.counts.see_all(event.time, "to", event.first_domains)
        found.activity.message(event.time, event.client, event.messages, event.last)
        found.activity.sent(event, self._owner)
        found.accepted = max(found.accepted, event.accepted)
        found.entry = self.territory.lets_in(event.client)

    def _owner(self, sender: str) -> Owner:
        if not sender:
            return "nobody"
        return "own" if self.territory.is_ours(lower(sender.rpartition("@")[2])) else "foreign"

    def delivered(self, time: float, client: str, status: str, dsn: str, recipient: str) -> None:
        """A recipient elsewhere was sent to, deferred, bounced or given up."""
        self._client(client, "unknown", time).activity.delivered(time, status, dsn, recipient)

    def queued(self, message: Message, change: int) -> None:
        """A message came into the queue (`change` 1) or left it (-1)."""
        client = self._relay(message) if change > 0 else self._owners.pop(message.id, None)
        if client is None:
            return
        if change > 0:
            self._owners[message.id] = client
        queued = self._queued.setdefault(client, Queued())
        queued.change(message, change)
        if not queued.messages:
            del self._queued[client]

    def _relay(self, message: Message) -> str | None:
        """Return the client that had this message relayed; None for a login's, and for what came in for us."""
        client = message.client
        if message.login is not None or client is None or self.territory.is_own(client):
            return None
        # What our own people have forwarded came in for us, and a short name may be that of a machine of ours.
        addressed = (message.envelope.addressed if message.envelope else ()) or message.recipients
        goes_elsewhere = self._any_elsewhere(addressed) and self._any_elsewhere(message.recipients)
        return client if goes_elsewhere else None

    def _any_elsewhere(self, recipients: Iterable[str]) -> bool:
        return any(self.territory.outward(to, "smtp") for to in recipients)

    def recount(self, messages: Iterable[Message]) -> None:
        """Count the whole queue anew, after the configuration has changed."""
        self._queued.clear()
        self._owners.clear()
        for message in messages:
            self.queued(message, 1)

    @property
    def missing(self) -> int:
        """How many tries a client may lack, since not all clients are told apart; 0 while they are."""
        return self._heaviest.missing

    def read(self, now: float, queue_known: bool) -> Steps[tuple[Relay, ...]]:
        """Return the rows: known ones last; before them open ones, trusted, refused; each the surest first."""
        self._heaviest.settle(now)
        rows, only_queued = [], {}
        clients = dict.fromkeys((*self._order, *self._clients, *self._queued))
        for number, client in enumerate(clients):
            if number % _STEP == 0:
                yield
            state, queued = self._clients.get(client), self._queued.get(client)
            if state is not None:
                state.activity.counts.expire(now)
                if state.activity.counts.empty:
                    self._heaviest.remove(client)
                    state = None
            if state is None and queued is not None:
                state = only_queued[client] = self._only_queued.get(client) or _Client(self._window)
            if state is not None:
                row = self._row(client, state, queued or Queued(), queue_known)
                if row is not None:
                    rows.append(row)
        self._only_queued = only_queued
        yield
        rows.sort(
            key=lambda row: (
                row.known,
                _ORDER[row.kind],
                -row.suspicion,
                -max(row.messages, row.queued or 0),
                -row.refused,
                row.client,
            )
        )
        self._order = [row.client for row in rows]
        yield
        return tuple(rows)

    def of(self, client: str) -> tuple[Activity, Queued]:
        """Return what is known of a client, and of its mail in the queue."""
        return (
            (self._clients.get(client) or _Client(self._window)).activity,
            self._queued.get(client) or Queued(),
        )

    def clients(self) -> Iterable[str]:
        """Return every client that is known."""
        return self._clients.keys() | self._queued.keys()

    def is_known(self, client: str) -> bool:
        address = address_of(client)
        return address is not None and any(address in network for network in self.known)

    def _row(self, client: str, state: _Client, queued: Queued, queue_known: bool) -> Relay | None:
        known = self.is_known(client)
        counted = state.activity.counts.changes, queued.changes
        made_of = (*counted, queue_known, known, self.untrusted.get(client), self.territory)
        if state.made_of != made_of:
            state.row, state.made_of = self._new_row(client, state, queued, known, queue_known), made_of
        return state.row

    def _new_row(self, client: str, state: _Client, queued: Queued, known: bool, queue_known: bool) -> Relay | None:
        counts = state.activity.counts
        recipients = self._elsewhere(state, "domain")
        # Of a message, its first domain may be ours after all, and another one not.
        messages = max(self._elsewhere(state, "to"), min(recipients, 1))
        accepted = messages or queued.messages
        if self.territory.is_own(client) or not (accepted or counts["refused"]):
            return None
        kind, entry = self._kind(client, state, bool(accepted))
        figures = replace(state.activity.figures(self._limits), messages=messages, recipients=recipients, relay=True)
        verdict = judge(queued.figures(figures, self._owner), self._limits)
        is_open = kind == "open"
        goes_on = self._goes_on(client) if is_open else None
        return Relay(
            client=client,
            name=state.name,
            kind=kind,
            network=entry,
            messages=messages,
            recipients=recipients,
            queued=queued.messages if queue_known else None,
            refused=counts["refused"],
            last_seen=max(state.activity.last_seen, state.refused),
            first_seen=state.activity.first_seen or state.refused,
            known=known,
            untrusted=goes_on is not None or (entry is not None and self.territory.lets_in(client) is None),
            envelope_senders=counts.distinct("sender"),
            reasons=(goes_on or _OPEN, *verdict.reasons) if is_open else verdict.reasons,
            suspicion=verdict.suspicion,
            suspected=not known and (is_open or verdict.suspected),
        )

    def _goes_on(self, client: str) -> str | None:
        """Return in words that a client was untrusted, where it was: whoever is still accepted after that is no slip.

        Postfix keeps to what mynetworks was as long as a connection lasts.
        """
        if client not in self.untrusted:
            return None
        _, when = self.untrusted[client]
        return f"untrusted {clock(when)}; its connection is still open, or another setting lets it in"

    def _elsewhere(self, state: _Client, kind: str) -> int:
        """Return the count of what still goes elsewhere."""
        counts = state.activity.counts
        return counts.others(kind) + sum(n for domain, n in counts.of(kind) if not self.territory.is_ours(domain))

    def _kind(self, client: str, state: _Client, accepted: bool) -> tuple[RelayKind, str | None]:
        """Return what the client is, and the entry that lets it in, or did when its mail was accepted."""
        entry = self.territory.lets_in(client)
        if entry is not None:
            return ("trusted" if accepted else "refused"), entry
        if not accepted:
            return "refused", None
        before = state.entry
        if before is None and client in self.untrusted:
            # The log is read with today's mynetworks; what let it in then is known from the journal.
            gone, when = self.untrusted[client]
            before = gone if state.accepted <= when else None
        if before is None:
            return "open", None
        return ("refused" if state.refused > state.accepted else "trusted"), before
