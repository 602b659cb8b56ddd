"""What the journal tells of untrusts: which stand, which was cut off, and which led on from one."""

from typing import Literal

from bmtop.checked import Client
from bmtop.postfix.networks import entries
from bmtop.response.journal import Entry, Journal

Through = Literal["bluemind", "postfix"]

UNTRUST, TRUST_AGAIN = "untrust", "trust again"
LOOKED_BACK = 100_000


def standing(journal: Journal) -> list[Entry]:
    """Return the beginning of every untrust that was not taken back, oldest first; one that was cut off, too.

    The newest alone of each client and way: it was done again where the one before was cut off.
    """
    found = journal.entries(LOOKED_BACK)
    begun = {entry.number: entry for entry in found if entry.state == "begun"}
    back = {e.number for e in found if e.action == TRUST_AGAIN and e.state == "done"}
    gone = {str(begun[number].filter.get("of")) for number in back if number in begun}
    # What ran no command has changed nothing.
    idle = {e.number for e in found if e.state == "failed" and not e.command}
    made = [entry for entry in begun.values() if entry.action == UNTRUST and entry.number not in idle]
    newest = {(entry.target, through(entry)): entry.number for entry in made}
    return [entry for entry in made if entry.number in newest.values() and entry.number not in gone]


def untrusted(journal: Journal) -> dict[str, tuple[str, float]]:
    """Return each client that is untrusted now, with the entry that had let it in, and the moment it went."""
    ended = {entry.number: entry.time for entry in journal.entries(LOOKED_BACK)}
    return {entry.target: (str(entry.filter.get("entry")), ended[entry.number]) for entry in standing(journal)}


def cut_off(journal: Journal, client: Client) -> Entry | None:
    """Return the newest untrust of `client` that was not seen to its end."""
    done = {entry.number for entry in journal.entries(LOOKED_BACK) if entry.state == "done"}
    found = [entry for entry in standing(journal) if entry.target == client and entry.number not in done]
    return found[-1] if found else None


def later(journal: Journal, entry: Entry, now: str) -> list[str]:
    """Return whom the untrusts took out that led from `entry` to mynetworks as it is `now`, newest first.

    Empty where something else changed it.
    """
    names: list[str] = []
    left, value = standing(journal), entries(after(journal, entry))
    while value != entries(now):
        found = next((e for e in left if through(e) == through(entry) and entries(before(e)) == value), None)
        if found is None:
            return []
        left.remove(found)
        names.insert(0, found.target)
        value = entries(after(journal, found))
    return names


def through(begun: Entry) -> Through:
    return "bluemind" if begun.filter.get("through") == "bluemind" else "postfix"


def before(begun: Entry) -> str:
    return str(begun.filter.get("before", ""))


def after(journal: Journal, begun: Entry) -> str:
    """Return the value that an untrust left: BlueMind's own word where it gave one."""
    said = [
        str(e.filter["after"]) for e in journal.entries(LOOKED_BACK) if e.number == begun.number and "after" in e.filter
    ]
    return said[-1] if said else ""
