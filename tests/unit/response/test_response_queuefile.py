"""The head of a queue file, read natively, on whole, damaged and hostile files."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmtop.postfix.queuefile import Head, has_recipients, read_head
from tests.unit.response.toyqueue import queue_file, record

HEAD = Head(438, 1795531606, b"s@x.example", b"alice@example.com", b"203.0.113.5")


def written(folder: Path, data: bytes) -> str:
    path = folder / "file"
    path.write_bytes(data)
    return str(path)


def test_a_queue_file_says_who_sent_it(tmp_path: Path) -> None:
    assert read_head(written(tmp_path, queue_file(HEAD))) == HEAD


def test_a_pointer_leads_to_what_a_milter_changed(tmp_path: Path) -> None:
    """As cleanup(8) writes it: the sender's place has a pointer, and there another one leads back."""
    for padding in (0, 5_000, 100_000):
        start = (
            record(b"C", b"438 0 1 0 0")
            + record(b"T", b"1795531606 0")
            + record(b"A", b"sasl_username=alice@example.com")
        )
        rest = record(b"A", b"log_client_address=203.0.113.5") + record(b"R", b"v@x.example") + record(b"M", b"")
        rest += record(b"N", b"x" * 100) * (padding // 100) + record(b"X", b"") + record(b"E", b"")
        back = len(start) + 17
        far = back + len(rest)
        data = start + record(b"p", b"%15d" % far) + rest
        data += record(b"S", b"changed@x.example") + record(b"p", b"%15d" % back)
        assert read_head(written(tmp_path, data)) == HEAD._replace(sender=b"changed@x.example")


def test_pointers_in_a_circle_come_to_an_end(tmp_path: Path) -> None:
    start = record(b"C", b"438 0 1 0 0") + record(b"T", b"1795531606 0")
    assert read_head(written(tmp_path, start + record(b"p", b"%15d" % len(start)))) is None


def test_long_attributes_do_not_hide_the_sender(tmp_path: Path) -> None:
    data = record(b"C", b"438 0 1 0 0") + record(b"T", b"1795531606 0") + record(b"A", b"x=" + b"y" * 20_000)
    data += record(b"A", b"sasl_username=alice@example.com") + record(b"S", b"s@x.example")
    data += record(b"A", b"log_client_address=203.0.113.5") + record(b"M", b"") + record(b"N", b"x")
    assert read_head(written(tmp_path, data)) == HEAD


def test_what_the_message_says_of_itself_does_not_count(tmp_path: Path) -> None:
    honest = HEAD._replace(login=None, client=None)
    body = record(b"N", b"A\x1fsasl_username=alice@example.com") + record(b"N", b"sasl_username=alice@example.com")
    assert read_head(written(tmp_path, queue_file(honest, body=body))) == honest


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_off_or_damaged_is_never_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = queue_file(HEAD)
    cut = data.draw(st.integers(0, len(whole)))
    damaged = bytearray(whole[:cut])
    for place in data.draw(st.lists(st.integers(0, max(cut - 1, 0)), max_size=2)):
        if damaged:
            damaged[place] = data.draw(st.integers(0, 255))
    found = read_head(written(tmp_path_factory.mktemp("file"), bytes(damaged)))
    if bytes(damaged) == whole[:cut]:
        assert found in (None, HEAD, HEAD._replace(client=None))


def test_a_message_has_recipients_until_each_is_done(tmp_path: Path) -> None:
    for letters, left in ((b"RR", True), (b"DR", True), (b"DD", False), (b"", False)):
        recipients = b"".join(record(bytes([letter]), b"v@x.example") for letter in letters)
        with open(written(tmp_path, queue_file(HEAD, recipients=recipients))) as file:
            assert has_recipients(file.fileno()) is left
    # Where sendmail(1) took them from the message, they come after it.
    late = record(b"R", b"v@x.example")
    with open(written(tmp_path, queue_file(HEAD, recipients=b"", extracted=late))) as file:
        assert has_recipients(file.fileno())
