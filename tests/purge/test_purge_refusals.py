"""What bmtop does not do: each time with a sentence that says why, exit status 2, and the queue as it was."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bmtop.response import subjects
from tests.mailserver import Client, Message, Player, Postfix
from tests.mailserver.postfix import run
from tests.purge.commandline import HERE, Bmtop, Said, clear, labels, raw

ALICE, CAROL = "alice@example.com", "carol@example.com"
NOBODY = 65534


@pytest.fixture
def postfix(shared_postfix: Postfix) -> Postfix:
    """What is in the queue stays for the next test: hardly one of them changes it."""
    shutil.rmtree(shared_postfix.folder / "state", ignore_errors=True)
    return shared_postfix


@pytest.fixture
def before(postfix: Postfix) -> dict[str, bytes]:
    """A few messages, as they lie in the queue."""
    if len(raw(postfix)) != 4:
        clear(postfix)
        player = Player(postfix)
        letters = [Message("spam", "x@lottery.example", (f"v{n}@bank.example",), "a" * 40 + "!") for n in range(3)]
        player.send(Client("203.0.113.60"), letters, ALICE)
        player.send(Client("198.51.100.7"), [Message("carol", CAROL, ("v@bank.example",))], CAROL)
        postfix.settle()
    return raw(postfix)


def refused(said: Said, *words: str) -> None:
    assert (said.status, said.out) == (2, ""), said
    sentence = said.err.splitlines()[-1]
    assert sentence.startswith("bmtop"), said.err
    assert sentence.endswith("."), said.err
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--id", "ALL"], ["'ALL' is not a queue id"]),
        (["--id", "-"], ["'-' is not a queue id"]),
        (["--id", ""], ["'' is not a queue id"]),
        (["--id", "*"], ["is not a queue id"]),
        (["--id", "../../etc/passwd"], ["is not a queue id"]),
        (["--id", "ABCDEF01234\nALL"], ["is not a queue id"]),
        (["--id", "ABCDEF01234\n"], ["is not a queue id"]),
        (["--id", "abcdef01234"], ["is not a queue id"]),
        ([], ["No filter was given"]),
        (["--not-client", "198.51.100.0/24"], ["No filter was given"]),
        (["--login", ""], ["login", "empty"]),
        (["--sender", ""], ["sender", "empty", "'<>'"]),
        (["--sender", "@"], ["sender", "empty"]),
        (["--recipient", " "], ["recipient", "empty"]),
        (["--subject", ""], ["subject", "empty"]),
        (["--subject", "("], ["'(' is no regular expression"]),
        (["--client", "203.0.113.60/24"], ["no address or range"]),
        (["--client", "everyone"], ["no address or range"]),
        (["--since", "yesterday"], ["no moment"]),
        (["--finish", "--login", ALICE], ["--finish takes neither"]),
    ],
)
@pytest.mark.parametrize("action", ["purge", "hold"])
def test_bad_input(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, action: str, arguments: list[str], words: list[str]
) -> None:
    refused(bmtop(action, *arguments, "--yes"), *words)
    assert raw(postfix) == before


def test_a_pattern_that_never_ends(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subjects, "PATIENCE", 1.0)
    refused(bmtop("purge", "--subject", "(a+)+$", "--yes"), "could not be matched within 1 seconds")
    assert raw(postfix) == before


def test_read_only(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop) -> None:
    for action in ("purge", "hold"):
        refused(bmtop("--read-only", action, "--login", ALICE, "--yes"), "read-only")
    refused(bmtop("--read-only", "undo", "20260101-000000-abcd", "--yes"), "read-only")
    assert bmtop("--read-only", "purge", "--login", ALICE, "--dry-run").status == 0
    assert raw(postfix) == before
    assert not bmtop.state.exists()


def as_nobody(act: Callable[[], Said]) -> Said:
    """Do it in a process without any right."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        said = act()
        os.write(writing, f"{said.out}\0{said.err}".encode())
        os._exit(said.status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        out, err = pipe.read().split("\0")
    return Said(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), out, err)


@pytest.fixture
def listing_for_all(postfix: Postfix, before: dict[str, bytes]) -> Iterator[Bmtop]:
    """A bmtop for which everybody may list the queue, as everybody may with the system's own Postfix."""
    folder = postfix.folder / "bin"
    folder.mkdir()
    (folder / "listing").write_bytes(run("postqueue", "-c", str(postfix.etc), "-j").stdout)
    (folder / "postqueue").write_text(f"#!/bin/sh\nexec cat {folder}/listing\n")
    (folder / "postqueue").chmod(0o755)
    settings = folder / "bmtop.toml"
    settings.write_text(f'path = ["{folder}", "/usr/sbin", "/usr/bin", "/bin"]\n')
    yield Bmtop(postfix, None, "--config", str(settings))
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "options", [["--login", ALICE], ["--client", "203.0.113.60"], ["--sender", "@lottery.example"]]
)
@pytest.mark.parametrize("action", ["purge", "hold"])
def test_without_the_rights_of_root(
    postfix: Postfix, before: dict[str, bytes], listing_for_all: Bmtop, action: str, options: list[str]
) -> None:
    refused(as_nobody(lambda: listing_for_all(action, *options, "--yes")), "run `sudo bmtop`")
    assert raw(postfix) == before
    # What is in the listing can be looked at, nevertheless.
    looked = as_nobody(lambda: listing_for_all("purge", "--sender", "@lottery.example", "--dry-run", "--json"))
    assert (looked.status, len(looked.json["selected"])) == (0, 3)


def test_where_the_queue_cannot_even_be_listed(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop) -> None:
    said = as_nobody(lambda: bmtop("purge", "--sender", "@lottery.example", "--yes"))
    assert (said.status, said.out) == (4, "")
    assert "postqueue failed" in said.err
    assert raw(postfix) == before


def test_nothing_is_done_without_being_asked_for(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop) -> None:
    said = bmtop("purge", "--login", ALICE)
    assert (said.status, said.out) == (2, "")
    assert "--yes" in said.err
    assert raw(postfix) == before


def test_nothing_is_done_where_the_journal_cannot_be_written(
    postfix: Postfix, before: dict[str, bytes], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.symlink_to(tmp_path)
    refused(Bmtop(postfix, state)("purge", "--login", ALICE, "--yes"), "link")
    file = tmp_path / "file"
    file.touch()
    refused(Bmtop(postfix, file / "state")("purge", "--login", ALICE, "--yes"), "not a directory")
    assert raw(postfix) == before


def at_a_terminal(bmtop: Bmtop, typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where somebody sits at a terminal, and types that."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "bmtop", *bmtop.options, *arguments],
            stdin=theirs, capture_output=True, text=True, timeout=60,
            env={"PYTHONPATH": str(HERE / "src"), "PATH": os.environ["PATH"]},
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_filter_that_means_everything_asks_for_the_count(
    postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop
) -> None:
    everything = ("purge", "--client", "0.0.0.0/0")
    for typed in ("yes", "y", "3", ""):
        said = at_a_terminal(bmtop, typed, *everything)
        assert said.returncode == 2
        assert "all that is in the queue" in said.stderr
        assert raw(postfix) == before
    assert at_a_terminal(bmtop, "4", *everything).returncode == 0
    assert raw(postfix) == {}


def test_a_few_messages_ask_for_a_yes(postfix: Postfix, before: dict[str, bytes], bmtop: Bmtop) -> None:
    assert at_a_terminal(bmtop, "no", "purge", "--login", ALICE).returncode == 2
    assert raw(postfix) == before
    assert at_a_terminal(bmtop, "yes", "purge", "--login", ALICE).returncode == 0
    assert labels(postfix) == {"carol": 1}
