"""Which logins are one person's account, by the rules that the settings name."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accounts:
    """`default_domain` is meant where a login has no domain; `aliases` maps a domain to the one it stands for."""

    default_domain: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)

    def account(self, login: str) -> str:
        """Return the account that `login` belongs to; a login that is no plain address stands for itself."""
        if not login or login.count("@") > 1:
            return login
        local, at, domain = login.lower().partition("@")
        if not at:
            domain = self.default_domain.lower()
            return f"{local}@{domain}" if domain else local
        return f"{local}@{self.aliases.get(domain, domain)}"

    def same(self, login: str, other: str) -> bool:
        """Tell whether both are forms of one account."""
        return self.account(login) == self.account(other)
