"""The filters of a message list, typed into small fields: read here, strictly."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Grid, Horizontal
from textual.message import Message as Event
from textual.widgets import Input, Label

from bmtop.checked import Refused
from bmtop.console.text import content
from bmtop.incident.picture import QUEUES
from bmtop.incident.selection import Filter, Network, network
from bmtop.spans import moment

NAMES = ("login", "client", "not client", "sender", "recipient", "subject", "since", "before", "queue")


def narrowed(typed: Mapping[str, str], now: float) -> Filter:
    """Return the filter that the fields mean; raises `Refused` where one cannot be read."""
    given = {name: text.strip() for name, text in typed.items() if text.strip()}
    if given.get("queue", "active") not in QUEUES:
        raise Refused(f"{given['queue'][:40]!a} is no queue; it is one of {', '.join(QUEUES)}.")
    return Filter(
        login=given.get("login"),
        clients=_networks(given.get("client", "")),
        not_clients=_networks(given.get("not client", "")),
        sender=given.get("sender"),
        recipient=given.get("recipient"),
        subject=given.get("subject"),
        since=moment(given["since"], now) if "since" in given else None,
        before=moment(given["before"], now) if "before" in given else None,
        queue=given.get("queue"),
    )


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(network(one) for one in re.split(r"[,\s]+", text) if one)


def merged(base: Filter, narrowing: Filter) -> Filter:
    """Return `base` with what `narrowing` sets besides."""
    names = ("login", "clients", "not_clients", "sender", "recipient", "subject", "since", "before", "queue")
    return replace(base, **{n: getattr(narrowing, n) for n in names if getattr(narrowing, n) not in (None, ())})


class Narrowing(Grid):
    """The fields. Says so whenever one of them changed."""

    class Changed(Event):
        """Another text stands in one of them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="narrowing")
        self._names = names

    def compose(self) -> ComposeResult:
        for name in self._names:
            field = Input(compact=True, id=name.replace(" ", "-"))
            yield Horizontal(Label(content(self, name)), field, classes="field")

    @property
    def typed(self) -> Mapping[str, str]:
        """What stands in the fields now."""
        return {name: self.query_one(f"#{name.replace(' ', '-')}", Input).value for name in self._names}

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())
