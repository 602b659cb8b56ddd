"""The toy's folder: where everything is in it, and how it looks before the story begins."""

import os
import shlex
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bmtop
from bmtop.demo import accounts, cast
from bmtop.demo.programs import NAMES
from bmtop.demo.spool import Spool


@dataclass(frozen=True, slots=True)
class Toy:
    """Where the parts of the toy mail server are. `bin` holds the programs; `state` is for bmtop's own files."""

    folder: Path
    bin: Path
    config_directory: Path
    log: Path
    queue_directory: Path
    bm_cli: Path
    state: Path


def places(folder: Path) -> Toy:
    """Return where the parts of a toy in `folder` are."""
    return Toy(
        folder=folder,
        bin=folder / "bin",
        config_directory=folder / "etc",
        log=folder / "mail.log",
        queue_directory=folder / "spool",
        bm_cli=folder / "bin" / "bm-cli",
        state=folder / "state",
    )


def lay_out(folder: Path, now: float) -> Toy:
    """Make a toy mail server in `folder`, as it is before anything has happened, and return where its parts are.

    `now` is in epoch seconds. Raises `FileExistsError` where there is one already.
    """
    toy = places(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    toy.config_directory.mkdir()
    (toy.config_directory / "main.cf").write_text(_main_cf(toy), encoding="utf-8")
    (folder / "data").mkdir()
    toy.state.mkdir(mode=0o700)
    Spool(toy.queue_directory).make()
    toy.log.touch(mode=0o640)
    accounts.write(folder / "accounts.json", _accounts(now))
    toy.bin.mkdir()
    for name in NAMES:
        _program(toy.bin / name, name, folder)
    return toy


def python_command(code: str) -> list[str]:
    """Return the command that runs `code` with this interpreter and this bmtop, be it a folder or a .pyz."""
    home = str(Path(bmtop.__file__).absolute().parent.parent)
    return [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {home!r}); {code}"]


def _program(path: Path, name: str, folder: Path) -> None:
    """Write a program of the toy. A shell starts it, since no path of an interpreter with a space fits behind `#!`."""
    code = f"from bmtop.demo.programs import main; sys.exit(main({name!r}, {str(folder)!r}))"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(python_command(code))} "$0" "$@"\n', encoding="utf-8")
    os.chmod(path, 0o755)


def _main_cf(toy: Toy) -> str:
    return f"""\
# A toy mail server, set up as BlueMind sets up Postfix.
compatibility_level = 3.6
queue_directory = {toy.queue_directory}
data_directory = {toy.folder}/data
command_directory = {toy.bin}
maillog_file = {toy.log}

myhostname = {cast.HOST}
mydomain = {cast.DOMAIN}
myorigin = $mydomain
inet_interfaces = {cast.SERVER}, [{cast.SERVER_V6}], 127.0.0.1
mynetworks = {cast.MYNETWORKS}

mydestination = localhost, localhost.$mydomain
virtual_mailbox_domains = {cast.DOMAIN}
virtual_alias_domains =
virtual_alias_maps =
relay_domains =
alias_maps =
virtual_transport = lmtp:inet:127.0.0.1:2400
smtpd_milters = inet:127.0.0.1:2500
hash_queue_names = deferred,defer

smtpd_sasl_auth_enable = yes
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions =
smtpd_recipient_restrictions = permit_sasl_authenticated,
    permit_mynetworks,
    reject_unauth_destination
"""


def _accounts(now: float) -> dict[str, Any]:
    made = []
    sessions = []
    for number, person in enumerate(cast.COLLEAGUES):
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, person.login)).upper()
        account = {
            "uid": uid, "email": person.login, "aliases": list(cast.ALIASES.get(person.login, ())),
            "extId": "ldap://5f3c" if person.login == cast.IN_DIRECTORY else None,
        }  # fmt: skip
        accounts.set_password(account, person.password)
        made.append(account)
        sessions.append({
            "created": int((now - 3600 - 700 * number) * 1000), "email": person.login, "domainUid": cast.DOMAIN_UID,
            "userUid": uid, "origin": "bm-hps" if number % 2 else "bm-eas", "remoteAddresses": [person.client.address],
        })  # fmt: skip
    return {
        "server": cast.SERVER,
        "domain": {"name": cast.DOMAIN, "uid": cast.DOMAIN_UID},
        "accounts": made,
        "sessions": sessions,
        "sysconf": {
            "mynetworks": cast.MYNETWORKS, "message_size_limit": "10485760", "default_domain": cast.DOMAIN,
            "external-url": cast.HOST,
        },
    }  # fmt: skip
