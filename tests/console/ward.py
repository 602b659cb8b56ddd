"""The acting side's part in containment: the real runbook, on hands that do what they are told."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from bmtop.checked import Client, Login, QueueId, Refused
from bmtop.incident.accounts import Accounts
from bmtop.incident.message import Message
from bmtop.incident.selection import Filter, Network, network
from bmtop.incident.watch import Verdict
from bmtop.response.connections import Connections
from bmtop.response.keep import KeepHolding
from bmtop.response.plan import Done
from bmtop.response.runbook import Runbook
from bmtop.response.untrust import Change, Changed, NotTrusted
from bmtop.response.watch import Lookout, Settled

QUIET = Verdict("watching", ("Quiet for 5 s.",))


class Keep(KeepHolding):
    """Holds what is put into `comes_in`."""

    def __init__(self, target: str, wanted: Filter) -> None:
        self.target = target
        self.wanted = wanted
        self.held = []
        self.missed = 0
        self.problem = ""
        self.notes = ()
        self.on = False
        self.comes_in: list[QueueId] = []

    def begin(self) -> None:
        self.on = True

    def tick(self) -> int:
        self.held += self.comes_in
        self.comes_in = []
        return 0

    def end(self) -> Done:
        self.on = False
        return Done("stop holding", self.target, True, self.sentence)


class Watcher(Lookout):
    """Says what it is given to say."""

    def __init__(self) -> None:
        self.on = False
        self.blind = ""
        self.says = QUIET
        self.told: list[str] = []

    @property
    def problem(self) -> str:
        return self.blind

    def begin(self) -> None:
        self.on = True

    def settled(self, step: str, how: Settled) -> None:
        self.told.append({"left out": f"without {step}", "taken back": f"no more {step}"}.get(str(how), step))

    def look_at_clock(self) -> None:
        """What it says depends on no clock."""

    def tick(self) -> Verdict:
        return self.says


class Ward:
    """What containment takes. `refused` has a sentence for a step that is to fail; `trusted` is mynetworks."""

    def __init__(self) -> None:
        self.accounts = Accounts("example.com")
        self.keeps: list[Keep] = []
        self.watcher = Watcher()
        self.steps: list[str] = []
        self.refused: dict[str, str] = {}
        self.trusted = "127.0.0.0/8, 192.0.2.0/30"
        self.untrusted: list[str] = []
        self.known: list[str] = []
        self.noted: list[str] = []

    def _did(self, step: str, target: str) -> Done:
        if step in self.refused:
            raise Refused(self.refused[step])
        self.steps.append(step)
        return Done(step, target, True, f"{step} was done.", ("run", step))

    # The runbook, and what it asks for

    def runbook(
        self,
        messages: Callable[[], Iterable[Message]],
        *,
        login: str | None = None,
        client: Client | None = None,
        keep: KeepHolding | None = None,
        clock: Callable[[], float],
    ) -> Runbook:
        return Runbook(cast(Any, self), messages, self._untrust, login=login, client=client, keep=keep, clock=clock)

    def keep_holding(self, wanted: Filter) -> KeepHolding:
        self.keeps.append(Keep(wanted.login or ", ".join(map(str, wanted.clients)), wanted))
        return self.keeps[-1]

    def connections(self) -> Connections:
        return cast(Connections, None)

    def lookout(self, *given: object) -> Lookout:
        return self.watcher

    def cache_command(self, login: str) -> tuple[str, ...]:
        return ("systemctl", "restart", "bm-ysnp")

    def planned(self, action: str, login: Login) -> tuple[str, ...]:
        return ("bm-cli", "user", action, login)

    def empty_cache(self, login: str) -> Done:
        return self._did("cache", login)

    def suspend(self, login: Login) -> Done:
        return self._did("suspend", login)

    def reactivate(self, login: Login) -> Done:
        return self._did("reactivate", login)

    def end_connections(self, wanted: Filter, connections: Connections | None = None) -> Done:
        return self._did("connections", wanted.login or str(wanted.clients))

    def note(self, action: str, target: str, sentence: str, *, ok: bool) -> None:
        self.noted.append(sentence)

    # Trust

    def prepare_untrust(self, client: Client) -> Change:
        if client in self.untrusted:
            raise NotTrusted(f"No entry of mynetworks lets {client} in.")
        return Change(client, self.trusted, "127.0.0.0/8, 192.0.2.0/31", (("192.0.2.0/30", ("192.0.2.0/31",)),))

    def prepare_trust_again(self, client: Client) -> Change:
        if client not in self.untrusted:
            raise Refused(f"Nothing was done to {client} that could be taken back; see the journal.")
        return Change(client, "127.0.0.0/8, 192.0.2.0/31", self.trusted, of="1")

    def change_trust(self, change: Change) -> Changed:
        if change.of is None:
            self.untrusted.append(change.client)
            return Changed(change, True, f"Postfix trusts {change.client} no more.", command=("postconf", "-e"))
        self.untrusted.remove(change.client)
        return Changed(change, True, f"Postfix trusts {change.client} again.", command=("postconf", "-e"))

    def _untrust(self, client: Client) -> Changed:
        return self.change_trust(self.prepare_untrust(client))

    def known_relays(self) -> Sequence[Network]:
        return [network(client) for client in self.known]

    def mark_known(self, client: Client) -> str:
        self.known.append(client)
        return f"{client} is known as an honest relay now."

    def unmark_known(self, client: Client) -> str:
        self.known.remove(client)
        return f"{client} is no known relay any more."


def alarm(*missing: str) -> Verdict:
    """Return the verdict that these steps are missing."""
    sentences: Sequence[str] = [f"Still sending 40 s after the new password, for lack of {step}." for step in missing]
    return Verdict("alarm", tuple(sentences), missing, ("New password: 12:00:00",))
