"""The program's beginning: of `python -m bmtop`, of the command `bmtop`, and of the single-file form."""

import gc
import os
import sys


def _leave_out_current_folder() -> None:
    """Python looks for modules in the current folder first: what others put there would be loaded as root."""
    ours = os.path.dirname(os.path.dirname(__file__))
    if not getattr(sys.flags, "safe_path", False) and sys.path[0] != ours and os.path.isdir(sys.path[0] or "."):
        del sys.path[0]


def main() -> int:
    """Run the command line and return its exit status."""
    # Nothing that is loaded is rubbish, and to look for some takes a twentieth of the start.
    gc.disable()
    from bmtop import cli

    return cli.main()


if __name__ == "__main__":
    _leave_out_current_folder()
    sys.exit(main())
