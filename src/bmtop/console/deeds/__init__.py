"""From a key to a result: ask, act in a thread, show what came of it. A file a kind of action."""
