"""The toy's programs say what the real ones say, on the toy's queue and on a real Postfix's."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmtop.demo.folder import lay_out
from bmtop.demo.story import Player as Story
from bmtop.demo.toy import Toy
from tests.demo.conftest import Programs, make_toy, of_postfix, of_toy
from tests.mailserver import Client, Message, Player, Postfix


def queue_files(toy: Toy) -> dict[str, Path]:
    folders = (toy.queue_directory / name for name in ("incoming", "active", "deferred", "hold", "maildrop"))
    return {path.name: path for folder in folders for path in folder.rglob("*") if path.is_file()}


def listing(out: bytes) -> dict[str, object]:
    return {entry["queue_id"]: entry for entry in map(json.loads, out.splitlines())}


def paragraphs(out: bytes) -> list[bytes]:
    return sorted(out.split(b"\n\n"))


@pytest.mark.parametrize("parts", ["-eq", "-q", "-hq", "-bq", "-bhq", "-ehq", "-ebq"])
def test_the_real_postcat_reads_the_toys_files_as_its_own_does(shared_toy: Toy, real: Programs, parts: str) -> None:
    ids = sorted(queue_files(shared_toy))
    assert len(ids) > 300
    toys, reals = of_toy(shared_toy).run("postcat", parts, *ids), real.run("postcat", parts, *ids)
    assert reals.returncode == 0, reals.stderr
    assert toys.stdout == reals.stdout
    assert toys.stderr == reals.stderr == b""


def test_the_real_postqueue_lists_the_toys_queue_as_its_own_does(shared_toy: Toy, real: Programs) -> None:
    toys, reals = of_toy(shared_toy).run("postqueue", "-j"), real.run("postqueue", "-j")
    assert reals.returncode == toys.returncode == 0
    assert listing(toys.stdout) == listing(reals.stdout)
    assert sorted(toys.stdout.splitlines()) == sorted(reals.stdout.splitlines())
    assert set(listing(toys.stdout)) == set(queue_files(shared_toy))


def test_the_queue_for_people_looks_the_same(shared_toy: Toy, real: Programs) -> None:
    toys, reals = of_toy(shared_toy).run("postqueue", "-p").stdout, real.run("postqueue", "-p").stdout
    head = toys.partition(b"\n")[0]
    assert head == reals.partition(b"\n")[0]
    assert paragraphs(toys.removeprefix(head)) == paragraphs(reals.removeprefix(head))


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("postcat", ("-eq", "ABCDEF123")),
        ("postcat", ("-eq", "no/id")),
        ("postcat", ("-eq", "ALL")),
        ("postcat", ("-z",)),
        ("postqueue", ()),
        ("postqueue", ("-j", "x")),
        ("postqueue", ("-j", "-p")),
        ("postconf", ("-e", "mynetworks")),
        ("postconf", ("-e",)),
        ("postconf", ("-h", "mynetworks", "no_such_parameter")),
        ("postconf", ("-K",)),
        ("postsuper", ("-K",)),
        ("postsuper", ("-d",)),
        ("postsuper", ("-d", "ABCDEF123", "no-such-queue")),
    ],
)
def test_wrong_use_is_answered_as_the_real_one_does(
    shared_toy: Toy, real: Programs, program: str, arguments: tuple[str, ...]
) -> None:
    toys, reals = of_toy(shared_toy).run(program, *arguments), real.run(program, *arguments)
    assert toys.returncode == reals.returncode
    assert of_toy(shared_toy).told(toys) == real.told(reals)


def test_a_configuration_that_is_not_there(shared_toy: Toy) -> None:
    nowhere = Path("/no/such/folder")
    toys, reals = Programs(shared_toy.bin, nowhere, nowhere), Programs(Path("/usr/sbin"), nowhere, nowhere)
    for program, argument in (("postqueue", "-j"), ("postcat", "-q"), ("postconf", "mynetworks")):
        done, real = toys.run(program, argument), reals.run(program, argument)
        assert (done.returncode, toys.told(done)) == (real.returncode, reals.told(real))


def test_postcat_ends_at_the_first_id_that_is_gone(shared_toy: Toy, real: Programs) -> None:
    first, second = sorted(queue_files(shared_toy))[:2]
    toys, reals = (p.run("postcat", "-eq", first, "ABCDEF123", second) for p in (of_toy(shared_toy), real))
    assert toys.stdout == reals.stdout
    assert first.encode() in toys.stdout
    assert second.encode() not in toys.stdout
    assert toys.returncode == reals.returncode
    assert of_toy(shared_toy).told(toys) == real.told(reals)


def moves(*, ids: list[str]) -> list[tuple[tuple[str, ...], bytes]]:
    """What administrators do to a queue, one after the other: arguments and standard input."""
    many = "".join(f"{id}\n" for id in ids[:150]).encode()
    return [
        (("-h", ids[0]), b""),
        (("-h", "-"), many),
        (("-h", "-"), many),
        (("-h", "-"), f"{ids[200]}\nABCDEF123\n\nno/id\nALL\n-\n{ids[201]}".encode()),
        (("-d", "ABCDEF123"), b""),
        (("-d", ids[0], "deferred"), b""),
        (("-d", ids[0], "hold"), b""),
        (("-H", "-"), "\n".join(ids[1:40]).encode()),
        (("-H", ids[210]), b""),
        (("-d", "-"), "\n".join(ids[20:60]).encode()),
        (("-d", ids[70], "-h", ids[220], "-H", ids[71]), b""),
        (("-r", ids[72]), b""),
        (("-r", "-"), f"{ids[230]}\n{ids[231]}\n".encode()),
        (("-H", "ALL"), b""),
        (("-h", "ALL", "deferred"), b""),
        (("-d", "ALL", "hold"), b""),
        (("-d", "ALL"), b""),
    ]


def state(toy: Toy) -> set[str]:
    spool = toy.queue_directory
    return {str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file()}


def said(log: Path, before: int) -> list[str]:
    with open(log, encoding="utf-8") as file:
        file.seek(before)
        return [re.sub(r"^.{15} \S+ ", "", line).replace("\n", "") for line in file]


def without_pid(lines: list[str]) -> list[str]:
    return [re.sub(r"\[\d+\]", "[PID]", line) for line in lines]


def test_postsuper_does_what_the_real_one_does() -> None:
    toy, other = make_toy(), make_toy()
    try:
        toys, reals = of_toy(toy), of_postfix(other)
        assert state(toy) == state(other)
        for arguments, given in moves(ids=sorted(queue_files(toy))):
            before = toys.log.stat().st_size, reals.log.stat().st_size if reals.log.exists() else 0
            done, real = toys.run("postsuper", *arguments, give=given), reals.run("postsuper", *arguments, give=given)
            assert done.returncode == real.returncode == 0, arguments
            assert done.stderr == real.stderr, arguments
            assert state(toy) == state(other), arguments
            assert without_pid(said(toys.log, before[0])) == without_pid(said(reals.log, before[1])), arguments
    finally:
        shutil.rmtree(toy.folder)
        shutil.rmtree(other.folder)


def test_postsuper_s_renames_files_to_fit_their_inodes_as_the_real_one_does() -> None:
    # A copied queue has other inodes than its names say; the wave's ids do not fit theirs anyway.
    toy, other = make_toy(), make_toy()
    try:
        toys, reals = of_toy(toy), of_postfix(other)
        for folder in (toy, other):
            (folder.queue_directory / "hold" / "note.txt").touch(0o700)
            (folder.queue_directory / "hold" / "ABC").touch(0o700)
        done, real = toys.run("postsuper", "-s"), reals.run("postsuper", "-s")
        assert done.returncode == real.returncode == 0
        assert done.stderr.splitlines()[-2:] == real.stderr.splitlines()[-2:]
        assert set(done.stderr.splitlines()) == set(real.stderr.splitlines())
        for folder in (toy, other):
            for id, path in queue_files(folder).items():
                if id not in ("note.txt", "ABC"):
                    assert int(id[5:], 16) == path.stat().st_ino
                    assert path.parent.name in (id[0], "active")
            deferred = {path.name for path in (folder.queue_directory / "deferred").rglob("*") if path.is_file()}
            assert deferred == {path.name for path in (folder.queue_directory / "defer").rglob("*") if path.is_file()}
        again = toys.run("postsuper", "-s")
        assert b"Renamed" not in again.stderr
    finally:
        shutil.rmtree(toy.folder)
        shutil.rmtree(other.folder)


def test_postconf_answers_as_the_real_one_does(toy: Toy) -> None:
    shutil.copy("/etc/postfix/master.cf.proto", toy.config_directory / "master.cf")
    toys, reals = of_toy(toy), Programs(Path("/usr/sbin"), toy.config_directory, toy.log)

    def both(*arguments: str) -> None:
        done, real = toys.run("postconf", *arguments), reals.run("postconf", *arguments)
        assert (done.returncode, done.stdout) == (real.returncode, real.stdout), arguments
        assert toys.told(done) == reals.told(real), arguments

    names = ("mynetworks", "mydestination", "virtual_mailbox_domains", "smtpd_recipient_restrictions", "relay_domains")
    both("mynetworks")
    both("-h", *names)
    both(*names, "queue_directory", "inet_interfaces", "syslog_name", "virtual_alias_maps", "hash_queue_names")
    both("-x", *names, "queue_directory", "syslog_name", "myorigin", "virtual_alias_domains", "config_directory")
    both("-hx", "syslog_name", "myorigin")
    both("-n")
    both("-nh", "relay_domains", "maximal_backoff_time")
    both("no_such_parameter")
    for setting in ("mynetworks = 127.0.0.0/8, [::1]/128", "relay_domains=example.org", "maximal_backoff_time=1h"):
        copy = shutil.copytree(toy.config_directory, toy.folder / "copy")
        assert toys.run("postconf", "-e", setting).returncode == 0
        subprocess.run(["/usr/sbin/postconf", "-c", str(copy), "-e", setting], check=True)
        assert (copy / "main.cf").read_bytes() == (toy.config_directory / "main.cf").read_bytes()
        shutil.rmtree(copy)
    both("-n")


@pytest.mark.parametrize("junk", [b"", b"hello\n", b"C", b"C_ 1 2", b"T\x0a1795000000S\x03abc"])
def test_what_is_no_queue_file_is_taken_as_the_real_ones_take_it(shared_toy: Toy, real: Programs, junk: bytes) -> None:
    file = shared_toy.queue_directory / "hold" / "ABC12345"
    file.write_bytes(junk)
    file.chmod(0o700)
    shutil.chown(file, "postfix")
    toys = of_toy(shared_toy)
    done, wanted = toys.run("postcat", "-q", file.name), real.run("postcat", "-q", file.name)
    assert (done.returncode, done.stdout) == (wanted.returncode, wanted.stdout)
    assert toys.told(done)[-1:] == real.told(wanted)[-1:]
    listed, wanted = toys.run("postqueue", "-j"), real.run("postqueue", "-j")
    assert listing(listed.stdout) == listing(wanted.stdout)
    file.unlink()


@pytest.fixture(scope="module")
def mail_server() -> Iterator[Postfix]:
    """A real Postfix with something in its queue."""
    with Postfix.temporary() as postfix:
        player = Player(postfix)
        with player.connect(Client("2001:db8::66", helo="[x]"), "alice@example.com") as session:
            session.send(Message("stolen", "alice@example.com", ("one@remote.example",)))
            for sender in ("alice@example.com", '"[b]a b"@lottery.example', ""):
                to = ("one@remote.example", '"odd,one"@remote.example')
                session.send(Message("stolen", sender, to, body=".dot\n\n  indented\n" + "x" * 900 + "\n"))
        with player.connect(Client("192.0.2.5", "app.example.com")) as session:
            session.send(Message("relay", "app@example.com", ("two@remote.example",)))
            session.send(Message("bounced", "forged@remote.example", ("nobody@dead.invalid",)))
        postfix.settle()
        yield postfix


def test_the_toys_programs_read_a_real_queue_as_the_real_ones_do(shared_toy: Toy, mail_server: Postfix) -> None:
    ids = sorted(mail_server.queue())
    assert len(ids) == 6
    etc, log = mail_server.etc, mail_server.log
    toys, reals = Programs(shared_toy.bin, etc, log), Programs(Path("/usr/sbin"), etc, log)
    assert listing(toys.run("postqueue", "-j").stdout) == listing(reals.run("postqueue", "-j").stdout)
    for parts in ("-eq", "-q", "-hq", "-bhq"):
        assert toys.run("postcat", parts, *ids).stdout == reals.run("postcat", parts, *ids).stdout, parts


def test_a_queue_file_has_the_records_of_a_real_one_in_their_order(shared_toy: Toy, mail_server: Postfix) -> None:
    def names(programs: Programs, id: str) -> list[bytes]:
        envelope = programs.run("postcat", "-eq", id).stdout.partition(b"*** MESSAGE")[0]
        return re.findall(rb"^(named_attribute: \w+|\w+):?", envelope, re.MULTILINE)

    def with_one_recipient(files: dict[str, Path], mark: bytes) -> str:
        texts = {id: path.read_bytes().partition(b"M\0") for id, path in files.items()}
        return next(id for id, (head, _, text) in texts.items() if head.count(b"R") and mark in head + text
                    and head.count(b"rfc822;") == 1)  # fmt: skip

    reals, toys = Programs(Path("/usr/sbin"), mail_server.etc, mail_server.log), of_toy(shared_toy)
    ours, theirs = queue_files(shared_toy), mail_server.files()
    for mark in (b"sasl_username=", b"X-Played: relay", b"Undelivered"):
        toys_mark = mark.replace(b"X-Played: relay", b"X-Demo-Part: website")
        assert names(toys, with_one_recipient(ours, toys_mark)) == names(reals, with_one_recipient(theirs, mark))
    assert {path.stat().st_mode & 0o777 for path in (*ours.values(), *theirs.values())} == {0o700}


def test_an_id_ends_in_the_files_inode(tmp_path: Path) -> None:
    """So Postfix takes a file that was linked and renamed back for the same message."""
    toy = lay_out(tmp_path, 0.0)
    Story(tmp_path, 1, 4000.0).play_until(4000.0)
    files = queue_files(toy)
    assert len(files) > 10
    for id, path in files.items():
        assert id == f"{int(id[:5], 16):05X}{path.stat().st_ino:X}"
