"""The clock is set back, and forward again, while bmtop reads: it goes on, and counts each message once."""

import time
from pathlib import Path

from bmtop.incident.gauge import Gauge
from bmtop.incident.picture import Picture
from tests.log.following import append
from tests.log.test_monitor import monitor, queue_of, running, until
from tests.mailserver.stories import ALICE

HOUR = 3600.0


class Clock:
    """This machine's clock, set by so many seconds."""

    set_by = 0.0

    def __call__(self) -> float:
        return time.time() + self.set_by


def line(clock: Clock, number: int) -> str:
    """What syslog writes by that clock when a message comes in."""
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(clock()))
    client = "client=unknown[203.0.113.60], sasl_method=LOGIN"
    return f"{stamp} mail postfix/smtpd[1]: {number:X}20CC3D: {client}, sasl_username={ALICE}"


def messages(picture: Picture) -> int:
    return sum(row.messages for row in picture.senders if row.login == ALICE)


async def test_a_clock_that_is_set_back_and_forward_again(tmp_path: Path) -> None:
    clock, log = Clock(), tmp_path / "mail.log"
    queue_of(tmp_path, 3)
    found = monitor(tmp_path, clock=clock, window=4 * HOUR)
    append(log, *(line(clock, number) for number in range(10)))
    async with running(found):
        await until(found, lambda picture: picture.complete and messages(picture) == 10)
        count = 10
        for step in (-HOUR, -2 * HOUR, 0.0, -30.0, HOUR):
            clock.set_by = step
            append(log, *(line(clock, number) for number in range(count, count + 10)))
            count += 10
            picture = await until(
                found,
                lambda p, count=count: messages(p) == count and p.queue is not None,  # type: ignore[misc]
            )
            assert abs(picture.generated - clock()) < 60, "the picture is as of the clock that there is"
            assert picture.queue is not None
            assert picture.queue.total == 3
            assert not [problem for problem in picture.problems if "an error of its own" in problem]
        # Read anew, it is the same.
        found.window = 5 * HOUR
        await until(found, lambda picture: picture.complete and messages(picture) == count)


def test_a_rise_is_seen_right_after_the_clock_was_set_back() -> None:
    gauge, now = Gauge(200), 1_000_000.0
    for second in range(0, 600, 10):
        gauge.counted(now + second, {"deferred": 10})
    for second in range(0, 30, 10):
        gauge.counted(now - HOUR + second, {"deferred": 10 + 3 * second})
    found = gauge.read(now - HOUR + 20)
    assert found is not None
    assert (found.state, found.growth_per_minute) == ("warning", 180.0)
    assert [total for _, total in found.history] == [10, 40, 70]
