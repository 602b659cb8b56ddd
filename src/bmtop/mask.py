"""Whose an address is, hidden for a shared screen; and still each is told from the others."""

import re
from threading import Lock

_ATOM = r'[^\s<>@,;:=()\[\]"]'
# Quoted, or what stands between an `@` and the nearest character that ends it in a log line; and the domain. Nothing is
# tried from within a word, and no domain is read beyond the next `[`: a sender's longest line takes no longer a letter.
_LOCAL_PART = re.compile(rf'("[^"]*"|(?<!{_ATOM}){_ATOM}+)@(?=([\w.-]+|\[[^\s\[\]]*))')
# A whole word that is no part of an address.
_WORD = re.compile(rf"(?<!@)(?<!{_ATOM}){_ATOM}+(?!{_ATOM}|@)")
_HIDDEN = re.compile(r"•••(\d+|\+)?")
# So many names get a number; others are only hidden.
_MOST = 100_000


class Mask:
    """Hides local parts: the first one that it sees of a domain is `•••`, the next `•••2`, and so on.

    A name keeps its number as long as the mask lives; what is hidden stays as it is. Any thread may use it.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: dict[str, int] = {}
        # The logins without a domain that were hidden.
        self._alone: set[str] = set()
        self._numbering = Lock()

    def text(self, text: str) -> str:
        """Return `text` with the local part of every address hidden."""
        return _LOCAL_PART.sub(lambda found: f"{self._hidden(found[1], found[2])}@", text) if "@" in text else text

    def name(self, login: str) -> str:
        """Return a login hidden but for its domain; without one, all of it."""
        local, at, domain = login.rpartition("@")
        if at:
            return self._hidden(local, domain) + at + domain
        self._alone.add(login.lower())
        return self._hidden(login, "")

    def sentence(self, text: str) -> str:
        """Return `text` with every address hidden, and every word that is a login which `name` has hidden."""
        return _WORD.sub(self._word, self.text(text))

    def _word(self, found: re.Match[str]) -> str:
        word = found[0].rstrip(".'")
        return self._hidden(word, "") + found[0][len(word) :] if word.lower() in self._alone else found[0]

    def _hidden(self, local: str, domain: str) -> str:
        if _HIDDEN.fullmatch(local):
            return local
        domain = domain.rstrip(".").lower()
        name = domain, local.lower()
        with self._numbering:
            number = self._numbers.get(name)
            if number is None:
                if len(self._numbers) >= _MOST:
                    return "•••+"
                number = self._numbers[name] = self._last[domain] = self._last.get(domain, 0) + 1
        return "•••" if number == 1 else f"•••{number}"
