"""Passwords: those that bmtop makes are taken, and what BlueMind would take for something else is refused."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmtop.bluemind.argfile import argument_file, quoted
from bmtop.bluemind.passwords import Password, make, refuse_bad
from bmtop.checked import Refused
from tests.bluemind.core import Core
from tests.bluemind.picocli import expanded


def test_a_made_password_meets_the_rules_and_is_stored_as_itself(core: Core) -> None:
    made = {make() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(password) >= 16
        for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, string.punctuation):
            assert set(password) & set(kind)
        assert set(password) <= set(string.ascii_letters + string.digits + "-")
        assert password[0].isalpha()
        assert not set(password) & set("0O1lI")
    core.set_password("UID-1", min(made))
    assert core.can_log_in("jane.doe@example.com", min(made))


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("aB3-x", "shorter than 6"),
        ("", "shorter than 6"),
        ("abc3-x", "lacks a capital"),
        ("ABC3-X", "lacks a small letter"),
        ("abCd-x", "lacks a digit"),
        ("abCd3x", "lacks a punctuation mark"),
        ("abcdefgh", "lacks a capital and a digit and a punctuation mark"),
        ("d41d8cd98f00b204e9800998ecf8427e", "looks like the hash"),
        ("zzzzzzzzzzzzzzzz0000000000000000", "looks like the hash"),
        ("1000:Salt-word:Hash", "looks like the hash"),
        ("1:a:b:C-", "looks like the hash"),
        ("PBKDF2SHA256:1000:Salt:Hash-", "looks like the hash"),
        ("$2a$10$abcdefghijkABC-", "looks like the hash"),
        ("$2aB-cde", "looks like the hash"),
        ("$argon2id$v=19$mA3-", "looks like the hash"),
        ("{SHA}Aa1/bbbbbb=", "looks like the hash"),
        ("{SHA1}Aa/bbbbbb=", "looks like the hash"),
        ("{SSHA}Aa1/bbbbbb=", "looks like the hash"),
        ("{SSHA512}Aa/bbbbb=", "looks like the hash"),
        ("Abc-12\n", "control character or a line break"),
        ("Abc\r-12", "control character or a line break"),
        ("Abc\0-12", "control character or a line break"),
        ("Abc\x1b-12", "control character or a line break"),
        ("Abc\u2028-12", "control character or a line break"),
        (" Abc-123", "begins or ends with a space"),
        ("Abc-123 ", "begins or ends with a space"),
        ("Abc-12\udcff", "no UTF-8"),
    ],
)
def test_a_password_that_bluemind_would_misread_is_refused_without_being_quoted(password: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_bad(password)
    assert why in str(refused.value)
    if password.strip():
        assert password.strip() not in str(refused.value)
    with pytest.raises(Refused):
        Password(password)


@pytest.mark.parametrize(
    "password", ["Abc-12", "Grüße-7", "1000:Salt word:hash", "{SHARP}Aa1-", "D41d8cd98f00b204-9800998ecf8427e"]
)
def test_a_password_that_only_resembles_one_is_taken(password: str) -> None:
    assert Password(password) == password


def test_the_repr_of_a_password_does_not_show_it() -> None:
    password = make()
    for shown in (repr(password), f"{password!r}", repr({"newPassword": password}), repr([password])):
        assert password.split("-")[0] not in shown


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


@given(printable)
def test_any_printable_argument_comes_out_of_the_argument_file_as_it_went_in(text: str) -> None:
    argument = f"--password={text}"
    with argument_file(Path("/dev/shm"), argument) as file:
        assert expanded(["user", "update", "a@example.com", file]) == ["user", "update", "a@example.com", argument]


@given(st.text())
def test_an_argument_that_the_locale_could_change_is_refused(text: str) -> None:
    if text.isascii() and text.isprintable():
        return
    with pytest.raises(Refused, match="plain ASCII"):
        quoted(text)
