"""The toy's mail server at work: what comes of the story's beats, as log lines and queue files."""
