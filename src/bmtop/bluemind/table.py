"""The table that `bm-cli sysconf list` draws; there is no other form of it."""

from itertools import pairwise


def values(table: str) -> dict[str, str]:
    """Return the settings in `table`, each with its value.

    The table wraps a value at the last space that fits in a column, and leaves that space out; a word
    longer than the column is cut where the column ends.
    """
    found: dict[str, list[str]] = {}
    name, width = "", 0
    for line in table.splitlines():
        # A value may hold a bar, a name does not.
        cells = line.strip().removeprefix("|").removesuffix("|").split("|", 1)
        if len(cells) != 2 or not line.strip().startswith("|"):
            name = ""
            continue
        name = cells[0].strip() or name
        width = len(cells[1]) - 2
        if name:
            found.setdefault(name, []).append(cells[1].strip())
    found.pop("Attribute", None)  # the heading
    return {name: _joined(parts, width) for name, parts in found.items()}


def _joined(parts: list[str], width: int) -> str:
    text = parts[0]
    for before, part in pairwise(parts):
        cut = len(before) == width and " " not in before
        text += part if cut else f" {part}"
    return text
