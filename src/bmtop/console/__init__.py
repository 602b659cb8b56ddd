"""What the administrator sees and presses. The only place that knows Textual."""
