"""The console's colours, and what is left of them where none are wanted."""

from bmtop.console import theme


def test_news_is_no_dimmer_than_what_is_none_where_colours_are_not_wanted() -> None:
    def light(colour: str) -> float:
        red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for plain in (theme.made(no_color=True), theme.made(no_color=False)):
        assert light(plain.variables["text-muted"]) < light(str(plain.foreground))
    plain = theme.made(no_color=True)
    for news in ("text-error", "text-warning"):
        assert light(plain.variables[news]) > light(str(plain.foreground))
    assert theme.made(no_color=False).error == "#ef6b6b"
