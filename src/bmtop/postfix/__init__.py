"""What Postfix says and does: its log, its queue, its configuration, its commands."""
