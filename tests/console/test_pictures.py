"""The pictures in screenshots/ are what the console shows of the demo's incident, today."""

import re
import subprocess
import sys
from pathlib import Path

PICTURES = Path(__file__).parents[2] / "screenshots"
NAMES = {"overview", "purge", "after", "small"}


def words(svg: str) -> list[str]:
    """Return the text of a picture, for a failure that a person can read."""
    return re.findall(r">([^<>]+)</text>", svg.replace("&#160;", " "))


def test_the_pictures_are_the_ones_that_the_console_makes(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, PICTURES / "make.py", tmp_path], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in PICTURES.glob("*.svg")} == NAMES
    for name in sorted(NAMES):
        made, kept = ((folder / f"{name}.svg").read_text(encoding="utf-8") for folder in (tmp_path, PICTURES))
        assert words(made) == words(kept), f"{name}.svg shows another text: run screenshots/make.py, and look at it"
        assert made == kept, f"{name}.svg looks another way: run screenshots/make.py, and look at it"


def test_the_pictures_tell_the_story() -> None:
    overview, purge, after = (
        " ".join(words((PICTURES / f"{name}.svg").read_text(encoding="utf-8")))
        for name in ("overview", "purge", "after")
    )
    assert "sales@example.com" in overview
    assert "CRITICAL" in overview
    number = re.search(r"([\d,]+) of [\d,]+ messages chosen", purge)
    assert number
    assert f"Deleted {number[1]} of {number[1]} messages" in after
