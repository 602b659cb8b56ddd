"""Messages whose life was plain and is over, told together: in a long log most are, and each would be five events.

Plain is the life of a message that came in, was sent to its recipients at the first try and was removed, all within
one grain of the counts. Those of one login and client are told together. What came in without a login for our own
people, or from the server itself, is in no pane: of that, nothing is told.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from bmtop.incident.accounts import lower
from bmtop.incident.events import Sent
from bmtop.incident.territory import Territory
from bmtop.postfix.logline import (
    AGENTS,
    HEAD,
    ORIGINAL,
    RECIPIENT,
    RECIPIENTS,
    SENDER,
    Match,
    Parts,
    Source,
    parts,
    source,
    written,
)
from bmtop.postfix.logtime import LogClock

# So many recipients and clients are known for what they are without looking again.
_KNOWN = 10_000


class Lives:
    """Tells a stretch of log in few events; an incident that is fed with them counts the same.

    `territory` tells which messages are in a pane, `grain` is that of the counts, in seconds (`window.grain`).
    """

    def __init__(self, territory: Territory, grain: int) -> None:
        self.grain = grain
        self.is_own = lru_cache(maxsize=_KNOWN)(territory.is_own)
        self.outward = lru_cache(maxsize=_KNOWN)(territory.outward)

    def tell(self, found: Sequence[Match], clock: LogClock) -> Iterator[Parts]:
        """Yield the events of what was found in a stretch, in parts."""
        stretch = _Stretch(found, clock, self)
        alone: list[Match | None] = list(found)
        told: dict[int, Sent] = {}
        for who, lives in stretch.alike():
            one = stretch.sent(who, lives) if who.login is not None else stretch.relayed(who, lives)
            if one is not None:
                told[min(life[0] for life in lives)] = one
            for life in lives:
                for number in life:
                    alone[number] = None
        # The last line tells how far the log goes.
        alone[-1:] = found[-1:]
        begin = 0
        for number in sorted(told):
            yield from parts(filter(None, alone[begin:number]), clock)
            yield Sent, tuple(told[number])
            begin = number
        yield from parts(filter(None, alone[begin:]), clock)


class _Stretch:
    """One stretch of log, and the plain lives in it, each as the numbers of its lines."""

    def __init__(self, found: Sequence[Match], clock: LogClock, lives: Lives) -> None:
        self._found = found
        self._clock = clock
        self._lives = lives
        # Every line's head is in there by the time that its life is over.
        self._heads = clock.heads()

    def alike(self) -> Iterable[tuple[Source, list[list[int]]]]:
        """Return the plain lives that are over, those of one grain and source together."""
        found: dict[tuple[float, Source], list[list[int]]] = {}
        for begin, who, life in self._over():
            found.setdefault((begin, who), []).append(life)
        return [(who, lives) for (_, who), lives in found.items()]

    def _over(self) -> Iterator[tuple[float, Source, list[int]]]:
        """Yield the plain lives that are over: when their grain began, who handed the message in, and its lines."""
        heads, found, grain = self._heads, self._found, self._lives.grain
        lives: dict[str, tuple[Source, list[int]]] = {}
        begin = end = last = 0.0
        for number, (head, id, _, _, _, _, status, _, _, size, _, _, removed, client, _, _) in enumerate(found):
            try:
                time, daemon = heads[head]
            except KeyError:
                time, daemon = heads[head] = written(head, self._clock)
            if time != last and daemon:
                last = time
                if not begin <= time < end:
                    # What is under way is not within one grain.
                    lives.clear()
                    begin = time // grain * grain
                    end = begin + grain
            # Which words count, only the daemon that writes them tells.
            if client:
                if daemon == "smtpd" and (who := source(client)) is not None:
                    if who.origin is None and id not in lives:
                        lives[id] = who, [number]
                    else:
                        # Back from a content filter, what is told of one depends on the other; and where the id is
                        # under way, a line is missing.
                        lives.pop(id, None)
                        lives.pop(who.origin or "", None)
            elif id in lives:
                if status == "sent":
                    if daemon in AGENTS:
                        lives[id][1].append(number)
                elif removed:
                    if daemon == "qmgr":
                        who, life = lives.pop(id)
                        life.append(number)
                        recipients = found[life[1]][RECIPIENTS]
                        # Each of the recipients once.
                        if recipients and len(life) <= 3 + int(recipients):
                            yield begin, who, life
                elif size:
                    if daemon == "qmgr":
                        lives[id][1].append(number)
                        if len(lives[id][1]) > 2:
                            # Taken up once more, or after it was sent to somebody.
                            del lives[id]
                elif status and daemon in AGENTS:
                    del lives[id]

    def sent(self, who: Source, lives: Sequence[list[int]]) -> Sent:
        """Return a login's messages, told together."""
        found = self._found
        begun = [found[life[1]] for life in lives]
        recipients = [found[number][RECIPIENT] for life in lives for number in life[2:-1]]
        last = self._time(max(life[0] for life in lives))
        return Sent(
            time=self._time(min(life[0] for life in lives)),
            last=last,
            accepted=last,
            name=who.name,
            client=who.client,
            login=who.login,
            messages=len(lives),
            recipients=sum(int(match[RECIPIENTS]) for match in begun),
            senders=dict(Counter(match[SENDER] for match in begun)),
            domains=_lowered(Counter(recipient.rpartition("@")[2] for recipient in recipients)),
            first_domains={},
        )

    def relayed(self, who: Source, lives: Sequence[list[int]]) -> Sent | None:
        """Return messages without a login, told together, as far as they went elsewhere; None where none did."""
        if self._lives.is_own(who.client):
            return None
        found, heads, outward = self._found, self._heads, self._lives.outward
        begun, numbers, senders, domains, first_domains = [], [], [], [], []
        for life in lives:
            first = True
            for number in life[2:-1]:
                match = found[number]
                domain = outward(match[RECIPIENT], heads[match[HEAD]][1], match[ORIGINAL])
                if domain is None:
                    continue
                domains.append(domain)
                if first:
                    first = False
                    begun.append(life[0])
                    numbers.append(number)
                    senders.append(found[life[1]][SENDER])
                    first_domains.append(domain)
        if not numbers:
            return None
        return Sent(
            time=self._time(min(numbers)),
            last=self._time(max(numbers)),
            accepted=self._time(max(begun)),
            name=who.name,
            client=who.client,
            login=None,
            messages=len(numbers),
            recipients=len(domains),
            senders=dict(Counter(senders)),
            domains=dict(Counter(domains)),
            first_domains=dict(Counter(first_domains)),
        )

    def _time(self, number: int) -> float:
        return self._heads[self._found[number][HEAD]][0]


def _lowered(counts: Counter[str]) -> dict[str, int]:
    """Return the counts by the names in lower case."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        name = lower(name)
        found[name] = found.get(name, 0) + count
    return found
