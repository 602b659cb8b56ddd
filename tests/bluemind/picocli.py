"""How picocli expands `@file` arguments: a java.io.StreamTokenizer, set up as picocli sets it up.

Written after the documentation of both, to judge bmtop's quoting; compared once with picocli 4.6.2 itself.
"""

import os
from collections.abc import Iterator

_OCTAL = "01234567"
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def expanded(arguments: list[str]) -> list[str]:
    """Return `arguments` with each argument file in its place; a file that cannot be read stays as it is."""
    result: list[str] = []
    for argument in arguments:
        if argument.startswith("@@"):
            result.append(argument[1:])
        elif argument.startswith("@") and os.access(argument[1:], os.R_OK):
            with open(argument[1:], encoding="utf-8") as file:
                result += expanded(list(tokens(file.read())))
        else:
            result.append(argument)
    return result


def tokens(text: str) -> Iterator[str]:
    """Yield the tokens in an argument file: words, quoted strings; `#` begins a comment."""
    at = 0
    while at < len(text):
        char = text[at]
        if char <= " ":
            at += 1
        elif char == "#":
            while at < len(text) and text[at] not in "\r\n":
                at += 1
        elif char in "\"'":
            token, at = _string(text, at)
            yield token
        else:
            end = at
            while end < len(text) and text[end] > " " and text[end] not in "\"'#":
                end += 1
            yield text[at:end]
            at = end


def _string(text: str, at: int) -> tuple[str, int]:
    """Return the quoted string that begins at `at`, and where it ended: at its quote, or with the line."""
    quote, at, found = text[at], at + 1, ""
    while at < len(text) and text[at] not in (quote, "\n", "\r"):
        if text[at] == "\\":
            char, at = _escape(text, at + 1)
            found += char
        else:
            found += text[at]
            at += 1
    return found, at + 1 if text[at : at + 1] == quote else at


def _escape(text: str, at: int) -> tuple[str, int]:
    if at == len(text):
        return "\uffff", at
    if text[at] not in _OCTAL:
        return _ESCAPES.get(text[at], text[at]), at + 1
    longest = 3 if text[at] <= "3" else 2
    end = at + 1
    while end < len(text) and end - at < longest and text[end] in _OCTAL:
        end += 1
    return chr(int(text[at:end], 8)), end
