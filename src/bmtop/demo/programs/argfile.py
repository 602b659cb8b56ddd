"""picocli's argument files: `@FILE` on a command line stands for the words in that file.

The words are told apart as java.io.StreamTokenizer does with picocli's settings: white space separates, both quotes
group, a backslash in quotes escapes, `#` outside of quotes begins a comment.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def expand(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with files in place of `@FILE`; `@@x` is `@x`, and one that cannot be read stays a word."""
    found: list[str] = []
    for argument in arguments:
        if argument.startswith("@@"):
            found.append(argument[1:])
        elif argument.startswith("@") and os.access(argument[1:], os.R_OK):
            found += _words(Path(argument[1:]).read_text(encoding="utf-8"))
        else:
            found.append(argument)
    return found


def _words(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        char = text[place]
        if char <= " ":
            place += 1
        elif char == "#":
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
        elif char in "\"'":
            word, place = _quoted(text, place)
            yield word
        else:
            start = place
            while place < len(text) and text[place] > " " and text[place] not in "\"'#":
                place += 1
            yield text[start:place]


def _quoted(text: str, place: int) -> tuple[str, int]:
    """Return the quoted word that begins at `place`, and the place after it. A line's end closes it."""
    quote, word = text[place], ""
    place += 1
    while place < len(text) and text[place] not in (quote, "\n", "\r"):
        char = text[place]
        place += 1
        if char != "\\" or place >= len(text):
            word += char
            continue
        digits = ""
        while len(digits) < (3 if digits[:1] < "4" else 2) and text[place : place + 1] in tuple("01234567"):
            digits += text[place]
            place += 1
        if digits:
            word += chr(int(digits, 8))
        else:
            word += _ESCAPES.get(text[place], text[place])
            place += 1
    return word, place + (text[place : place + 1] == quote)
