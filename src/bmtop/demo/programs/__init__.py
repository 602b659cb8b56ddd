"""The programs in the toy's `bin`, each a stand-in for one of Postfix's, BlueMind's or Linux'. A file a program."""

import os
import sys
from importlib import import_module
from pathlib import Path

NAMES = ("postqueue", "postsuper", "postcat", "postconf", "postfix", "bm-cli", "ss")


def main(name: str, folder: str) -> int:
    """Run the program `name` of the toy in `folder` on the command line; return its exit status.

    The command line begins with how the program was called.
    """
    del sys.argv[0]
    program = import_module(f"bmtop.demo.programs.{name.replace('-', '_')}")
    try:
        status: int = program.run(Path(folder), sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on: as quiet about it as the real programs.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
