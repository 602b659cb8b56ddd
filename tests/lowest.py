"""The lowest versions that pyproject.toml allows at run time, and what the tests need besides: for `pip install -r`."""

import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def lowest(requirement: Requirement) -> Requirement:
    """Return the requirement of the version behind its `>=`. Raises `ValueError` where there is none, or several."""
    (version,) = [part.version for part in requirement.specifier if part.operator == ">="]
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return Requirement(f"{requirement.name}=={version}{marker}")


def main() -> None:
    """Print them, one a line."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    run_time = [lowest(Requirement(line)) for line in project["dependencies"]]
    names = {requirement.name for requirement in run_time}
    tests = [Requirement(line) for line in project["optional-dependencies"]["tests"]]
    for requirement in (*run_time, *(one for one in tests if one.name not in names)):
        print(requirement)


if __name__ == "__main__":
    main()
