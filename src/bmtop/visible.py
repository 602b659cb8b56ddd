"""The border for text: whatever comes from a log, a queue or a server, made harmless to show."""

import unicodedata

# Control, format (bidirectional overrides among them), surrogate, private and unassigned
# characters, line and paragraph separators: none of them is a glyph.
_NO_GLYPH = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    r"""Return `text` with every character that is no glyph as an escape (`\x1b`, `\u202e`).

    A byte that was no UTF-8, decoded with `surrogateescape`, is shown as that byte: `\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _NO_GLYPH else c for c in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
