"""The journal: there before an action and after it, readable after any crash, and nobody else's to read or write."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from bmtop import report
from bmtop.checked import QueueId, Refused
from bmtop.commands import postfix_of
from bmtop.config import Settings
from bmtop.incident.message import Envelope, Message
from bmtop.response.gate import Gate
from bmtop.response.journal import Journal, whoami
from bmtop.response.pending import Pending
from bmtop.response.responder import Responder

MESSAGE = Message(QueueId("ABCDE012345"), "deferred", 17, 300, "s@x.example", (), envelope=Envelope("bob", None))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gate(state: Path) -> Gate:
    return Gate(state, Journal(state), read_only=False)


def lines(state: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (state / "journal.jsonl").read_text().splitlines()]


def test_an_action_is_written_before_and_after_with_all_that_is_known(state: Path, gate: Gate) -> None:
    told = {"filter": {"login": "bob"}, "messages": [MESSAGE], "undo": "20260101-000000-abcd"}
    with gate.action("purge", "bob", **told) as step:  # type: ignore[arg-type]
        (begun,) = lines(state)
        step.details.update(command=["postsuper", "-d", "-"], status=0)
        step.sentence = "Deleted 1 of 1 messages."
    before, after = lines(state)
    assert before == begun
    assert before | {"time": 0, "number": ""} == {
        "number": "", "time": 0, "who": "root", "action": "purge", "target": "bob", "state": "begun", "sentence": "",
        "filter": {"login": "bob"}, "ids": ["ABCDE012345"], "command": [], "status": None,
        "undo": "20260101-000000-abcd",
    }  # fmt: skip
    assert (after["number"], after["state"]) == (before["number"], "done")
    assert (after["command"], after["status"]) == (["postsuper", "-d", "-"], 0)
    assert after["sentence"] == "Deleted 1 of 1 messages."


def test_it_is_nobody_elses(state: Path, gate: Gate) -> None:
    with gate.action("purge", "bob", messages=[MESSAGE]):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.iterdir())}
    assert modes == {"state": 0o700, "journal.jsonl": 0o600, "lock": 0o600, "pending": 0o700}
    state.chmod(0o755)
    with gate.action("purge", "bob"):
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_an_error_is_in_it(state: Path, gate: Gate) -> None:
    def fail(error: Exception) -> None:
        with gate.action("purge", "bob", messages=[MESSAGE]) as step:
            step.sentence = "So far, so good."
            raise error

    for error, sentence in ((Refused("No."), "No."), (KeyError("x"), "It was stopped (KeyError). So far, so good.")):
        with pytest.raises(type(error)):
            fail(error)
        assert (lines(state)[-1]["state"], lines(state)[-1]["sentence"]) == ("failed", sentence)
        assert not gate.unfinished()


def test_a_line_that_was_cut_off_hides_neither_the_one_before_nor_the_one_after(state: Path, gate: Gate) -> None:
    with gate.action("hold", "bob"):
        pass
    with (state / "journal.jsonl").open("a") as journal:
        journal.write('{"number": "x", "time": 1, "who"')
    with gate.action("hold", "alice"):
        pass
    with (state / "journal.jsonl").open("ab") as journal:
        journal.write(b"\xff\xfe[]\n{}\nnull\n")
    assert [(e.target, e.state) for e in Journal(state).entries(10)] == [
        ("bob", "begun"), ("bob", "done"), ("alice", "begun"), ("alice", "done"),
    ]  # fmt: skip


def test_another_journal_sees_it_at_once_and_also_after_rotation(state: Path, gate: Gate) -> None:
    other = Journal(state)
    assert other.entries(10) == ()
    with gate.action("hold", "bob"):
        assert [e.state for e in other.entries(10)] == ["begun"]
        assert other.entries(0) == ()
    assert [e.state for e in other.entries(10)] == ["begun", "done"]
    (state / "journal.jsonl").rename(state / "journal.jsonl.1")
    with gate.action("hold", "carol"):
        pass
    assert [e.target for e in other.entries(10)] == ["carol", "carol"]


def test_threads_that_read_the_same_journal_at_once_see_each_line_once(state: Path, gate: Gate) -> None:
    with gate.action("hold", "bob"):
        pass
    line = (state / "journal.jsonl").read_text().splitlines()[0]
    with (state / "journal.jsonl").open("w") as file:
        file.writelines(line.replace('"bob"', f'"{n}"') + "\n" for n in range(2000))
    for _ in range(20):
        journal, together = Journal(state), Barrier(8)

        def look(journal: Journal = journal, together: Barrier = together) -> tuple[str, ...]:
            together.wait(30)
            return tuple(entry.target for entry in journal.entries(10_000))

        with ThreadPoolExecutor(8) as threads:
            seen = {look.result() for look in [threads.submit(look) for _ in range(8)]}
        assert seen == {tuple(str(n) for n in range(2000))}


UNDER_WAY = """
import os, sys
from pathlib import Path
from tests.unit.response.test_response_journal import MESSAGE
from bmtop.response.gate import Gate
from bmtop.response.journal import Journal
state = Path(sys.argv[1])
messages = [MESSAGE] if sys.argv[2] == "purge" else []
with Gate(state, Journal(state), read_only=False).action(sys.argv[2], "bob", messages=messages):
    print("begun", flush=True)
    sys.stdin.read()
"""


@contextmanager
def under_way(state: Path, action: str) -> "Iterator[subprocess.Popen[str]]":
    """A process in the middle of an action."""
    with subprocess.Popen(
        [sys.executable, "-c", UNDER_WAY, str(state), action], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process


def test_an_action_that_runs_is_not_unfinished_and_one_that_was_killed_is(state: Path, gate: Gate) -> None:
    with under_way(state, "purge") as process:
        assert gate.unfinished() == ()
        process.kill()
        process.wait()
        (entry,) = gate.unfinished()
        assert (entry.action, entry.target, entry.ids) == ("purge", "bob", ("ABCDE012345",))
        (message,) = gate.messages(entry)
        assert (message.id, message.arrival, message.size, message.login) == ("ABCDE012345", 17, 300, "bob")
        # Somebody else's action does not forget it.
        with gate.action("hold", "alice", messages=[MESSAGE]):
            pass
        assert gate.unfinished() == (entry,)
        assert gate.messages(entry) == (message,)
        with gate.resume(entry, "It was finished.") as step:
            step.sentence = "All well."
        assert gate.unfinished() == ()
        assert lines(state)[-1]["sentence"] == "It was finished. All well."
        assert not list((state / "pending").iterdir())
        with pytest.raises(Refused, match="meanwhile"), gate.resume(entry, "Again."):
            pass


def test_it_stays_unfinished_where_finishing_fails(state: Path, gate: Gate) -> None:
    with under_way(state, "purge") as process:
        process.kill()
        process.wait()
        (entry,) = gate.unfinished()
        with pytest.raises(Refused), gate.resume(entry, "It was finished."):
            raise Refused("No.")
        assert gate.unfinished() == (entry,)


def test_an_action_on_an_account_is_over_once_the_same_was_done_again(state: Path, gate: Gate) -> None:
    with under_way(state, "logout") as process:
        process.kill()
        process.wait()
        assert [entry.action for entry in gate.unfinished()] == ["logout"]
        with gate.action("logout", "alice"):
            pass
        assert [entry.action for entry in gate.unfinished()] == ["logout"]
        with gate.action("logout", "bob"):
            pass
        assert gate.unfinished() == ()


def test_a_full_disk_stops_an_action_before_it_begins(state: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with gate.action("hold", "bob"):
        pass
    before = (state / "journal.jsonl").read_bytes()
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"begun"' not in data:
            return real(descriptor, data)
        real(descriptor, data[:7])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    began = False
    with pytest.raises(Refused, match="no space left"), gate.action("purge", "bob"):
        began = True
    assert not began
    # Not even half a line is left.
    assert (state / "journal.jsonl").read_bytes() == before


@pytest.fixture
def end_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for the end of an action."""
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"state": "begun"' in data or b'"number"' not in data:
            return real(descriptor, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)


@pytest.mark.usefixtures("end_less")
def test_an_action_whose_end_cannot_be_written_is_done_with_a_note(state: Path, gate: Gate) -> None:
    with gate.action("purge", "bob", messages=[MESSAGE]) as step:
        pass
    (note,) = step.unwritten
    assert "no space left on device" in note
    assert "make room" in note
    (entry,) = gate.unfinished()
    assert [m.id for m in gate.messages(entry)] == [MESSAGE.id]
    # What had failed says why, whatever the journal takes.
    with pytest.raises(Refused, match=r"^No\.$"), gate.action("hold", "bob"):
        raise Refused("No.")


@pytest.mark.usefixtures("end_less")
def test_what_is_nothing_but_a_line_of_the_journal_is_refused(state: Path, gate: Gate) -> None:
    (state.parent / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {state.parent}\n")
    settings = Settings(state=state, postfix=state.parent)
    responder = Responder(settings, postfix_of(settings))
    with pytest.raises(Refused, match="no space left"):
        responder.note("watch", "bob", "All is quiet.", ok=True)
    (entry,) = responder.unfinished()
    with pytest.raises(Refused, match="asked again"):
        responder.leave(entry)
    assert responder.unfinished() == (entry,)


def test_a_journal_or_lock_that_is_a_link_is_not_followed(state: Path, gate: Gate, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for name in ("journal.jsonl", "lock"):
        state.mkdir(exist_ok=True)
        (state / name).unlink(missing_ok=True)
        (state / name).symlink_to(target)
        with pytest.raises(Refused), gate.action("purge", "bob"):
            pass
        assert not target.exists()
        (state / name).unlink()


def test_a_folder_in_its_place_is_said_and_left_alone(state: Path) -> None:
    (state / "journal.jsonl").mkdir(parents=True)
    journal, before = Journal(state), set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert journal.entries(9) == ()
        assert journal.problem == (
            f"The journal {state / 'journal.jsonl'} cannot be read (is a directory); see what is there."
        )
    assert set(os.listdir("/proc/self/fd")) == before, "nothing is left open"
    (state / "journal.jsonl").rmdir()
    assert (journal.entries(9), journal.problem) == ((), "")


def test_a_disk_that_fails_while_it_is_read_is_said(state: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    with gate.action("purge", "bob"):
        pass
    journal = Journal(state)

    def fails(descriptor: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(os, "fstat", fails)
        assert journal.entries(9) == ()
        assert journal.problem.endswith("cannot be read (input/output error); see what is there.")
    assert [e.state for e in journal.entries(9)] == ["begun", "done"]
    assert journal.problem == ""


@pytest.mark.parametrize("time", ["1e20", "-1e20", "Infinity", "NaN", "1e400", "1" + 400 * "0"], ids=lambda t: t[:8])
def test_a_line_of_no_time_that_a_clock_shows_is_no_entry(state: Path, gate: Gate, time: str) -> None:
    with gate.action("purge", "bob"):
        pass
    path = state / "journal.jsonl"
    good = path.read_text()
    strange = json.dumps(lines(state)[0] | {"time": "T", "number": "x"}).replace('"T"', time)
    path.write_text(f"{good}{strange}\n{good}")
    entries = Journal(state).entries(9)
    assert [e.state for e in entries] == ["begun", "done"] * 2
    assert all(report.iso(e.time) for e in entries)


def test_a_line_that_is_nested_without_end_is_no_entry(state: Path, gate: Gate) -> None:
    with gate.action("purge", "bob"):
        pass
    with (state / "journal.jsonl").open("a") as file:
        file.write("[" * 100_000 + "\n")
    assert [e.state for e in Journal(state).entries(9)] == ["begun", "done"]


def test_what_is_pending_is_given_back_as_it_was(state: Path) -> None:
    strange = Message(
        QueueId("ABCDE012346"), "hold", 1, 0, "c\udcffo@x.example", (), envelope=Envelope(None, "2001:db8::1")
    )
    pending = Pending(state)
    pending.write("one", [MESSAGE, strange])
    again = pending.read("one")
    assert [(m.id, m.queue, m.arrival, m.size, m.sender, m.login, m.client) for m in again] == [
        (m.id, m.queue, m.arrival, m.size, m.sender, m.login, m.client) for m in (MESSAGE, strange)
    ]
    pending.forget_all_but({"one"})
    assert pending.read("one") == again
    pending.forget_all_but(())
    with pytest.raises(Refused):
        pending.read("one")


def test_who_is_the_user_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self, **how: "4294967295")
    monkeypatch.setenv("SUDO_USER", "daemon")
    assert whoami() == "daemon"
    monkeypatch.setenv("SUDO_USER", "no such user")
    assert whoami() == str(os.getuid())
    monkeypatch.delenv("SUDO_USER")
    assert whoami() == "root"
    monkeypatch.setattr(Path, "read_text", lambda self, **how: "1")
    assert whoami() == "daemon"
