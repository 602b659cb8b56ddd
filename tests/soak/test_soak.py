"""Two minutes of the soak; half an hour of it: `python -m tests.soak`."""

from tests.soak.soak import soak


def test_two_minutes_leave_nothing_behind_and_all_counts_true() -> None:
    findings = soak(2, print)
    assert [finding for finding in findings if not finding.right] == []
