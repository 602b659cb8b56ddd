"""What a test Postfix is told: main.cf, master.cf, lookup tables and SASL, after the way BlueMind sets them up.

Whose mail is whose: `example.com` is local and `example.net` a virtual mailbox domain (both are delivered at
once, into nothing), `example.org` is a branch office that we relay for, everything else is foreign. Mail for the
branch and for foreign places stays in the queue as deferred, as it does while a server is under attack. Mail for
`dead.invalid` is refused by a real SMTP server, so that Postfix makes a bounce of it.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST_NAME = "mail.example.com"
LOCAL_DOMAIN = "example.com"
MAILBOX_DOMAIN = "example.net"
BRANCH_DOMAIN = "example.org"
DEAD_DOMAIN = "dead.invalid"
FORWARDED = {"dave@example.com": "dave@elsewhere.example"}
TRUSTED_NETWORK = "192.0.2.0/24"
USERS = {f"{name}@{LOCAL_DOMAIN}": f"Right-{name}-1" for name in ("alice", "bob", "carol", "dave", "erin")}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where it listens on 127.0.0.1: for SMTP, for submission; and where mail for the dead domain is refused."""

    smtp: int
    submission: int
    dead: int


def main_cf(
    folder: Path, queue: Path, ports: Ports, *, long_queue_ids: bool, settings: Mapping[str, str]
) -> dict[str, str]:
    """The parameters of main.cf (postconf(5)); `settings` win over what stands here."""
    etc = folder / "etc"
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(queue),
        "data_directory": str(folder / "data"),
        "maillog_file": str(folder / "mail.log"),
        "maillog_file_prefixes": str(folder),
        "myhostname": HOST_NAME,
        "inet_interfaces": "127.0.0.1",
        "mynetworks": f"127.0.0.0/8, [::1]/128, {TRUSTED_NETWORK}",
        "enable_long_queue_ids": "yes" if long_queue_ids else "no",
        # Whose mail is whose
        "mydestination": LOCAL_DOMAIN,
        "alias_maps": "",
        "alias_database": "",
        "local_recipient_maps": "",
        "local_transport": "discard:",
        "virtual_mailbox_domains": f"hash:{etc}/virtual_domains",
        "virtual_alias_maps": f"hash:{etc}/virtual_alias",
        "virtual_transport": "discard:",
        "relay_domains": BRANCH_DOMAIN,
        "transport_maps": f"inline:{{ {{ {DEAD_DOMAIN} = dead:[127.0.0.1]:{ports.dead} }} }}",
        # What leaves stays in the queue, and is not tried again in the middle of a test
        "defer_transports": "smtp, relay",
        "relayhost": "[127.0.0.1]:1",  # nobody listens there; for `postqueue -f`, which overrides defer_transports
        "minimal_backoff_time": "4h",
        "maximal_backoff_time": "4h",
        # No question leaves this machine; XCLIENT gives the names
        "disable_dns_lookups": "yes",
        "smtp_host_lookup": "native",
        "smtpd_peername_lookup": "no",
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        # Logins
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_path": "smtpd",
        "smtpd_sasl_local_domain": LOCAL_DOMAIN,
        "smtpd_sasl_authenticated_header": "yes",
        "cyrus_sasl_config_path": str(etc / "sasl"),
        "smtpd_recipient_restrictions": "permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination",
        # An incident is played faster than it happens
        "in_flow_delay": "0",
        "smtpd_error_sleep_time": "0",
        "smtpd_client_connection_count_limit": "0",
        **settings,
    }


def master_cf(ports: Ports) -> str:
    """The services of master(5), none of them in a chroot; `dead` is an SMTP client that is not deferred."""
    return f"""\
127.0.0.1:{ports.smtp} inet n - n - - smtpd
127.0.0.1:{ports.submission} inet n - n - - smtpd
  -o syslog_name=postfix/submission
pickup     unix       n - n 60    1 pickup
cleanup    unix       n - n -     0 cleanup
qmgr       unix       n - n 300   1 qmgr
rewrite    unix       - - n -     - trivial-rewrite
bounce     unix       - - n -     0 bounce
defer      unix       - - n -     0 bounce
trace      unix       - - n -     0 bounce
verify     unix       - - n -     1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n -     - proxymap
proxywrite unix       - - n -     1 proxymap
smtp       unix       - - n -     - smtp
relay      unix       - - n -     - smtp
  -o syslog_name=postfix/$service_name
dead       unix       - - n -     - smtp
showq      unix       n - n -     - showq
error      unix       - - n -     - error
retry      unix       - - n -     - error
discard    unix       - - n -     - discard
local      unix       - n n -     - local
virtual    unix       - n n -     - virtual
lmtp       unix       - - n -     - lmtp
anvil      unix       - - n -     1 anvil
scache     unix       - - n -     1 scache
postlog    unix-dgram n - n -     1 postlogd
"""


def sasl_database(folder: Path) -> Path:
    """Where the passwords of this Postfix are."""
    return folder / "etc" / "sasl" / "sasldb2"


def write(folder: Path, parameters: Mapping[str, str], ports: Ports) -> None:
    """Write DIR/etc and DIR/data. The tables are still without their index: postmap(1) makes it."""
    etc, data = folder / "etc", folder / "data"
    for made in (folder, etc, etc / "sasl", data):
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o755)
    shutil.chown(data, "postfix")
    files = {
        etc / "main.cf": "".join(f"{name} = {value}\n" for name, value in parameters.items()),
        etc / "master.cf": master_cf(ports),
        etc / "virtual_domains": f"{MAILBOX_DOMAIN} ours\n",
        etc / "virtual_alias": "".join(f"{address} {target}\n" for address, target in FORWARDED.items()),
        etc / "sasl" / "smtpd.conf": (
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"
            f"sasldb_path: {sasl_database(folder)}\n"
        ),
    }
    for path, text in files.items():
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)
    let_cool(etc)


def let_cool(etc: Path) -> None:
    """Date main.cf back a little: Postfix's programs wait some 2 s until a file that just changed has cooled down."""
    some_time_ago = time.time() - 10
    os.utime(etc / "main.cf", (some_time_ago, some_time_ago))
