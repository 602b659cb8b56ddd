"""What the address of BlueMind's REST service may be, so that nobody on the way reads the key."""

import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from bmtop.checked import Refused


def context(url: str, ca: Path | None) -> ssl.SSLContext | None:
    """Return how the server's certificate is checked, None where the call does not leave this machine.

    `ca` is a file with the certificate of one's own authority. Raises `Refused` for what is no address, and for one
    over which the key would be seen.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise Refused("The address of BlueMind's REST service is not one; write it like https://mail.example.com/api.")
    if parts.scheme == "http":
        if not _is_loopback(host):
            raise Refused(f"Over http to {host} everybody on the way could read the key; use https.")
        return None
    try:
        made = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise Refused(f"The certificate file {ca} cannot be used ({error.strerror}); name a PEM file.") from None
    # As on every Python: from 3.13 on, a certificate of one's own would have to be as strict as RFC 5280.
    made.verify_flags = (made.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return made


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
