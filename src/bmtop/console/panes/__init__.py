"""A file a pane: its columns, its sentences, its widget."""
