"""The screen as a picture (SVG), in which columns stay columns whatever shows it."""

import html
import re

from rich.cells import cell_len

_TEXT = re.compile(
    r'<text class="(?P<style>[^"]*)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength="(?P<length>[\d.]+)"'
    r' (?P<clip>clip-path="[^"]*")>(?P<text>[^<]*)</text>'
)
_APART = re.compile("\N{NO-BREAK SPACE}+")


def in_columns(svg: str) -> str:
    """Return the picture with a place of its own for every word.

    Not every program stretches a text to its `textLength` (SVG 2, 11.5), and in one that does not, what comes after
    many blanks would be out of its column.
    """
    return _TEXT.sub(_apart, svg)


def _apart(found: re.Match[str]) -> str:
    text = html.unescape(found["text"])
    width = float(found["length"]) / max(1, cell_len(text))
    parts, begin = [], 0
    for blanks in [*_APART.finditer(text), None]:
        end = blanks.start() if blanks else len(text)
        if part := text[begin:end]:
            x, length = float(found["x"]) + width * cell_len(text[:begin]), width * cell_len(part)
            parts.append(
                f'<text class="{found["style"]}" x="{x:g}" y="{found["y"]}" textLength="{length:g}"'
                f" {found['clip']}>{html.escape(part)}</text>"
            )
        begin = blanks.end() if blanks else end
    return "".join(parts)
