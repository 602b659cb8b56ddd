"""What bmtop makes of a kind, held against the truth."""

from collections import Counter
from dataclasses import dataclass

from bmtop.incident.picture import Picture, Relay, Sender
from tests.mailserver import Postfix

from .kinds import Kind
from .stage import Truth, stage


@dataclass(frozen=True)
class Outcome:
    """A kind as it was played, and as bmtop sees it."""

    kind: Kind
    truth: Truth
    picture: Picture
    sent: Counter[str]
    """How many messages the server took from each login, as it was typed."""

    @property
    def wanted(self) -> int:
        """How many logins and relays are guilty."""
        return len(self.truth.guilty) + len(self.truth.guilty_relays)

    @property
    def hits(self) -> set[str]:
        """The guilty who are suspected, and stand above everybody who is not guilty."""
        logins = [row.login for row in self.picture.senders[: len(self.truth.guilty)] if row.suspected]
        relays = [row.client for row in self.picture.relays[: len(self.truth.guilty_relays)] if row.suspected]
        return (set(logins) & self.truth.guilty) | (set(relays) & self.truth.guilty_relays)

    @property
    def false_alarms(self) -> set[str]:
        """The honest who are suspected, or said to have broken in."""
        logins = {row.login for row in self.picture.senders if row.suspected} - self.truth.guilty
        relays = {row.client for row in self.picture.relays if row.suspected} - self.truth.guilty_relays
        return logins | relays | self.break_ins - self.truth.break_ins

    @property
    def break_ins(self) -> set[str]:
        return {row.client for row in self.picture.failed_logins if row.broke_in}

    @property
    def relays(self) -> dict[str, str]:
        """The kind of every relay that bmtop sees."""
        return {row.client: row.kind for row in self.picture.relays}

    @property
    def honest(self) -> int:
        """How many rows are of honest logins and relays."""
        return len(self.picture.senders) + len(self.picture.relays) - self.wanted

    @property
    def why(self) -> str:
        """The reasons that are given for the guilty."""
        rows: list[Sender | Relay] = [*self.picture.senders, *self.picture.relays]
        return "; ".join(" · ".join(row.reasons) for row in rows if row.suspected)


def outcome(kind: Kind, postfix: Postfix) -> Outcome:
    """Play a kind, and look at it with bmtop."""
    with stage(postfix) as played:
        truth = kind.story(played)
        sent = Counter(sent.login for sent in played.player.sent if sent.login is not None)
        return Outcome(kind, truth, played.picture(truth.settings), sent)


def table(outcomes: list[Outcome]) -> str:
    """Return hits and false alarms as a Markdown table."""
    lines = [
        "| kind of incident | guilty on top | honest, of them accused | kinds of relay | why |",
        "|---|---|---|---|---|",
    ]
    for one in outcomes:
        relays = sum(one.relays.get(client) == kind for client, kind in one.truth.relays.items())
        more = len(one.relays.keys() - one.truth.relays.keys())
        lines.append(
            f"| {one.kind.name}: {one.kind.what} | {len(one.hits)} of {one.wanted}"
            f" | {one.honest}, {len(one.false_alarms)}"
            f" | {relays} of {len(one.truth.relays)}{f', {more} wrong' if more else ''} | {one.why or '-'} |"
        )
    hits, wanted = sum(len(one.hits) for one in outcomes), sum(one.wanted for one in outcomes)
    accused, honest = sum(len(one.false_alarms) for one in outcomes), sum(one.honest for one in outcomes)
    lines.append(f"| **all** | **{hits} of {wanted}** | **{honest}, {accused}** | | |")
    return "\n".join(lines)
