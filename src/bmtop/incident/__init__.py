"""What happens on the mail server, thought through: events in, one immutable picture out. No I/O."""
