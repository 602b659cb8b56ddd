"""The benchmarks' short form: that bmtop and its peers agree on the results. How long it takes is nobody's test."""

import json
import subprocess
import sys
from pathlib import Path


def test_no_result_of_the_short_form_is_wrong(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--short", "--json", str(results)],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text())
    assert found["wrong"] == []
    assert {row["peer"] for row in found["rows"]} >= {"lnav", "pflogsumm", "postqueue -j alone", "postsuper -d - alone"}
    assert all(row["samples"] for row in found["rows"])
