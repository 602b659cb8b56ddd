"""Moments by the time that passed, from stamps of a clock that is set meanwhile."""

from bmtop.response.steady import Steady


class Machine:
    """Its clock, which can be set, and the seconds since it was started."""

    def __init__(self) -> None:
        self.clock = 1_000_000.0
        self.passed = 50.0
        self.steady = Steady(lambda: self.clock, lambda: self.passed)

    def wait(self, seconds: float) -> float:
        self.clock += seconds
        self.passed += seconds
        return self.steady.now()

    def set(self, by: float) -> None:
        self.clock += by
        self.steady.now()


def test_while_nobody_sets_the_clock_it_is_the_clock() -> None:
    machine = Machine()
    assert machine.wait(5) == machine.clock == 1_000_005
    assert [machine.steady.of(stamp) for stamp in (17.0, 1_000_003.0)] == [17.0, 1_000_003.0]
    assert machine.steady.stamp(17.0) == 17.0


def test_what_is_stamped_ahead_was_now() -> None:
    """What wrote it may have another clock."""
    machine = Machine()
    machine.wait(5)
    assert machine.steady.of(1_000_400) == 1_000_005


def test_a_clock_that_is_put_forward_makes_no_time_pass() -> None:
    machine = Machine()
    machine.wait(10)
    machine.set(3600)
    assert machine.wait(10) == 1_000_020
    # What was stamped before and after it was set, the one to the second.
    assert machine.steady.of(1_000_007) == 1_000_007
    assert machine.steady.of(1_003_612) == 1_000_012
    assert machine.steady.of(1_003_609) == 1_000_009
    assert [machine.steady.stamp(moment) for moment in (1_000_007, 1_000_012)] == [1_000_007, 1_003_612]


def test_a_clock_that_is_set_back_makes_none_come_back() -> None:
    machine = Machine()
    machine.wait(10)
    machine.set(-3600)
    assert machine.wait(10) == 1_000_020
    assert machine.steady.of(996_412) == 1_000_012
    assert machine.steady.of(1_000_007) == 1_000_007
    machine.set(3600)
    assert machine.wait(5) == machine.clock == 1_000_025
    assert machine.steady.of(1_000_023) == 1_000_023


def test_what_was_stamped_before_it_was_noticed_that_the_clock_was_set_is_no_older_for_that() -> None:
    """Who looks may have been held up by something else."""
    machine = Machine()
    machine.wait(10)
    machine.wait(5)
    machine.clock -= 3600
    machine.clock += 1
    machine.passed += 1
    sent = machine.clock
    machine.clock += 30
    machine.passed += 30
    assert machine.steady.of(sent) == 1_000_016
    # Said before it was set, and before it was looked at last.
    assert [machine.steady.of(stamp) for stamp in (1_000_015.5, 1_000_014)] == [1_000_015.5, 1_000_014]


def test_a_clock_that_is_set_in_small_steps_is_followed_too() -> None:
    machine = Machine()
    for _ in range(100):
        machine.wait(10)
        machine.set(0.4)
    assert machine.wait(10) == 1_001_010
    assert abs(machine.steady.of(machine.clock) - 1_001_010) <= 1
