"""The console's colours: a calm ground, and few accents that always have a word beside them."""

from textual.theme import Theme

BMTOP = Theme(
    name="bmtop",
    primary="#6fa8dc",
    secondary="#5b7a99",
    accent="#6fa8dc",
    foreground="#cfd6de",
    background="#14181d",
    surface="#191e24",
    panel="#232a32",
    success="#8cc58c",
    warning="#e3b35f",
    error="#ef6b6b",
    variables={
        "border": "#3a4550",
        "border-blurred": "#3a4550",
        "text-muted": "#7f8b97",
        "text-success": "#8cc58c",
        "text-warning": "#e3b35f",
        "text-error": "#ef6b6b",
    },
)
