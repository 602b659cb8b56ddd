"""Failed logins: which client tried which names, and whether it got in."""

from bmtop.incident.picture import FailedLogin
from bmtop.incident.window import WindowCounts


class _Client:
    __slots__ = ("counts", "last_seen", "name", "succeeded")

    def __init__(self, window: float) -> None:
        self.counts = WindowCounts(window)
        self.name = "unknown"
        self.last_seen = 0.0
        self.succeeded: dict[str, float] = {}


class BreakIns:
    """Every client that failed to log in."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._clients: dict[str, _Client] = {}

    def failed(self, time: float, client: str, name: str, login: str | None) -> None:
        """A login failed; `login` is None where Postfix did not say which."""
        found = self._clients.get(client)
        if found is None:
            found = self._clients[client] = _Client(self._window)
        if name != "unknown":
            found.name = name
        found.counts.add(time, "failures")
        found.counts.add(time, ("login", "" if login is None else login))
        found.last_seen = max(found.last_seen, time)

    def accepted(self, time: float, client: str, login: str) -> None:
        """A client sent with a login; it got in if it had failed before."""
        found = self._clients.get(client)
        if found is not None:
            found.succeeded.setdefault(login, time)

    def read(self, now: float) -> tuple[FailedLogin, ...]:
        """Return the rows: those that got in first, then by failures."""
        rows = []
        for client, state in list(self._clients.items()):
            state.counts.expire(now)
            if not state.counts["failures"]:
                del self._clients[client]
                continue
            rows.append(
                FailedLogin(
                    client=client,
                    name=state.name,
                    logins=tuple(state.counts.of("login")),
                    failures=state.counts["failures"],
                    succeeded=tuple(state.succeeded),
                    last_seen=state.last_seen,
                )
            )
        rows.sort(key=lambda row: (not row.succeeded, -row.failures, row.client))
        return tuple(rows)
