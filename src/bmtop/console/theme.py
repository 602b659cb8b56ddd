"""The console's colours: a calm ground, and few accents that always have a word beside them."""

import os

from textual.theme import Theme

# Textual makes a grey of each colour by its luminance, and red is a dark one: an alarm would be dimmer than the rest.
_GREYS = {"text-success": "#cfd6de", "text-warning": "#ffffff", "text-error": "#ffffff"}


def made(*, no_color: bool) -> Theme:
    """Return the theme; with `no_color` (no-color.org) news is told from the rest by its brightness."""
    return Theme(
        name="bmtop",
        primary="#6fa8dc",
        secondary="#5b7a99",
        accent="#6fa8dc",
        foreground="#cfd6de",
        background="#14181d",
        surface="#191e24",
        panel="#232a32",
        success="#8cc58c",
        warning="#ffffff" if no_color else "#e3b35f",
        error="#ffffff" if no_color else "#ef6b6b",
        variables={
            "border": "#3a4550",
            "border-blurred": "#3a4550",
            "text-muted": "#7f8b97",
            "text-success": "#8cc58c",
            "text-warning": "#e3b35f",
            "text-error": "#ef6b6b",
        }
        | (_GREYS if no_color else {}),
    )


BMTOP = made(no_color="NO_COLOR" in os.environ)
