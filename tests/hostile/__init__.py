"""What attackers, accidents and the wrong users do to bmtop."""
