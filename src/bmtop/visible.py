"""The border for text: whatever comes from a log, a queue or a server, made harmless to show."""

import unicodedata

# Control, format (bidirectional overrides among them), surrogate, private and unassigned
# characters, line and paragraph separators: none of them is a glyph.
_NO_GLYPH = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANKS = frozenset(" \u3000")
# What Unicode calls a letter, a symbol or a mark, and no terminal shows: fillers, joiners, variation selectors.
_UNSEEN = frozenset(
    map(
        chr,
        (
            0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, 0xFFA0, 0x1D159,
            *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
        ),
    )
)  # fmt: skip
# No script needs more in one place; a pile of them covers the lines around it.
_MOST_MARKS = 3


def visible(text: str) -> str:
    r"""Return `text` with every character that is no glyph as an escape (`\x1b`, `\u202e`), on one line.

    A mark that has no letter to stand on, or is one too many, is an escape as well. A byte that was no UTF-8,
    decoded with `surrogateescape`, is shown as that byte: `\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = _MOST_MARKS
    for char in text:
        if _is_mark(char):
            marks += 1
            fits = marks <= _MOST_MARKS
        else:
            fits = _is_glyph(char)
            marks = 0 if fits and char not in _BLANKS else _MOST_MARKS
        shown.append(char if fits else _escaped(char))
    return "".join(shown)


def cells(text: str) -> int:
    """Return how many cells of a terminal this visible text takes: wide characters two, marks none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(0 if _is_mark(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _is_glyph(char: str) -> bool:
    category = unicodedata.category(char)
    return category not in _NO_GLYPH and char not in _UNSEEN and (category != "Zs" or char in _BLANKS)


def _is_mark(char: str) -> bool:
    """Tell whether `char` is drawn onto the one before it: a combining mark, a Korean vowel or end, a skin colour."""
    return char not in _UNSEEN and (
        unicodedata.category(char)[0] == "M"
        or "\u1161" <= char <= "\u11ff"
        or "\ud7b0" <= char <= "\ud7fb"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
