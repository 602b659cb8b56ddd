"""A picture's words each have a place of their own, and stay data."""

from bmtop.console.picture import in_columns

TEXT = '<text class="r1" x="12.2" y="20" textLength="{length}" clip-path="url(#line-1)">{text}</text>'


def test_every_word_has_its_place() -> None:
    svg = TEXT.format(length="134.2", text="ab&#160;&#160;&#160;c&#160;defg")
    assert in_columns(svg) == (
        TEXT.format(length="24.4", text="ab")
        + TEXT.format(length="12.2", text="c").replace('x="12.2"', 'x="73.2"')
        + TEXT.format(length="48.8", text="defg").replace('x="12.2"', 'x="97.6"')
    )


def test_a_wide_character_takes_two_cells() -> None:
    assert 'x="48.8"' in in_columns(TEXT.format(length="48.8", text="\u4e2d&#160;x"))


def test_what_others_wrote_stays_text() -> None:
    hostile = "&lt;script&gt;&amp;#160;&amp;lt;b&quot;"
    assert in_columns(TEXT.format(length="170.8", text=hostile)) == TEXT.format(length="170.8", text=hostile)
