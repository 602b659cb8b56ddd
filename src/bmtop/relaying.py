"""What `bmtop untrust` and `bmtop known` do: settings and arguments in, words and an exit status out."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

from bmtop import response
from bmtop.checked import Client
from bmtop.commands import COULD_NOT, DONE, NOTHING, REFUSED, postfix_of
from bmtop.config import Settings
from bmtop.response.journal import Journal
from bmtop.response.known import KnownRelays, short
from bmtop.visible import visible

if TYPE_CHECKING:
    from bmtop.response.gate import Gate
    from bmtop.response.untrust import Change, Changed


def _gate(settings: Settings) -> tuple[Gate, Journal]:
    journal = Journal(settings.state)
    return response.gate.Gate(settings.state, journal, read_only=settings.read_only), journal


def untrust(
    settings: Settings, client: Client | None, *, take_back: bool, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Take `client` out of mynetworks; or take the newest untrust back, or that of `client`."""
    gate, journal = _gate(settings)
    if not dry_run:
        gate.refuse_read_only("untrust")
    postfix = postfix_of(settings)
    bluemind = response.account.bluemind_of(settings, postfix.server)
    untrusting = response.untrust.Untrust(postfix, bluemind, frozenset(settings.own_addresses))
    if take_back:
        change = untrusting.prepare_again(journal, client)
    elif client is not None:
        change = untrusting.prepare(client, journal)
    else:
        print("Name the address of the client to untrust.", file=sys.stderr)
        return REFUSED
    if dry_run:
        _say(response.untrust.Changed(change, True, "Nothing was done.", dry_run=True), as_json=as_json)
        return DONE
    if not yes and not _agreed(change):
        print("Nothing was done. Add --yes to act without being asked, or --dry-run to only look.", file=sys.stderr)
        return REFUSED
    changed = untrusting.apply(gate, change)
    _say(changed, as_json=as_json)
    return DONE if changed.ok else COULD_NOT


def _lines(change: Change) -> list[str]:
    where = "BlueMind's setting mynetworks" if change.through == "bluemind" else "mynetworks"
    if change.made:
        return [f"{where} has it already, by one that was cut off; what is left is to have Postfix read it."]
    lines = [f"{where} before:", f"  {change.before}", "after:", f"  {change.after or '(empty)'}"]
    for entry, instead in change.replaced:
        lines.append(f"{entry} is split into {len(instead)} ranges around it." if instead else f"{entry} is taken out.")
    return [visible(line) for line in lines]


def _agreed(change: Change) -> bool:
    """Ask on the terminal; no terminal is no consent."""
    if not sys.stdin.isatty():
        return False
    print("\n".join(_lines(change)), file=sys.stderr)
    question = f"Stop trusting {change.client}?" if change.of is None else f"Trust {change.client} again?"
    print(f"{question} Type 'yes' to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _say(changed: Changed, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(changed.as_dict(), indent=2))
        return
    change = changed.change
    if changed.dry_run:
        print("\n".join(_lines(change)))
    print(visible(changed.sentence))
    for note in changed.notes:
        print(visible(note))
    if changed.command:
        print(f"Ran: {visible(shlex.join(changed.command))}")
    if changed.ok and not changed.dry_run and change.of is None:
        print(f"To hold what it has queued: bmtop hold --without-login --client {change.client}")
        print(f"To trust it again: bmtop untrust --undo {change.client}")


def known(settings: Settings, client: str | None, *, forget: bool, as_json: bool) -> int:
    """Put a client or range on the list of known relays, or take it off; without one, print the list."""
    relays = KnownRelays(settings.state)
    if client is None:
        found = [short(network) for network in relays.read()]
        print(json.dumps(found, indent=2) if as_json else "\n".join(found) or "No relay is marked as known.")
        return DONE if found else NOTHING
    gate, _ = _gate(settings)
    print(relays.unmark(gate, client) if forget else relays.mark(gate, client))
    return DONE
