"""Sessions of BlueMind's core (webmail, EAS, …), as bm-cli and the REST service both list them."""

from dataclasses import dataclass
from typing import Any

from bmtop.server import CommandFailed
from bmtop.visible import visible


class CannotList(CommandFailed):
    """This BlueMind is from before April 2023, and cannot list sessions."""

    def __init__(self) -> None:
        super().__init__("This BlueMind is too old to list sessions; see the web console for who is logged in.")


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `created` is in seconds since 1970; `email` is the account's main address, never an alias."""

    created: float
    email: str
    domain_uid: str
    user_uid: str
    origin: str
    addresses: tuple[str, ...]


def read_sessions(listing: Any) -> tuple[Session, ...]:
    """Return the sessions in BlueMind's JSON, oldest first; raises `CommandFailed` where it is something else."""
    try:
        return tuple(sorted((_session(entry) for entry in listing or ()), key=lambda session: session.created))
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise CommandFailed("BlueMind's list of sessions is not in the form that bmtop knows.") from None


def _session(entry: Any) -> Session:
    def text(name: str) -> str:
        # An account that was deleted meanwhile has no address.
        return visible(str(entry.get(name) or ""))

    return Session(
        created=float(entry.get("created") or 0) / 1000,
        email=text("email"),
        domain_uid=text("domainUid"),
        user_uid=text("userUid"),
        origin=text("origin"),
        addresses=tuple(visible(str(address)) for address in entry.get("remoteAddresses") or ()),
    )
