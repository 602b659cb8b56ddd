"""bmtop: a terminal incident console for mail servers."""

__version__ = "0.1.0"
