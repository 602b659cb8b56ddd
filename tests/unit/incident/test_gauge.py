"""The queue's gauge: alarm on the threshold, a warning on a rise before it, and no flutter."""

from bmtop.incident.gauge import Gauge
from bmtop.incident.picture import QUEUES, QueueGauge


def counts(total: int) -> dict[str, int]:
    return {**dict.fromkeys(QUEUES, 0), "deferred": total}


def read(gauge: Gauge, now: float) -> QueueGauge:
    found = gauge.read(now)
    assert found is not None
    return found


def state(gauge: Gauge, now: float, total: int) -> str:
    gauge.counted(now, counts(total))
    return read(gauge, now).state


def test_the_threshold_is_an_alarm_that_ends_well_below_it() -> None:
    gauge = Gauge(200)
    said = [state(gauge, 600.0 * n, total) for n, total in enumerate((199, 200, 210, 180, 161, 159, 199))]
    assert said == ["ok", "critical", "critical", "critical", "critical", "ok", "ok"]
    gauge.counted(9000.0, counts(250))
    assert read(gauge, 9000.0).why == "250 queued, threshold 200"


def test_a_rise_out_of_proportion_warns_before_the_threshold() -> None:
    gauge = Gauge(200)
    for second in range(0, 300, 10):
        assert state(gauge, float(second), 20) == "ok"
    assert state(gauge, 330.0, 90) == "warning"
    assert "grew by" in read(gauge, 330.0).why
    assert read(gauge, 330.0).growth_per_minute is not None


def test_what_came_in_a_few_seconds_is_not_blown_up_to_a_minute() -> None:
    """A console that has just begun to look has seen only those."""
    gauge = Gauge(200)
    assert [state(gauge, second, 100 + int(second)) for second in (0.0, 5.0, 9.0, 20.0, 39.0)] == ["ok"] * 5
    assert state(gauge, 45.0, 150) == "warning"
    assert read(gauge, 45.0).why == "grew by 50 in a minute"


def test_a_burst_warns_before_a_minute_was_seen() -> None:
    gauge = Gauge(200)
    assert state(gauge, 0.0, 20) == "ok"
    assert state(gauge, 5.0, 90) == "warning"
    assert read(gauge, 5.0).why == "grew by 70 in a minute"


def test_a_queue_that_always_grows_so_does_not_warn() -> None:
    gauge = Gauge(2000)
    for second in range(0, 1200, 10):
        assert state(gauge, float(second), second) == "ok"


def test_a_small_queue_may_double() -> None:
    gauge = Gauge(200)
    assert state(gauge, 0.0, 5) == "ok"
    assert state(gauge, 30.0, 30) == "ok"


def test_it_says_what_it_cannot_count() -> None:
    gauge = Gauge(200)
    assert gauge.read(0.0) is None
    gauge.counted(0.0, counts(7))
    gauge.listed(7000, 1234)
    found = read(gauge, 0.0)
    assert (found.total, found.bytes, found.oldest, found.growth_per_minute) == (7, 7000, 1234, None)
    gauge.counted(1.0, None)
    assert gauge.read(1.0) is None


def test_half_an_hour_is_kept() -> None:
    gauge = Gauge(200)
    for second in range(0, 7200, 5):
        gauge.counted(float(second), counts(1))
    history = read(gauge, 7200.0).history
    assert len(history) == 180
    assert history[-1][0] - history[0][0] >= 1780
