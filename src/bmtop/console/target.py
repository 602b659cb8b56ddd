"""What an action is about: a login, or a client."""

from dataclasses import dataclass

from bmtop.checked import Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.selection import Filter, network


@dataclass(frozen=True, slots=True)
class Target:
    """A `login` with every form of its account, or a `client`, with the `logins` it is known to have got in with.

    A client without such logins is meant as a relay: what others send from its address with a login is not its.
    """

    login: str | None = None
    client: str | None = None
    logins: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.login or self.client or ""

    @property
    def without_login(self) -> bool:
        """Whether only mail that came without a login is meant."""
        return self.login is None and not self.logins

    @property
    def filter(self) -> Filter:
        """What it has in the queue; raises `Refused` where the client is no address."""
        if self.login is not None:
            return Filter(login=self.login)
        return Filter(clients=(network(self.client or ""),), without_login=self.without_login)

    def the_login(self, accounts: Accounts) -> str:
        """Return the one login that is meant; raises `Refused` where there is none, or more than one."""
        if self.login is not None:
            return self.login
        found = sorted({accounts.account(login) for login in self.logins})
        if len(found) == 1:
            return found[0]
        if found:
            raise Refused(f"{self.name} got in with {len(found)} logins; choose one of them among the senders.")
        raise Refused(f"{self.name} is a client without a login; choose a login among the senders.")

    def words(self) -> tuple[str, ...]:
        """Return the names of all that it is about."""
        return tuple(dict.fromkeys(filter(None, (self.login, self.client, *self.logins))))

    def in_log(self) -> tuple[str, ...]:
        """Return what a log line about it names: the login in every form, or the client alone."""
        # The logins that it got in with are used from elsewhere, too.
        return self.words() if self.login is not None else (self.name,)
