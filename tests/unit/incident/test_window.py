"""Counts over a sliding window, against a plain list of what was counted."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bmtop.incident.window import WindowCounts

SPAN, WIDTH = 600.0, 10.0
TIMES = st.lists(st.integers(0, 3000), min_size=1, max_size=60)


@given(TIMES, st.integers(0, 4000))
def test_what_is_older_than_the_span_is_forgotten_and_nothing_else(times: list[int], now: int) -> None:
    counts = WindowCounts(SPAN)
    for time in times:
        counts.add(float(time), "messages")
        counts.see(float(time), "client", f"host {time % 3}")
    counts.expire(float(now))
    oldest = (now - SPAN) // WIDTH * WIDTH
    kept = [time for time in times if time >= oldest]
    assert counts["messages"] == len(kept)
    assert dict(counts.of("client")) == Counter(f"host {time % 3}" for time in kept)
    assert counts.before(oldest, "messages") == len(times) - len(kept)
    assert counts.empty == (not kept)


@given(TIMES)
def test_the_busiest_span_is_the_busiest(times: list[int]) -> None:
    counts = WindowCounts(SPAN)
    for time in times:
        counts.add(float(time), "messages")
    starts = [time // 10 * 10 for time in times]
    assert counts.busiest("messages", 60.0) == max(sum(s <= time < s + 60 for time in times) for s in starts)


@given(TIMES)
def test_the_most_different_values_in_a_span_are_the_most(times: list[int]) -> None:
    counts = WindowCounts(SPAN)
    for time in times:
        counts.see(float(time), "client", f"host {time % 7}")
    starts = [time // 10 * 10 for time in times]
    each = [{time % 7 // 2 for time in times if s <= time < s + 60} for s in starts]
    assert counts.most_distinct("client", 60.0, lambda host: str(int(host[5:]) // 2)) == max(map(len, each))
    assert counts.most_distinct("sender", 60.0, str) == 0


def test_a_late_line_counts_at_its_own_time() -> None:
    counts = WindowCounts(SPAN)
    for time in (1000.0, 500.0, 1000.0, 500.0):
        counts.add(time, "messages")
    assert counts.since(900.0, "messages") == 2
    counts.expire(1150.0)
    assert counts["messages"] == 2


def test_of_too_many_values_the_most_frequent_are_told_apart_and_the_others_counted() -> None:
    counts = WindowCounts(SPAN, most=100)
    for number in range(1000):
        counts.see(number / 100, "sender", f"a{number}@example.com")
        if number % 10 == 5:
            counts.see(number / 100, "sender", "often@example.com")
    assert counts.of("sender", 1) == [("often@example.com", 100)]
    assert len(counts.of("sender")) <= 100 <= counts.distinct("sender")
    assert sum(count for _, count in counts.of("sender")) + counts.others("sender") == 1100
    assert counts.missing("sender") > 0
    counts.expire(10_000.0)
    assert (counts.distinct("sender"), counts.others("sender"), counts.missing("sender")) == (0, 0, 0)
    assert counts.empty


def test_between_tells_who_was_there_then() -> None:
    counts = WindowCounts(SPAN)
    counts.see(0.0, "client", "a")
    counts.see(100.0, "client", "b")
    counts.see(200.0, "client", "b")
    assert counts.between(100.0, 200.0, "client") == {"b": 1}
    assert counts.between(0.0, 1e9, "client") == {"a": 1, "b": 2}


def test_a_wave_begins_with_its_first_busy_minute() -> None:
    counts = WindowCounts(SPAN)
    for time in (0, 100, 200, *range(300, 400)):
        counts.add(float(time), "messages")
    assert 250.0 <= counts.onset("messages", 60.0, 0.5) <= 300.0
