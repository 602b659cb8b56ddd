"""The soak's command line: `python -m tests.soak [--minutes 30]`. Exit status 1 where something was wrong."""

import argparse
import sys

from tests.mailserver import PostfixError

from .soak import soak
from .truth import Wrong


def main() -> int:
    """Say what happens, and in the end a short table."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Leave a console no rest for long.")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="about so long (%(default)g)")
    minutes = parser.parse_args().minutes
    try:
        findings = soak(minutes, lambda line: print(line, flush=True))
    except (Wrong, PostfixError, AssertionError, TimeoutError) as error:
        print(f"WRONG: {error}", file=sys.stderr)
        return 1
    print()
    for finding in findings:
        print(f"{'ok' if finding.right else 'WRONG':5}  {finding.what}: {finding.figures}")
    return 0 if all(finding.right for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
