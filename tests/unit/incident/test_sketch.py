"""The sketch of the heaviest keys, against a plain count of all of them."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.sketch import Heaviest

SPAN = 100.0


def weigh(sketch: Heaviest[list[float]], key: str, time: float) -> None:
    if key not in sketch.known:
        sketch.add(key, [], time)
    sketch.known[key].append(time)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_up_to_the_set_number_every_count_is_exact(keys: list[str]) -> None:
    sketch: Heaviest[list[float]] = Heaviest(8, SPAN, len)
    for time, key in enumerate(keys):
        weigh(sketch, key, float(time))
    assert {key: len(times) for key, times in sketch.known.items()} == Counter(keys)
    assert sketch.missing == 0


@given(st.lists(st.integers(0, 60), max_size=400))
def test_no_count_lacks_more_than_is_said(keys: list[int]) -> None:
    sketch: Heaviest[list[float]] = Heaviest(10, 1e9, len)
    for time, key in enumerate(keys):
        weigh(sketch, str(key), float(time))
    assert len(sketch.known) <= 10
    for name, count in Counter(map(str, keys)).items():
        assert len(sketch.known.get(name, [])) >= count - sketch.missing


def test_the_heaviest_is_kept_among_ever_more_keys_whenever_it_begins() -> None:
    chance = random.Random(7)
    for begins in (0, 20_000):
        sketch: Heaviest[list[float]] = Heaviest(100, 1e9, len)
        sent = 0
        for number in range(40_000):
            weigh(sketch, f"once {number}", float(number))
            if number >= begins and chance.random() < 0.05:
                weigh(sketch, "the bot", float(number))
                sent += 1
        assert sent - sketch.missing <= len(sketch.known["the bot"]) <= sent
        assert sketch.missing <= 4 * 40_000 / 100


def test_what_was_dropped_long_ago_no_longer_counts() -> None:
    sketch: Heaviest[list[float]] = Heaviest(10, SPAN, len)
    for number in range(1000):
        weigh(sketch, str(number), number / 10)
    lacking = sketch.missing
    assert lacking > 0
    for number in range(100_000):
        weigh(sketch, str(number), 100 + number / 10)
    assert sketch.missing <= 10 * lacking, "what may be missing does not grow for ever"
    sketch.settle(100_000.0)
    assert sketch.missing == 0
