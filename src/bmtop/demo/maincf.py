"""The toy's main.cf: reading, expanding and editing it, as postconf(1) of Postfix 3.7 does."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

VERSION = "3.7.11"
# What `postconf -d` says; a parameter that is not here is unknown to the toy.
DEFAULTS = {
    "alias_maps": "hash:/etc/aliases",
    "always_bcc": "",
    "authorized_mailq_users": "static:anyone",
    "bounce_queue_lifetime": "5d",
    "command_directory": "/usr/sbin",
    "compatibility_level": "0",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "data_directory": "/var/lib/postfix",
    "default_transport": "smtp",
    "defer_transports": "",
    "enable_long_queue_ids": "no",
    "hash_queue_depth": "1",
    "hash_queue_names": "deferred, defer",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps",
    "local_transport": "local:$myhostname",
    "mail_name": "Postfix",
    "mail_owner": "postfix",
    "mail_version": VERSION,
    "maillog_file": "",
    "maximal_backoff_time": "4000s",
    "maximal_queue_lifetime": "5d",
    "message_size_limit": "10240000",
    "minimal_backoff_time": "300s",
    "multi_instance_directories": "",
    "multi_instance_name": "",
    "mydestination": "$myhostname, localhost.$mydomain, localhost",
    "mydomain": "localdomain",
    "myhostname": "localhost",
    "mynetworks": "127.0.0.0/8 [::1]/128",
    "myorigin": "$myhostname",
    "proxy_interfaces": "",
    "qmgr_message_active_limit": "20000",
    "queue_directory": "/var/spool/postfix",
    "queue_run_delay": "300s",
    "recipient_bcc_maps": "",
    "recipient_delimiter": "",
    "relay_domains": "",
    "relay_transport": "relay",
    "relayhost": "",
    "sender_bcc_maps": "",
    "setgid_group": "postdrop",
    "smtpd_client_restrictions": "",
    "smtpd_milters": "",
    "smtpd_recipient_restrictions": "",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "smtpd_sasl_auth_enable": "no",
    "smtpd_sasl_authenticated_header": "no",
    "smtpd_sasl_local_domain": "",
    "smtpd_sasl_path": "smtpd",
    "smtpd_sasl_type": "cyrus",
    "smtpd_sender_login_maps": "",
    "syslog_name": "${multi_instance_name?{$multi_instance_name}:{postfix}}",
    "transport_maps": "",
    "virtual_alias_domains": "$virtual_alias_maps",
    "virtual_alias_maps": "$virtual_maps",
    "virtual_mailbox_domains": "$virtual_mailbox_maps",
    "virtual_mailbox_maps": "",
    "virtual_maps": "",
    "virtual_transport": "virtual",
}
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:\?\{([^{}]*)\}:\{([^{}]*)\})?\}|\((\w+)\))")


class MainCf:
    """The main.cf in `folder` as it is now. Raises `FileNotFoundError` where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "main.cf"
        self.own = parse(self.path.read_text(encoding="utf-8", errors="surrogateescape"))
        self.own["config_directory"] = str(folder)

    def value(self, name: str) -> str | None:
        """Return the value as it is written, or the default; None where the parameter is unknown."""
        return self.own.get(name, DEFAULTS.get(name))

    def expanded(self, name: str) -> str:
        """Return the value with all its references replaced; `` where the parameter is unknown."""
        return self.expand(self.value(name) or "")

    def expand(self, text: str, depth: int = 10) -> str:
        """Return `text` with the values of parameters in place of `$name` and `${name?{yes}:{no}}`."""
        if depth == 0 or "$" not in text:
            return text

        def replace(found: re.Match[str]) -> str:
            value = self.value(found[1] or found[2] or found[5]) or ""
            if found[3] is not None:
                value = found[3] if value else found[4]
            return self.expand(value, depth - 1)

        return _REFERENCE.sub(replace, text)

    def edit(self, settings: Mapping[str, str]) -> None:
        """Write these parameters into the file: in place where they stand, at the end where they do not."""
        left, kept = dict(settings), []
        for line in _logical_lines(self.path.read_text(encoding="utf-8", errors="surrogateescape")):
            name = _name(line)
            if name not in settings:
                kept.append(line)
            elif name in left:
                kept.append(f"{name} = {left.pop(name)}\n")
        kept += (f"{name} = {value}\n" for name, value in left.items())
        new = self.path.with_suffix(".cf.tmp")
        new.write_text("".join(kept), encoding="utf-8", errors="surrogateescape")
        os.replace(new, self.path)
        self.own.update(settings)


def parse(text: str) -> dict[str, str]:
    """Return the parameters of a main.cf (postconf(5)); the last of a name wins."""
    found = {}
    for line in _logical_lines(text):
        name = _name(line)
        if name:
            value = line.partition("=")[2]
            parts = (part.strip() for part in value.split("\n") if not part.lstrip().startswith("#"))
            found[name] = " ".join(filter(None, parts))
    return found


def _logical_lines(text: str) -> list[str]:
    """Return the lines with those that continue them: these begin with white space."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if line[0] in " \t" and line.strip() and lines:
            lines[-1] += line
        else:
            lines.append(line if line.endswith("\n") else line + "\n")
    return lines


def _name(line: str) -> str:
    head, equals, _ = line.partition("=")
    return head.strip() if equals and not line.lstrip().startswith("#") else ""
