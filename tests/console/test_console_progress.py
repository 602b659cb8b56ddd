"""The dialog of an action that takes longer than a moment: as small as what it says, and no key that does nothing."""

import pytest

from bmtop.checked import Login
from bmtop.response.plan import Done
from tests.console.desk import Desk, Hands, console, queue


class Slow(Hands):
    """Logs out once `go` is set."""

    def logout(self, login: Login) -> Done:
        assert self.go.wait(30)
        return super().logout(login)


def height(screen: str, heading: str) -> int:
    """Return how many lines the frame with this heading has."""
    lines = screen.splitlines()
    top = next(n for n, line in enumerate(lines) if f"╭─ {heading}" in line)
    left = lines[top].index(f"╭─ {heading}")
    return next(n for n, line in enumerate(lines[top:], 1) if line[left] == "╰")


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_what_cannot_be_stopped_shows_a_small_dialog_without_a_way_to_stop_it(size: tuple[int, int]) -> None:
    hands = Slow(desk := Desk())
    hands.go.clear()
    async with console(desk, hands, size=size) as user:
        await user.press("l")
        await user.sees("Ends the account's sessions")
        await user.press("y")
        screen = await user.sees("begins")
        assert height(screen, "Log out") <= 9, screen
        assert "esc" not in screen
        await user.press("escape")
        await user.pilot.pause()
        assert "begins" in user.screen()
        hands.go.set()
        await user.sees("The sessions of alice@example.com ended")


async def test_what_can_be_stopped_says_so() -> None:
    hands = Hands(desk := queue(8))
    hands.go.clear()
    async with console(desk, hands) as user:
        await user.press("d")
        await user.sees("8 of 8 messages chosen")
        await user.press("y")
        screen = await user.sees("deleting 4 of 8")
        assert height(screen, "Purge") <= 10, screen
        assert "esc Stop" in screen
        await user.press("escape")
        await user.sees("Stopped as you asked")
    assert not hands.plans
