"""The REST service: what it does is done, what it refuses is said, and neither key nor password goes astray."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bmtop.bluemind.passwords import make
from bmtop.bluemind.rest import Account, Rest
from bmtop.bluemind.service import Service, Unreachable
from bmtop.bluemind.session import CannotList
from bmtop.checked import Login, Refused
from bmtop.server import CommandFailed
from tests.bluemind.core import DOMAIN, Core
from tests.bluemind.rest_standin import KEY, NOTHING, Standin, self_signed, serving

JANE = Account(DOMAIN, "UID-1", "jdoe")


def failure(done: Callable[[], object], kind: type[CommandFailed] = CommandFailed) -> str:
    """Return the sentence that `done`, called, fails with: one that a person can use, without the key."""
    with pytest.raises(CommandFailed) as failed:
        done()
    assert type(failed.value) is kind
    sentence = str(failed.value)
    assert KEY not in repr(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    assert sentence[0].isupper() or sentence.startswith("http")
    assert sentence.endswith((".", "`."))
    assert len(sentence) < 600
    assert sentence.isprintable()
    return sentence


@pytest.mark.parametrize("login", ["jane.doe@example.com", "jd@alias.example", f"jdoe@{DOMAIN}"])
def test_an_account_is_found_under_each_of_its_logins(rest: Rest, login: str) -> None:
    assert rest.account(Login(login)) == JANE


def test_a_login_is_no_other_persons_address(rest: Rest, core: Core) -> None:
    """BlueMind takes `login@domain` only with the domain's uid: under the alias, the same text is an address."""
    state = core.load()
    state["users"]["UID-2"]["emails"].append("jdoe@example.com")
    core.save(state)
    assert rest.account(Login("jdoe@example.com")).uid == "UID-2"
    assert rest.account(Login(f"jdoe@{DOMAIN}")).uid == "UID-1"


@pytest.mark.parametrize("nothing", NOTHING)
def test_an_unknown_user_or_domain_is_named_though_it_is_no_error_for_bluemind(
    rest: Rest, service: Standin, nothing: str
) -> None:
    service.nothing = nothing
    assert "knows no account nobody@example.com" in failure(lambda: rest.account(Login("nobody@example.com")))
    assert "knows no domain elsewhere.example" in failure(lambda: rest.account(Login("jane.doe@elsewhere.example")))


def test_names_are_encoded_in_addresses(rest: Rest, service: Standin, core: Core) -> None:
    account = rest.account(Login("o'hara+x@example.com"))
    assert account.uid == "UID+3/x y"
    rest.set_password(account, "Abc-123")
    assert core.can_log_in("o'hara+x@example.com", "Abc-123")
    assert service.called("POST") == [f"/api/users/{DOMAIN}/UID%2B3%2Fx%20y/password_"]
    assert service.called("GET")[-1].endswith("/byEmail/o%27hara%2Bx%40example.com")


def test_a_uid_that_would_lead_elsewhere_is_not_followed(rest: Rest, service: Standin) -> None:
    assert "cannot stand in an address" in failure(lambda: rest.set_password(Account(DOMAIN, "..", "x"), make()))
    assert service.requests == []


def test_a_password_is_set(rest: Rest, service: Standin, core: Core) -> None:
    for password in (make(), "Grüße-7 \\\"'"):
        reply = rest.set_password(JANE, password)
        assert core.can_log_in("jane.doe@example.com", password)
        assert password not in repr(reply)
        assert reply.status == 200
        assert reply.command == ("POST", f"{service.url}/users/{DOMAIN}/UID-1/password_")


def test_sessions_are_listed_and_ended(rest: Rest, core: Core) -> None:
    assert [session.origin for session in rest.sessions(JANE)] == ["webmail", "eas"]
    rest.logout(JANE, can_list=True)
    assert rest.sessions(JANE) == ()
    assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]


def test_an_old_core_ends_the_sessions_of_a_login_and_lists_none(rest: Rest, service: Standin, core: Core) -> None:
    service.old = True
    with pytest.raises(CannotList, match="too old"):
        rest.sessions(JANE)
    rest.logout(JANE, can_list=False)
    assert [session[0] for session in core.load()["sessions"]] == ["UID-2"]


def test_an_account_is_suspended_and_let_in_again_and_keeps_everything_else(rest: Rest, core: Core) -> None:
    before = core.user("UID-1")
    rest.set_archived(JANE, True)
    assert rest.is_archived(JANE)
    assert not core.can_log_in("jane.doe@example.com", "old")
    rest.set_archived(JANE, False)
    assert core.user("UID-1") == before


def test_the_trusted_networks_are_read_and_set(rest: Rest, core: Core) -> None:
    assert rest.mynetworks() == "127.0.0.0/8, 192.0.2.0/24"
    rest.set_mynetworks("192.0.2.0/25")
    assert rest.mynetworks() == "127.0.0.0/8, 192.0.2.0/25, 192.0.2.10/32"
    assert core.load()["sysconf"]["sw_password"] == "not for the journal"
    core.change(sysconf={})
    assert rest.mynetworks() == ""


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            400,
            '{"errorCode": "INVALID_PARAMETER", "errorType": "ServerFault", "message": "bad value"}',
            "(400): bad value",
        ),
        (403, '{"errorCode": "PERMISSION_DENIED", "message": "not allowed"}', "may not do this (not allowed)"),
        (403, "<html>", "may not do this (forbidden)"),
        (404, '{"errorCode": "NOT_FOUND", "message": "entry UID-1 not found"}', "(404): entry UID-1 not found"),
        (404, "<html>nginx</html>", "answered with status 404; see whether that address is right"),
        (409, '{"message": "incompatible"}', "(409): incompatible"),
        (413, '{"errorCode": "ENTITY_TOO_LARGE", "message": "too large"}', "(413): too large"),
        (413, "", "answered with status 413"),
        (500, '{"errorCode": "UNKNOWN", "message": "null pointer\\n at x"}', "failed (500): null pointer. See"),
        (500, '{"errorCode": "SQL_ERROR", "message": null}', "failed (500): SQL_ERROR"),
        (500, "[]", "answered with status 500"),
        (502, "<html>", "core does not answer (502)"),
        (504, "", "core does not answer (504)"),
        (400, '{"message": "\\u001b[31m[/red]\\u202e' + "x" * 9000 + '"}', "\\x1b[31m[/red]\\u202exxx"),
    ],
)
def test_an_error_becomes_a_sentence(
    rest: Rest, service: Standin, core: Core, status: int, body: str, said: str
) -> None:
    service.instead = (status, {}, body.encode())
    assert said in failure(lambda: rest.set_password(JANE, make()))
    assert core.can_log_in("jane.doe@example.com", "old")


def test_an_error_that_repeats_the_password_is_told_without_it(rest: Rest, service: Standin) -> None:
    password = make()
    service.instead = (400, {}, b'{"message": "%s is too weak"}' % password.encode())
    assert "refused (400): … is too weak" in failure(lambda: rest.set_password(JANE, password))


def test_a_refused_key_is_said_to_be_refused_and_not_shown(rest: Rest, token: Path) -> None:
    token.write_text("11111111-2222-3333-4444-555555555555")
    sentence = failure(lambda: rest.account(Login("jane.doe@example.com")))
    assert "BlueMind refused the key in" in sentence
    assert "11111111" not in sentence


def test_the_key_is_read_anew_for_each_call(rest: Rest, token: Path) -> None:
    token.write_text("not-the-key")
    failure(rest.mynetworks)
    token.write_text(KEY)
    assert rest.mynetworks()


@pytest.mark.parametrize("content", ["", "two words", "key\r\nX-Evil: 1", "schlüssel"])
def test_a_file_that_holds_no_key_is_named_and_nothing_is_sent(
    rest: Rest, service: Standin, token: Path, content: str
) -> None:
    token.write_text(content)
    assert str(token) in failure(rest.mynetworks, Unreachable)
    token.unlink()
    assert "No such file" in failure(rest.mynetworks, Unreachable)
    assert service.requests == []


def test_the_key_is_in_no_repr(rest: Rest) -> None:
    assert KEY not in repr(rest) + repr(rest.service) + repr(vars(rest.service))


@pytest.mark.parametrize(
    "body", ["", "<html>It works!</html>", "[" * 100_000, '"text"', "[]", "17", '{"values": []}', "{}"]
)
def test_what_is_no_answer_of_bluemind_is_said_to_be_none(rest: Rest, service: Standin, body: str) -> None:
    service.instead = (200, {}, body.encode())
    sentence = failure(lambda: rest.account(Login("jane.doe@example.com")))
    assert any(said in sentence for said in ("is no BlueMind", "not in the form", "knows no domain"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_key_does_not_follow_a_redirect(rest: Rest, service: Standin, core: Core, status: int) -> None:
    with serving(core) as elsewhere:
        service.instead = (status, {"Location": elsewhere.url + "/configuration"}, b"")
        assert "sends on elsewhere, where the key does not go" in failure(rest.mynetworks)
        assert elsewhere.requests == []


def test_a_key_file_that_is_not_there_is_no_matter_of_rights(rest: Rest, token: Path) -> None:
    token.unlink()
    sentence = failure(rest.mynetworks, Unreachable)
    assert f"The key file {token} is not there" in sentence
    assert "sudo" not in sentence, "root does not see it either"
    assert "--bm-token" in sentence


def test_a_service_that_is_down_is_named(token: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    service = Service(f"http://127.0.0.1:{port}/api", token)
    assert "systemctl status bm-core" in failure(Rest(service).mynetworks, Unreachable)


def test_a_service_that_does_not_answer_is_left_in_time(rest: Rest, service: Standin) -> None:
    service.go.clear()
    rest.service.timeout = 0.3
    sentence = failure(lambda: rest.set_password(JANE, make()))
    assert "did not answer within" in sentence
    assert "Whether it was carried out is not known" in sentence


def test_a_service_that_breaks_off_is_named(rest: Rest, service: Standin) -> None:
    service.instead = (0, {}, b"")
    assert "broke off" in failure(lambda: rest.set_password(JANE, make()))


def test_an_answer_that_drips_is_left_in_time(token: Path) -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not stop.wait(0.05):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener])
        thread.start()
        rest = Rest(Service(f"http://127.0.0.1:{listener.getsockname()[1]}/api", token, timeout=0.5))
        assert "took longer than" in failure(rest.mynetworks)
        stop.set()
        thread.join()


def test_an_answer_that_is_too_long_is_left(rest: Rest, service: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmtop.bluemind.exchange._LARGEST", 100_000)
    service.instead = (200, {}, b" " * 200_000)
    assert "too long" in failure(rest.mynetworks)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Self-signed certificates for two of this machine's own addresses."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: self_signed(folder, name) for name in ("127.0.0.1", "127.0.0.2")}


def test_a_self_signed_certificate_is_refused_before_the_key_is_sent(
    core: Core, token: Path, certificates: dict[str, tuple[Path, Path]]
) -> None:
    with serving(core, certificates["127.0.0.1"][1]) as service:
        sentence = failure(Rest(Service(service.url, token)).mynetworks)
        assert "self-signed certificate" in sentence
        assert "bm_ca" in sentence
        assert service.requests == []


def test_a_certificate_of_ones_own_is_taken_where_it_is_named(
    core: Core, token: Path, certificates: dict[str, tuple[Path, Path]]
) -> None:
    certificate, both = certificates["127.0.0.1"]
    with serving(core, both) as service:
        rest = Rest(Service(service.url, token, certificate))
        rest.set_password(JANE, "Abc-123")
        assert core.can_log_in("jane.doe@example.com", "Abc-123")


def test_a_certificate_for_another_host_is_refused(
    core: Core, token: Path, certificates: dict[str, tuple[Path, Path]]
) -> None:
    certificate, both = certificates["127.0.0.2"]
    with serving(core, both) as service:
        sentence = failure(Rest(Service(service.url, token, certificate)).mynetworks)
        assert "IP address mismatch" in sentence
        assert service.requests == []


def test_https_to_a_service_without_tls_is_said_to_be_that(service: Standin, token: Path) -> None:
    sentence = failure(Rest(Service(service.url.replace("http:", "https:"), token)).mynetworks)
    assert "cannot be trusted" in sentence


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://mail.example.com/api", "everybody on the way could read the key"),
        ("http://192.0.2.1:8090/api", "everybody on the way could read the key"),
        ("ftp://mail.example.com/api", "is not one"),
        ("mail.example.com", "is not one"),
        ("https://", "is not one"),
        ("https://user:secret@mail.example.com/api", "is not one"),
        ("https://mail.example.com:99999/api", "is not one"),
        ("https://mail.example.com/api?apikey=secret", "is not one"),
        ("https://[::1/api", "is not one"),
    ],
)
def test_an_address_over_which_the_key_would_be_seen_is_refused(url: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        Service(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/api", "http://localhost:8090/api/", "http://[::1]:8090/api"])
def test_an_address_on_this_machine_needs_no_tls(url: str) -> None:
    assert Service(url).url == url.rstrip("/")


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        Service("https://mail.example.com/api", ca=tmp_path / "no-such.pem")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(Refused, match="cannot be used"):
        Service("https://mail.example.com/api", ca=tmp_path / "ca.pem")


def test_a_proxy_of_the_environment_does_not_get_the_key(
    rest: Rest, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(core) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/api"))
        assert rest.mynetworks()
        assert proxy.requests == []
