"""Taking one client out of mynetworks, and putting the old value back.

A client inside a range splits the range into those around it. An exclusion with `!` is never written: BlueMind
would strip the `!`, and trust what was to be left out.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

from bmtop.checked import Client, Refused
from bmtop.incident.selection import Network
from bmtop.incident.territory import Address, address_of
from bmtop.postfix import networks
from bmtop.postfix.instance import Postfix
from bmtop.response import untrusts
from bmtop.response.gate import Gate, Step
from bmtop.response.journal import Entry, Journal
from bmtop.response.untrusts import TRUST_AGAIN, UNTRUST, Through
from bmtop.server import CommandFailed

if TYPE_CHECKING:
    from bmtop.bluemind.bluemind import BlueMind

# BlueMind passes its setting on to Postfix in the background.
_PASSED_ON = 30.0
_LOOK_AGAIN = 0.5


class NotTrusted(Refused):
    """No address or range of mynetworks lets this client in."""


@dataclass(frozen=True)
class Change:
    """mynetworks `before` and `after`, set `through` BlueMind or Postfix.

    `replaced` has each entry that let the client in, with what stands in its place. Without `explicit`,
    main.cf did not set mynetworks, and `before` is Postfix's default. `of` is the number of the journal's
    entry that this takes back. `made` tells that mynetworks has it already, by one that was cut off: what is left
    is to have Postfix read it.
    """

    client: Client
    before: str
    after: str
    replaced: tuple[tuple[str, tuple[str, ...]], ...] = ()
    through: Through = "postfix"
    explicit: bool = True
    of: str | None = None
    made: bool = False


@dataclass(frozen=True)
class Changed:
    """What came of a change: `ok` where Postfix itself was seen to have it. `now` is its mynetworks then."""

    change: Change
    ok: bool
    sentence: str
    now: str = ""
    command: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `bmtop untrust --json` prints."""
        change = self.change
        return {
            "action": UNTRUST if change.of is None else TRUST_AGAIN,
            "dry_run": self.dry_run,
            "client": str(change.client),
            "through": change.through,
            "before": change.before,
            "after": change.after,
            "replaced": {entry: list(instead) for entry, instead in change.replaced},
            "done": self.ok and not self.dry_run,
            "sentence": self.sentence,
            "notes": list(self.notes),
            "command": list(self.command),
        }


def plan(mynetworks: str, client: Client) -> Change:
    """Return `mynetworks` without `client`: each range that holds it is split into those around it.

    The order is kept. Files, tables and references to other parameters stay as they are. Raises `NotTrusted`
    where no address or range of it lets the client in.
    """
    address = address_of(client)
    assert address is not None
    after: list[str] = []
    replaced: list[tuple[str, tuple[str, ...]]] = []
    for entry in networks.entries(mynetworks):
        network = _network(entry.lstrip("!"))
        if network is None or address not in network:
            after.append(entry)
        elif entry.startswith("!"):
            if not replaced:
                raise NotTrusted(f"mynetworks excludes {client} already, by its entry {entry}; it trusts it nowhere.")
            after.append(entry)
        else:
            instead = _around(network, address)
            replaced.append((entry, instead))
            after.extend(instead)
    if not replaced:
        raise NotTrusted(_not_trusted(mynetworks, client))
    return Change(client, mynetworks, ", ".join(after), tuple(replaced))


def _network(entry: str) -> Network | None:
    try:
        # BlueMind may show an IPv6 range without the brackets that Postfix wants.
        bare = entry.count(":") > 1 and not entry.startswith("[")
        return ip_network(entry) if bare else networks.parse_network(entry)
    except ValueError:
        return None


def _around(network: Network, address: Address) -> tuple[str, ...]:
    """Return the ranges that are left of `network`, in order."""
    if network.num_addresses == 1:
        return ()
    if isinstance(network, IPv4Network):
        return tuple(map(_written, sorted(network.address_exclude(IPv4Network(address)))))
    return tuple(map(_written, sorted(network.address_exclude(IPv6Network(address)))))


def _written(network: Network) -> str:
    """Return a network as mynetworks has it: IPv6 in brackets, a single address without its prefix."""
    address = str(network.network_address)
    prefix = "" if network.num_addresses == 1 else f"/{network.prefixlen}"
    return f"[{address}]{prefix}" if network.version == 6 else f"{address}{prefix}"


def _not_trusted(mynetworks: str, client: Client) -> str:
    elsewhere = _elsewhere(mynetworks)
    if not elsewhere:
        return f"No entry of mynetworks lets {client} in; see why the server takes its mail."
    return f"No address or range of mynetworks lets {client} in; see whether {', '.join(elsewhere)[:200]} does."


class Untrust:
    """Untrusting on one server. All block, and raise `Refused` or `CommandFailed`.

    `own` are addresses of the same installation beside this machine's.
    """

    def __init__(self, postfix: Postfix, bluemind: "BlueMind | None", own: frozenset[str] = frozenset()) -> None:
        self._postfix = postfix
        self._bluemind = bluemind if bluemind is not None and bluemind.present() else None
        self._own = own

    def prepare(self, client: Client, journal: Journal) -> Change:
        """Return what would be changed, nothing being changed yet; or what is left of an untrust that was cut off.

        Raises `Refused` for the server's own addresses, and where something would go on to let the client in.
        """
        if networks.territory(self._postfix, self._own).is_own(client):
            raise Refused(f"{client} is an address of this mail server itself, which must stay trusted.")
        try:
            change = self._plan(client)
        except NotTrusted:
            entry = untrusts.cut_off(journal, client)
            if entry is None or self._lets_in(client) is not None:
                raise
            return _made(journal, entry)
        self._refuse_left(change)
        return change

    def _refuse_left(self, change: Change) -> None:
        """Raise `Refused` where what stands elsewhere would go on to let the client in."""
        if change.through == "bluemind":
            return
        left = networks.trusted(self._postfix, self._expanded(change.after), change.client)
        if left is not None:
            raise Refused(_stands_elsewhere(change.after, change.client, left))

    def _plan(self, client: Client) -> Change:
        if self._bluemind is not None:
            # Where BlueMind's setting has nothing of it, somebody set it in Postfix by hand.
            with suppress(NotTrusted):
                return replace(plan(self._bluemind.mynetworks(), client), through="bluemind")
        raw = self._raw()
        try:
            found = plan(raw, client)
        except NotTrusted:
            entry = networks.trusted(self._postfix, self._expanded(raw), client)
            if entry is None:
                raise
            raise NotTrusted(_stands_elsewhere(raw, client, entry)) from None
        return replace(found, explicit=bool(self._say("-n", "mynetworks").strip()))

    def apply(self, gate: Gate, change: Change) -> Changed:
        """Make the change, and see whether Postfix has it. Raises `Refused` where mynetworks is another by now."""
        record = {
            "before": change.before,
            "after": change.after,
            "through": change.through,
            "explicit": change.explicit,
            "entry": change.replaced[0][0] if change.replaced else None,
            "of": change.of,
        }
        action = UNTRUST if change.of is None else TRUST_AGAIN
        with gate.action(action, change.client, filter=record) as step:
            now = self._setting(change.through)
            if self._is_made(change, now):
                command, notes = self._reload(step)
            elif networks.entries(now) != networks.entries(change.before):
                raise Refused(f"mynetworks was changed meanwhile, to {now!a}; look again, then do it anew.")
            elif change.through == "bluemind":
                command, notes = self._through_bluemind(change, step)
            else:
                command, notes = self._through_postfix(change, step)
            step.ok, step.sentence = self._seen(change)
            raw, notes = self._raw(), (*notes, *self._notes(change))
        return Changed(change, step.ok, step.sentence, raw, command, (*notes, *step.unwritten))

    def _is_made(self, change: Change, now: str) -> bool:
        """Tell whether the setting has the change, whatever else was changed since."""
        if change.of is not None:
            return networks.entries(now) == networks.entries(change.after)
        try:
            plan(now, change.client)
        except NotTrusted:
            return self._lets_in(change.client) is None
        return False

    def _reload(self, step: Step) -> tuple[tuple[str, ...], tuple[str, ...]]:
        result = step.ran(self._postfix.run("postfix", "reload"))
        return result.check("mynetworks is changed in main.cf; reload Postfix.").command, ()

    def _through_postfix(self, change: Change, step: Step) -> tuple[tuple[str, ...], tuple[str, ...]]:
        arguments = ("-e", f"mynetworks={change.after}") if change.explicit or not change.of else ("-X", "mynetworks")
        result = step.ran(self._postfix.run("postconf", *arguments)).check("Run `sudo bmtop`.")
        self._postfix.run("postfix", "reload").check("mynetworks is changed in main.cf; reload Postfix.")
        return result.command, ()

    def _through_bluemind(self, change: Change, step: Step) -> tuple[tuple[str, ...], tuple[str, ...]]:
        assert self._bluemind is not None
        answer = self._bluemind.set_mynetworks(change.after)
        step.details["command"] = list(answer.command)
        step.details["status"] = answer.status
        if not answer.ok:
            raise CommandFailed(answer.sentence)
        # BlueMind may have added to it; taking it back starts from what it has now.
        step.details["filter"] = {"after": self._bluemind.mynetworks()}
        return answer.command, answer.notes

    def _seen(self, change: Change) -> tuple[bool, str]:
        """Read back from Postfix whether it has the change, and say so."""
        wanted = change.of is not None
        until = time.monotonic() + (_PASSED_ON if change.through == "bluemind" else 0.0)
        entry = self._lets_in(change.client)
        while (entry is not None) != wanted and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN)
            entry = self._lets_in(change.client)
        match entry, wanted:
            case None, True:
                return False, f"Postfix does not trust {change.client} again; look at mynetworks."
            case None, False:
                return True, f"Postfix trusts {change.client} no more."
            case _, True:
                return True, f"Postfix trusts {change.client} again, by {entry}."
            case _:
                return False, f"Postfix still trusts {change.client}, by {entry}; look at mynetworks, and try again."

    def _notes(self, change: Change) -> tuple[str, ...]:
        """Return what is left to be known: services with a mynetworks of their own, connections that are open."""
        if change.of is not None:
            return ()
        found = []
        for line in self._say("-P", "*/inet/mynetworks").splitlines():
            service, _, value = line.partition("=")
            with suppress(CommandFailed):
                if networks.trusted(self._postfix, value.strip(), change.client) is not None:
                    name = service.strip().removesuffix("/mynetworks")
                    found.append(
                        f"master.cf has a mynetworks of its own for {name}, which still trusts {change.client}."
                    )
        found.append("A connection that it has open goes on until it ends, and what it has queued is still sent.")
        return tuple(found)

    # Taking it back

    def prepare_again(self, journal: Journal, client: Client | None = None) -> Change:
        """Return what takes back the newest untrust, or that of `client`.

        Raises `Refused` where there is none, and where later ones must be taken back first.
        """
        for entry in reversed(untrusts.standing(journal)):
            if client is None or entry.target == client:
                back = _back(journal, entry)
                now = self._setting(back.through)
                self._refuse_later(journal, entry, now)
                return replace(back, made=networks.entries(now) == networks.entries(back.after))
        if journal.problem:
            raise Refused(journal.problem)
        whom = f"Nothing was done to {client}" if client else "No client was untrusted"
        raise Refused(f"{whom} that could be taken back; see the journal.")

    def _refuse_later(self, journal: Journal, entry: Entry, now: str) -> None:
        """Raise `Refused` where other untrusts led from what this one left to what mynetworks is `now`."""
        later = untrusts.later(journal, entry, now)
        if later:
            were, those = ("was", "that") if len(later) == 1 else ("were", "those")
            first = ", then ".join(f"`bmtop untrust {client} --undo`" for client in later)
            clients = " and ".join(reversed(later))
            raise Refused(f"{clients} {were} untrusted after {entry.target}; take {those} back first: {first}.")

    # What Postfix and BlueMind say

    def _setting(self, through: Through) -> str:
        """Return mynetworks as BlueMind has it, or as main.cf does."""
        if through == "postfix":
            return self._raw()
        if self._bluemind is None:
            raise Refused("It was done through BlueMind, which is not to be found here now; set mynetworks there.")
        return self._bluemind.mynetworks()

    def _say(self, *arguments: str) -> str:
        return self._postfix.query("postconf", *arguments).out.decode("utf-8", "replace")

    def _raw(self) -> str:
        """Return mynetworks as it is set, references to other parameters included."""
        result = self._postfix.query("postconf", "-h", "mynetworks").check("See whether --postfix is right.")
        return result.out.decode("utf-8", "replace").strip()

    def _lets_in(self, client: Client) -> str | None:
        return networks.trusted(self._postfix, self._postfix.settings("mynetworks")["mynetworks"], client)

    def _expanded(self, mynetworks: str) -> str:
        """Return a value of mynetworks as Postfix would expand it."""
        if "$" not in mynetworks:
            return mynetworks
        result = self._postfix.query("postconf", "-x", "-h", "-o", f"mynetworks={mynetworks}", "mynetworks")
        return result.check("See whether --postfix is right.").out.decode("utf-8", "replace").strip()


def _elsewhere(mynetworks: str) -> list[str]:
    return [entry for entry in networks.entries(mynetworks) if networks.is_elsewhere(entry.lstrip("!")) or "$" in entry]


def _stands_elsewhere(mynetworks: str, client: Client, entry: str) -> str:
    if networks.is_elsewhere(entry):
        return f"{client} is let in by {entry}: take it out there (postmap indexes a table again), and reload Postfix."
    where = ", ".join(_elsewhere(mynetworks))
    return f"{client} is let in by {entry}, which mynetworks has from {where}: take it out there, and reload Postfix."


def _back(journal: Journal, begun: Entry) -> Change:
    """Return what takes an untrust back."""
    before, after = untrusts.before(begun), untrusts.after(journal, begun)
    explicit = begun.filter.get("explicit") is not False
    return Change(Client(begun.target), after, before, (), untrusts.through(begun), explicit, begun.number)


def _made(journal: Journal, begun: Entry) -> Change:
    """Return an untrust that was cut off, as it was meant. Raises `NotTrusted` where its record makes no sense."""
    back = _back(journal, begun)
    meant = plan(back.after, back.client)
    return replace(meant, after=back.before, through=back.through, explicit=back.explicit, made=True)
