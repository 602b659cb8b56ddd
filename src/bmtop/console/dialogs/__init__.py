"""A file a dialog. In each, Cancel has the focus, and escape cancels."""
