"""bm-cli's stand-in has the manners, and the traps, that BlueMind's source shows."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from bmtop.demo.accounts import hashed
from bmtop.demo.folder import lay_out
from bmtop.demo.maincf import MainCf
from bmtop.demo.toy import Toy


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return lay_out(tmp_path, 1_795_000_000.0)


def bm_cli(toy: Toy, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([toy.bm_cli, *arguments], capture_output=True, text=True, timeout=60)


def hashes(toy: Toy) -> dict[str, str]:
    data = json.loads((toy.folder / "accounts.json").read_text())
    return {account["email"]: account["hash"] for account in data["accounts"]}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {email for email in before if before[email] != after[email]}


def test_logout_names_its_options_on_standard_error_and_ends_with_2(toy: Toy) -> None:
    asked = bm_cli(toy, "user", "logout", "--help")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "Usage: bm-cli user logout (--uid=<userUid> | --email=<userEmail>)\n" in asked.stderr


def test_help_before_the_command_is_the_way_that_ends_well(toy: Toy) -> None:
    asked = bm_cli(toy, "user", "help", "logout")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "--email=<userEmail>   User email to logout\n" in asked.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("user", "logout", "--email", "sales@example.com"), 0, ""),
        (("user", "logout", "--email=orders@example.com"), 0, ""),
        (("user", "logout", "sales@example.com"), 2, "Unmatched argument at index 2: 'sales@example.com'"),
        (("user", "logout"), 2, "Error: Missing required argument (specify one of these): (--uid="),
        (("user", "logout", "--email=nobody@example.com"), 1, "User nobody@example.com not found"),
        (("user", "logout", "--email=nobody"), 1, "Invalid email : nobody"),
        (("user", "logout", "--email=x@example.org"), 1, "Invalid or unknown domain : example.org"),
        (("user", "update", "nobody@example.com", "--password", "x"), 1, "No mailbox matches nobody@example.com"),
        (("user", "update", "a b@example.com", "--password", "x"), 1, "Target is not a valid email a b@example.com"),
        (("user", "update", "sales@example.com", "--password", " "), 1, "Password must not be empty"),
        (("user", "update", "--password", "x"), 2, "Error: Missing required argument"),
        (("user", "update", "sales@example.com", "--password", "Fresh-4711"), 0, ""),
        (("user", "nonsense"), 51, "Unmatched argument at index 1: 'nonsense'"),
        (("nonsense",), 51, "Unmatched argument at index 0: 'nonsense'"),
        (("sysconf", "set", "mynetworks"), 2, "Missing required option: '--value=<value>'"),
        (("sysconf", "set", "mynetworks", "--value", "10.0.0.0/33"), 1, "Invalid mynetworks: 10.0.0.0/33"),
        (("sysconf", "set", "mynetworks", "--value", "host"), 1, "Invalid mynetworks: host - must contain only IP"),
    ],
)  # fmt: skip
def test_errors_go_to_standard_error_with_a_status(
    toy: Toy, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = bm_cli(toy, *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""
    assert bool(done.stderr) == bool(said)


def test_a_failure_of_the_server_is_only_said(toy: Toy) -> None:
    before = hashes(toy)
    done = bm_cli(toy, "user", "update", "accounting@example.com", "--password", "Fresh-4711")
    assert done.returncode == 0
    assert "\x1b[31mError handling accounting@example.com: " in done.stderr
    assert hashes(toy) == before


@pytest.mark.parametrize("target", ["all", "example.com"])
def test_a_target_without_an_at_is_everyone(toy: Toy, target: str) -> None:
    before = hashes(toy)
    assert bm_cli(toy, "user", "update", target, "--password", "Fresh-4711").returncode == 0
    assert changed(before, hashes(toy)) == set(before) - {"accounting@example.com"}


@pytest.mark.parametrize(
    ("password", "written"),
    [
        ("Plain-4711", "--password Plain-4711\n"),
        ("Qu\"ote \\back #hash's", '--password "Qu\\"ote \\\\back #hash\'s"\n'),
        ("twolines", "--password\n'twolines'\n# a comment"),
    ],
)
def test_a_password_can_come_from_a_file(toy: Toy, tmp_path: Path, password: str, written: str) -> None:
    given = tmp_path / "arguments"
    given.write_text(written)
    assert bm_cli(toy, "user", "update", "sales@example.com", f"@{given}").returncode == 0
    from_file = json.loads((toy.folder / "accounts.json").read_text())["accounts"][0]
    assert from_file["hash"] == hashed(password, from_file["salt"])


def test_sessions_and_users_are_told_as_json(toy: Toy) -> None:
    sessions = json.loads(bm_cli(toy, "user", "sessions", "--json").stdout)
    assert len(sessions) == 6
    assert {"created", "email", "domainUid", "userUid", "origin", "remoteAddresses"} == set(sessions[0])
    user = json.loads(bm_cli(toy, "user", "get", "orders@example.com", "--display", "email uid aliases login").stdout)
    assert user["email"] == "sales@example.com"
    assert user["aliases"] == ["sales@example.com", "orders@example.com"]
    assert user["uid"] in {session["userUid"] for session in sessions}


def test_a_setting_is_changed_in_main_cf_too_and_an_exclusion_becomes_a_trust(toy: Toy) -> None:
    shown = bm_cli(toy, "sysconf", "list").stdout
    assert re.search(r"^\|         mynetworks \| +192\.0\.2\.0/24, 127\.0\.0\.0/8, 192\.0\.2\.10 \|$", shown, re.M)
    done = bm_cli(toy, "sysconf", "set", "mynetworks", "--value", "!192.0.2.80, 192.0.2.0/26")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    value = "192.0.2.80, 192.0.2.0/26, 127.0.0.0/8, 192.0.2.10"
    assert MainCf(toy.config_directory).value("mynetworks") == value
    assert value in bm_cli(toy, "sysconf", "list").stdout
    assert "reload -- version" in toy.log.read_text()
