"""Nothing that acts on a terminal passes the border for text, whatever Unicode has; what was there can be read."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from bmtop.visible import cells, visible

ANYTHING = st.text(st.characters(codec=None), max_size=60) | st.binary(max_size=60).map(
    lambda octets: octets.decode("utf-8", "surrogateescape")
)
# What a terminal, an editor or a reader could be fooled with, more often than chance would have it.
TRICKS = st.text(
    st.sampled_from(
        "\x00\x07\x08\x09\x0a\x0d\x1b\x7f\x80\x85\x9b\x9d\xa0\xad[]\\;?;a1 "
        "\u0301\u0488\u034f\u061c\u115f\u1160\u1161\u11a8\u17b4\u180b\u180e\u200b\u200d\u200e\u202e\u2028\u2029\u2066"
        "\u2060\u2800\u3000\u3164\ufe0f\ufeff\ufff9\ue000\U000e0001\U000e0041\U000e0100\U0001f3fd\U0001f469\U0010ffff"
        "\ud800\udc1b\udcff\u0627\u05d0\u65e5e\u0430"
    ),
    max_size=60,
)
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(ANYTHING | TRICKS)
@example("\x1b]52;c;QUJD\x07")
@example("\x9b31m")
@example("a" + "\u0489" * 200)
@example("\U000e0061\U000e0062\ufe0f")
def test_nothing_but_glyphs_is_shown(text: str) -> None:
    shown = visible(text)
    for char in shown:
        assert char == "\u3000" or char.isprintable(), f"{char!a} is no glyph"
        assert not 0x7F <= ord(char) <= 0xA0
        assert char not in BIDI
        assert not 0xD800 <= ord(char) <= 0xDFFF
        assert not 0xE0000 <= ord(char) <= 0xE0FFF
        assert not 0xFE00 <= ord(char) <= 0xFE0F
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1, "it stays on its line"
    assert visible(shown) == shown, "shown twice, it is the same"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(ANYTHING | TRICKS)
def test_no_pile_of_marks_stands_on_one_letter_nor_on_none(text: str) -> None:
    marks, base = 0, False
    for char in visible(text):
        if unicodedata.category(char)[0] == "M":
            marks += 1
            assert base, "a mark at the beginning would stand on what is left of it"
            assert marks <= 3
        else:
            marks, base = 0, char not in " \u3000"


@given(ANYTHING | TRICKS)
def test_two_texts_that_differ_by_what_is_unseen_are_shown_differently(text: str) -> None:
    for unseen in ("\u200b", "\ufe0f", "\U000e0041", "\u202e", "\xad", "\u034f", "\u3164", "\xa0"):
        assert visible(f"x{text}") != visible(f"x{unseen}{text}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("two\nlines", r"two\x0alines"),
        ("moc.elpmaxe\u202e", r"moc.elpmaxe\u202e"),
        ("\udcff\udc1b", r"\xff\udc1b"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("a\u0301\u0302\u0303\u0304", "a\u0301\u0302\u0303\\u0304"),
        ("\u0301a", r"\u0301a"),
        ("admin\u200b@example.com", r"admin\u200b@example.com"),
        ("日本語 e\u0301ve Ångström Việt", "日本語 e\u0301ve Ångström Việt"),
        ("हिन्दी עברית العربية 한국어", "हिन्दी עברית العربية 한국어"),
        ("\u2764\ufe0f \U0001f469\u200d\U0001f680", "\u2764\\ufe0f \U0001f469\\u200d\U0001f680"),
        ("[red]x[/] $primary \\[b]", "[red]x[/] $primary \\[b]"),
    ],
)
def test_it_is_shown_so(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text("日本語ｱ\uff21한글e\u0301\u0302aé\U0001f44b\u1100\u1161\u11a8 ", max_size=30))
def test_wide_characters_are_counted_as_the_console_counts_them(text: str) -> None:
    shown = visible(text)
    assert cells(shown) == cell_len(shown)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_takes_a_cell_a_character(text: str) -> None:
    assert cells(text) == len(text)
