"""Which logins are one person's account, by the rules that the settings name.

Nothing is guessed: without a `default_domain`, `alice` is not taken for `alice@example.com`, even where the
server has a single domain, since joining two people's logins would accuse one of what the other did.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field

# Only ASCII letters: elsewhere two different characters may share a lower case (the Kelvin sign's is `k`).
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def lower(text: str) -> str:
    """Return `text` with its ASCII letters in lower case."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


@dataclass(frozen=True, slots=True)
class Accounts:
    """`default_domain` is meant where a login has no domain; `aliases` maps a domain to the one it stands for."""

    default_domain: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    def account(self, login: str) -> str:
        """Return the account that `login` belongs to; a login that is no plain name or address stands for itself."""
        local, at, domain = lower(login).partition("@")
        if "@" in domain or not local or (at and not domain):
            return login
        if not at:
            domain = lower(self.default_domain)
        return f"{local}@{self.aliases.get(domain, domain)}" if domain else local

    def same(self, login: str, other: str) -> bool:
        """Tell whether both are forms of one account."""
        return self.account(login) == self.account(other)

    def is_own(self, account: str, sender: str) -> bool:
        """Tell whether the envelope sender is this account's own address, `+detail` (RFC 5233) or not.

        An account without a domain has its name at any domain; whether that is ours, others must tell.
        """
        local, _, domain = self.account(sender).rpartition("@")
        own, at, own_domain = account.rpartition("@")
        if not at:
            own, own_domain = account, domain
        return domain == own_domain and own in (local, local.partition("+")[0])
