"""What bmtop does to the server: every action is gated, journalled, and ends in a result to check."""
