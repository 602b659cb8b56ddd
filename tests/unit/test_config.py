"""The settings: who wins, what is refused with a sentence, and what root does not go by."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmtop import config
from bmtop.checked import Refused
from bmtop.server import home

NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's settings file, here an empty one; no other is read."""
    path = tmp_path / "bmtop.toml"
    path.touch(0o644)
    monkeypatch.setattr(config, "SYSTEM_FILE", path)
    monkeypatch.setattr(config, "OWN_FILE", f"no-such-folder/{tmp_path.name}.toml")
    return path


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    file.write_text('threshold = 1\nwindow = "1h"\nlog = "/f"\n')
    found = config.load({"threshold": "3", "log": None}, {"BMTOP_THRESHOLD": "2", "BMTOP_WINDOW": "2h"})
    assert (found.threshold, found.window, found.log) == (3, 7200, Path("/f"))


@pytest.mark.parametrize(
    "text",
    [
        'path = "/usr/bin"',
        'path = ["bin"]',
        'path = [""]',
        'path = ["/bin", "."]',
        "path = [1]",
        'own_addresses = "192.0.2.1"',
        'log = "a\\u0000b"',
        'log = ""',
        "log = 1",
        'read_only = "ja"',
        "read_only = 2",
        "threshold = 0",
        "threshold = -5",
        "undo_keep = nan",
        "undo_keep = inf",
        "undo_keep = -1",
        "undo_size = 0",
        'window = "x"',
        "domain_aliases = 1",
        "reasons = {bogus = 1}",
        "accounts = 1",
        'unknown = "x"',
        '"\\u001b[2J" = 1',
        "not toml",
        "[",
    ],
)
def test_a_value_that_is_not_understood_is_refused_with_a_sentence(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(Refused) as caught:
        config.load({}, {})
    assert str(file) in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_settings_or_refused(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    with contextlib.suppress(Refused):
        config.load({}, {})


def test_a_file_that_cannot_be_read_is_a_sentence(file: Path) -> None:
    file.unlink()
    file.mkdir()
    with pytest.raises(Refused, match="cannot be read"):
        config.load({}, {})


def test_an_empty_variable_sets_nothing(file: Path) -> None:
    found = config.load({}, {"BMTOP_LOG": "", "BMTOP_READ_ONLY": "", "BMTOP_PATH": "/tmp"})
    assert (found.log, found.read_only) == (None, False)
    assert "/tmp" not in found.path, "where commands are looked for is not for the environment to say"


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("spoiled", ["file", "folder"])
def test_root_reads_no_settings_that_others_can_change(file: Path, spoiled: str, chosen: bool) -> None:
    file.write_text("threshold = 7\n")
    assert config.load({}, {}, file if chosen else None).threshold == 7
    os.chown(file if spoiled == "file" else file.parent, NOBODY, NOBODY)
    with pytest.raises(Refused, match=r"settings file .* could be changed by others than root"):
        config.load({}, {}, file if chosen else None)


def test_root_does_not_go_by_the_home_of_who_called_sudo(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "OWN_FILE", "own.toml")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.toml").write_text('bm_cli = "/tmp/evil"\n')
    assert config.load({}, {}).bm_cli == "/usr/bin/bm-cli"
    assert config.load({"log": "~/x"}, {}).log == Path(home(), "x")


@pytest.mark.parametrize("flag", ["state", "postfix"])
def test_root_puts_nothing_where_others_could_swap_it(file: Path, tmp_path: Path, flag: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    config.load({flag: str(folder / "new")}, {})
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(Refused, match="could be changed by others than root"):
        config.load({flag: str(folder / "new")}, {})


def test_what_is_wrong_with_a_value_is_a_sentence_with_one_end() -> None:
    with pytest.raises(Refused, match=r"write it like 90s, 15m, 1h or 7d\.$"):
        config.load({"window": "x"}, {})
    with pytest.raises(Refused, match=r"[^.]\.$"):
        config.load({}, {"BMTOP_THRESHOLD": "many"})
