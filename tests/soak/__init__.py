"""A console that runs for long on a mail server that is never left alone. Plain Python, no pytest."""
