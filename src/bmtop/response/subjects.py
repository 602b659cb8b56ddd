"""Which subjects a pattern fits, found out in a process of its own: a pattern can take for ever, and Python's
matching lets nothing else run meanwhile and cannot be told to stop."""

import json
import sys
from collections.abc import Mapping

from bmtop.checked import QueueId, Refused
from bmtop.server import CommandFailed, Server

PATIENCE = 10.0

_MATCH = """
import json, re, sys
pattern, subjects = json.load(sys.stdin)
find = re.compile(pattern).search
json.dump([number for number, subject in enumerate(subjects) if find(subject)], sys.stdout)
"""


def matching(server: Server, pattern: str, subjects: Mapping[QueueId, str]) -> frozenset[QueueId]:
    """Return the ids whose subject `pattern` (as Python's re has it) is found in.

    Raises `Refused` where that takes longer than `PATIENCE` seconds.
    """
    ids = list(subjects)
    given = json.dumps([pattern, list(subjects.values())]).encode("ascii")
    try:
        result = server.run(sys.executable, "-I", "-S", "-c", _MATCH, give=given, timeout=PATIENCE)
        result.check("See whether the pattern is a regular expression.")
    except CommandFailed as error:
        raise Refused(
            f"The pattern {pattern[:80]!a} could not be matched within {PATIENCE:.0f} seconds; take a simpler one."
            if error.result is None
            else str(error)
        ) from None
    return frozenset(ids[number] for number in json.loads(result.out))
