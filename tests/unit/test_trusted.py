"""Root goes by nothing that somebody else could change, be it the file, its folder, or what a link leads to."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bmtop.checked import Refused
from bmtop.server import CommandFailed, Server
from bmtop.trusted import refuse_others

NOBODY = 65534


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in a folder, both root's."""
    path = tmp_path / "bin" / "tool"
    path.parent.mkdir(mode=0o755)
    path.write_text("#!/bin/sh\necho ran\n")
    path.chmod(0o755)
    return path


def given_away(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def writable_by_all(path: Path) -> None:
    path.chmod(0o777)


def writable_by_a_group(path: Path) -> None:
    os.chown(path, 0, NOBODY)
    path.chmod(0o775)


@pytest.mark.parametrize("spoil", [given_away, writable_by_all, writable_by_a_group])
@pytest.mark.parametrize("place", ["tool", "."])
def test_root_runs_no_program_that_others_can_change(program: Path, place: str, spoil: Callable[[Path], None]) -> None:
    assert Server((str(program.parent),)).run("tool").out == b"ran\n"
    spoil(program.parent / place)
    with pytest.raises(CommandFailed, match="could be changed by others than root"):
        Server((str(program.parent),)).run("tool")


def test_nor_one_that_a_link_of_others_leads_to(program: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "tool").symlink_to(program)
    assert Server((str(theirs),)).run("tool").out == b"ran\n"
    given_away(theirs)
    with pytest.raises(CommandFailed, match="could be changed"):
        Server((str(theirs),)).run("tool")


def test_nor_one_in_a_folder_of_others_behind_a_link(program: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tool").symlink_to(program)
    given_away(program.parent)
    with pytest.raises(CommandFailed, match="could be changed"):
        Server((str(mine),)).run("tool")


def test_a_folder_that_all_may_add_to_is_no_danger_to_what_is_roots(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (tmp_path / "file").touch()
    refuse_others(tmp_path / "file", "The file")


def test_what_is_not_there_yet_is_as_good_as_the_folder_above(tmp_path: Path) -> None:
    refuse_others(tmp_path / "a" / "b", "The folder")
    given_away(tmp_path)
    with pytest.raises(Refused, match=f"owner or mode of {tmp_path}"):
        refuse_others(tmp_path / "a" / "b", "The folder")
