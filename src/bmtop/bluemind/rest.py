"""What is asked of BlueMind's REST service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmtop.bluemind.passwords import Password
from bmtop.bluemind.service import NoSuchCall, Reply, Service
from bmtop.bluemind.session import CannotList, Session, read_sessions
from bmtop.checked import Login
from bmtop.server import CommandFailed
from bmtop.visible import visible


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account as BlueMind names it: the uids of its domain and its own, and its bare login."""

    domain: str
    uid: str
    login: str


class Rest:
    """The calls, each with the key's rights. All raise what `Service.call` raises, and block."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def account(self, login: Login) -> Account:
        """Return the account that `login` logs in to; found in the way that BlueMind's own authentication does."""
        local, _, name = login.partition("@")
        # An unknown domain or user is no error for BlueMind: the answer is empty, or null.
        domain = self.service.call("GET", "domains", "_lookup", query={"name": name}).value
        if not domain:
            raise CommandFailed(f"BlueMind knows no domain {name}; see whose {login} is.")
        domain_uid = _text(domain, "uid")
        user = None
        if name == domain_uid:
            user = self.service.call("GET", "users", domain_uid, "byLogin", local).value
        if not user:
            user = self.service.call("GET", "users", domain_uid, "byEmail", login).value
        if not user:
            raise CommandFailed(f"BlueMind knows no account {login}; there is no such user.")
        return Account(domain_uid, _text(user, "uid"), _text(user, "value", "login"))

    def set_password(self, account: Account, password: str) -> Reply:
        """Set the account's password; raises `Refused` for one that BlueMind would take for something else."""
        body = {"currentPassword": None, "newPassword": Password(password)}
        return self.service.call("POST", "users", account.domain, account.uid, "password_", body=body)

    def sessions(self, account: Account) -> tuple[Session, ...]:
        """Return the account's sessions; raises `CannotList` where BlueMind is too old."""
        try:
            listing = self.service.call("GET", "sessionsmgmt", "list", query={"domain": account.domain}).value
        except NoSuchCall:
            raise CannotList from None
        return tuple(session for session in read_sessions(listing) if session.user_uid == account.uid)

    def logout(self, account: Account, *, can_list: bool) -> Reply:
        """End the account's sessions. A BlueMind that cannot list sessions wants the login instead of the uid."""
        name = account.uid if can_list else f"{account.login}@{account.domain}"
        return self.service.call("DELETE", "sessionsmgmt", name, "logout")

    def is_archived(self, account: Account) -> bool:
        """Tell whether the account is suspended."""
        return bool(self._complete(account).get("archived"))

    def set_archived(self, account: Account, archived: bool) -> Reply:
        """Suspend the account, or let it in again. The rest of it is sent back as it was."""
        user = {**self._complete(account), "archived": archived}
        return self.service.call("POST", "users", account.domain, account.uid, body=user)

    def mynetworks(self) -> str:
        """Return BlueMind's setting of the trusted networks, empty where it is not set."""
        values = _field(self.service.call("GET", "configuration").value, "values")
        return visible(str(_mapping(values).get("mynetworks") or ""))

    def set_mynetworks(self, text: str) -> Reply:
        """Set the trusted networks; BlueMind writes them to Postfix, and reloads it."""
        return self.service.call("POST", "configuration", body={"mynetworks": text})

    def _complete(self, account: Account) -> Mapping[str, Any]:
        user = self.service.call("GET", "users", account.domain, account.uid, "complete").value
        if not user:
            raise CommandFailed(f"The account {account.login} is gone; it was deleted meanwhile.")
        return _mapping(_field(user, "value"))


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CommandFailed("BlueMind's answer is not in the form that bmtop knows; do it in the web console.")
    return value


def _field(value: Any, name: str) -> Any:
    return _mapping(value).get(name)


def _text(value: Any, *names: str) -> str:
    for name in names:
        value = _field(value, name)
    if not isinstance(value, str) or not value:
        raise CommandFailed("BlueMind's answer is not in the form that bmtop knows; do it in the web console.")
    return value
