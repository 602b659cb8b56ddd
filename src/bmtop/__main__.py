"""`python -m bmtop`, and the entry of the single-file form."""

import os
import sys

# Python looks for modules in the current folder first: what others put there would be loaded as root.
_OURS = os.path.dirname(os.path.dirname(__file__))
if not getattr(sys.flags, "safe_path", False) and sys.path[0] != _OURS and os.path.isdir(sys.path[0] or "."):
    del sys.path[0]

from bmtop.cli import main  # noqa: E402

sys.exit(main())
