"""Play every kind of incident on a real Postfix, and print the table: `python -m tests.detection`."""

import sys

from .kinds import KINDS
from .stage import postfix_for_all
from .verdict import outcome, table


def main() -> int:
    """Print the table; exit status 1 where somebody guilty was missed, or an honest one accused."""
    with postfix_for_all() as postfix:
        outcomes = [outcome(kind, postfix) for kind in KINDS]
    print(table(outcomes))
    right = all(len(one.hits) == one.wanted and not one.false_alarms for one in outcomes)
    return 0 if right and all(one.relays == one.truth.relays for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
