"""The border for commands: no value passes that a program could take for an option, for everybody, or for two."""

import ipaddress
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bmtop.checked import Client, Login, QueueId, Refused

HOSTILE = st.sampled_from(
    ["", "-", "--", "-d", "--help", "ALL", "all", "All", "deferred", "*", "@example.com", "@/etc/shadow", "example.com",
     "a@", "@", "a@b@c", "a@b c", "a b@c", "a@-b", "-a@b", "a@b\n", "a@b\nALL", "a@b\0", "\0", "\n", "a@b,c@d",
     "a@b;id", "$(id)@b", "a@$(id)", "a@b/../c", '"a b"@c', "a@[192.0.2.1]", "ABCDEF\nALL", "ABCDEF -d", "ABCDEF\0",
     "\uff21\uff22\uff23\uff24\uff25\uff26", "\u0661\u0662\u0663\u0664\u0665\u0666", "abcdef", "ABCDE",
     "fe80::1%eth0", "fe80::1%\nALL", "::1%-d", "192.0.2.1/32", "192.0.2.01",
     "0x7f000001", "localhost", "192.0.2.1 -d", "\u202ea@b", "a\u0430@b"]
)  # fmt: skip
ANYTHING = (
    st.text(st.characters(codec=None), max_size=40)
    | st.text("-@ALLal0123456789ABCDEFz.:%/\\\n\0\t '\"", max_size=30)
    | HOSTILE
)


def made(kind: type[str], text: str) -> str | None:
    try:
        return str(kind(text))
    except Refused as error:
        sentence = str(error)
        assert sentence.isascii(), "an error sentence never repeats what could act on a terminal"
        assert sentence.isprintable()
        assert len(sentence) < 700
        return None


@given(ANYTHING)
@example("fe80::1%\nALL")
def test_what_passes_is_one_plain_word(text: str) -> None:
    for kind in (QueueId, Login, Client):
        value = made(kind, text)
        if value is None:
            continue
        assert value.isascii()
        assert value.isprintable()
        assert " " not in value
        assert not value.startswith(("-", "@"))
        assert value.upper() != "ALL"
        assert value == text or kind is Client, "a value is taken as it is, or not at all"


@given(ANYTHING)
def test_a_login_is_one_account_and_never_a_domain_or_everybody(text: str) -> None:
    value = made(Login, text)
    if value is not None:
        local, domain = value.split("@")
        assert local
        assert re.fullmatch(r"[A-Za-z0-9.-]+", domain)
        assert not domain.startswith(("-", ".")), "nor does the domain alone look like an option"
        assert not set(value) & set(' "\\,;:<>()[]')


@given(ANYTHING)
def test_a_queue_id_has_no_sign_in_it(text: str) -> None:
    value = made(QueueId, text)
    if value is not None:
        assert re.fullmatch(r"[0-9A-Za-z]{6,36}", value)
        assert any(char.isdigit() for char in value) or set(value) <= set("ABCDEF"), "no word of any language"


@given(ANYTHING)
def test_a_client_is_an_address_without_a_zone(text: str) -> None:
    value = made(Client, text)
    if value is not None:
        assert re.fullmatch(r"[0-9a-f.:]+", value)
        assert ipaddress.ip_address(value) == ipaddress.ip_address(text)


@pytest.mark.parametrize("text", ["3C0F41D2A9B", "1083520CC3D", "4dQZmh2zWfz8Tj", "3pt2mN2VXxznjll"])
def test_real_queue_ids_pass(text: str) -> None:
    assert QueueId(text) == text


@pytest.mark.parametrize(
    "text", ["alice@example.com", "o'neil+list@example.com", "a.b-c_d@sub.example.com", "x@1a2b3c.internal"]
)
def test_real_logins_pass(text: str) -> None:
    assert Login(text) == text


@pytest.mark.parametrize(("text", "value"), [("192.0.2.7", "192.0.2.7"), ("2001:DB8:0::7", "2001:db8::7")])
def test_addresses_pass_in_one_form(text: str, value: str) -> None:
    assert Client(text) == value


@given(
    st.from_regex(
        r"[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,12}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{3,6}", fullmatch=True
    )
)
def test_every_long_queue_id_passes(text: str) -> None:
    assert QueueId(text) == text
