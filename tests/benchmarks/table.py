"""A benchmark's results: what was measured, beside what, and how much it may be; as Markdown and as JSON."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

TIMES = "\N{MULTIPLICATION SIGN}"


class Wrong(Exception):
    """A result that is wrong, however fast it came; the text says what."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure, repeated: `samples` in `unit`. With a peer, `at_most` is of the ratio of the medians; one that is
    infinite says that nothing is asked of it.
    """

    what: str
    unit: str
    at_most: float
    samples: Sequence[float]
    peer: str = ""
    peer_samples: Sequence[float] = ()

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def peer_value(self) -> float:
        return median(self.peer_samples)

    @property
    def figure(self) -> float:
        """What `at_most` limits: the ratio where there is a peer, else the value."""
        return self.value / self.peer_value if self.peer else self.value

    @property
    def holds(self) -> bool:
        return self.figure <= self.at_most

    def cells(self) -> tuple[str, ...]:
        """Return the row as text: what, bmtop, beside, figure, bound, and whether it holds."""
        beside = f"{_short(self.peer_value)} {self.unit}: {self.peer}" if self.peer else ""
        unit = TIMES if self.peer else self.unit
        figure = f"{_short(self.figure)} {unit}"
        own = f"{_short(self.value)} {self.unit}"
        if math.isinf(self.at_most):
            return self.what, own, beside, figure, "", ""
        return self.what, own, beside, figure, f"{self.at_most:g} {unit}", "yes" if self.holds else "NO"

    def as_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "unit": self.unit,
            "median": self.value,
            "samples": list(self.samples),
            "peer": self.peer or None,
            "peer_median": self.peer_value if self.peer else None,
            "peer_samples": list(self.peer_samples),
            "figure": self.figure,
            "at_most": None if math.isinf(self.at_most) else self.at_most,
            "holds": self.holds,
        }


def _short(number: float) -> str:
    """Return a number with three digits that count."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


_HEAD = ("what", "bmtop", "beside", "ratio or value", "at most", "holds")


def markdown(rows: Iterable[Row], *, judged: bool = True) -> str:
    """Return the rows as a Markdown table; without the bounds, unless they are to be `judged`."""
    lines = [_HEAD, tuple("---" for _ in _HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line if judged else line[:-2])} |" for line in lines)


def as_json(rows: Iterable[Row], wrong: Sequence[str], **about: Any) -> str:
    """Return the rows, what was wrong, and what else is known `about` the run."""
    return json.dumps({**about, "wrong": list(wrong), "rows": [row.as_dict() for row in rows]}, indent=2) + "\n"


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which this share of them lies."""
    return sorted(samples)[min(len(samples) - 1, round(share * len(samples)))]
