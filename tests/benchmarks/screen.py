"""What stands on a terminal's screen, from the bytes that a program sent to it."""

import codecs
import re
import unicodedata

# ECMA-48: control sequences, control strings (to ST or BEL), other escapes, and what is not whole yet.
_TOKEN = re.compile(
    r"\x1b\[(?P<given>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[PX^_\]].*?(?:\x1b\\|\x07)"
    r"|\x1b[()*+][0-9A-Za-z]"
    r"|\x1b[0-9=>A-OQ-WYZ\\a-z]"
    r"|(?P<cut>\x1b.*)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """A grid of characters, without colours: of the cursor's movements, those that Textual sends."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._rows = [[" "] * width for _ in range(height)]
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._x = self._y = 0

    def feed(self, sent: bytes) -> None:
        """Take what the program sent; a sequence may be cut off anywhere."""
        text, self._rest = self._rest + self._decode(sent), ""
        for token in _TOKEN.finditer(text):
            if token["text"] is not None:
                self._put(token["text"])
            elif token["final"] is not None:
                self._control(token["final"], token["given"])
            elif token["cut"] is not None:
                self._rest = token["cut"]
            elif token["control"] is not None:
                self._move(token["control"])

    def _put(self, text: str) -> None:
        for character in text:
            width = _width(character)
            if width and self._x + width <= self.width:
                self._rows[self._y][self._x : self._x + width] = [character, *[""] * (width - 1)]
                self._x += width

    def _control(self, final: str, given: str) -> None:
        numbers = [int(number) if number.isdigit() else 0 for number in given.split(";")]
        if final in "Hf":
            row, column = (*numbers, 0)[:2]
            self._y = min(max(row, 1), self.height) - 1
            self._x = min(max(column, 1), self.width) - 1
        elif final == "J" and numbers[0] == 2:
            self._rows = [[" "] * self.width for _ in range(self.height)]

    def _move(self, control: str) -> None:
        if control == "\r":
            self._x = 0
        elif control == "\n":
            self._y = min(self._y + 1, self.height - 1)

    @property
    def lines(self) -> list[str]:
        return ["".join(row) for row in self._rows]

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).rstrip()
