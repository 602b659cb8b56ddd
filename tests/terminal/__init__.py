"""bmtop in a real terminal, on a real Postfix."""
