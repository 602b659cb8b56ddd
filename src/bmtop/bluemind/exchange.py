"""One exchange with a service over HTTP: a request, and its reply within bounds of time and size."""

import json
import time
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError

from bmtop.bluemind.service import Service, Unreachable
from bmtop.server import CommandFailed
from bmtop.visible import visible

_LARGEST = 64 * 2**20


def exchange(
    service: Service, method: str, address: str, key: str, body: Mapping[str, Any] | None
) -> tuple[int, bytes]:
    """Return the status and body of the reply.

    Raises `Unreachable` where nothing was sent, `CommandFailed` where that, or what came of it, is not known.
    """
    try:
        return _exchange(service, method, address, key, body)
    except HTTPError as error:
        raise _broken(service, error) from None


def _exchange(
    service: Service, method: str, address: str, key: str, body: Mapping[str, Any] | None
) -> tuple[int, bytes]:
    headers = {"X-BM-ApiKey": key, "Accept": "application/json", "Content-Type": "application/json"}
    deadline = time.monotonic() + service.timeout
    with urllib3.PoolManager(ssl_context=service.tls, retries=False, timeout=service.timeout) as pool:
        response = pool.request(
            method,
            address,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            redirect=False,  # the key would go along
            preload_content=False,
        )
        data = b""
        while part := response.read1(2**16):
            data += part
            if len(data) > _LARGEST:
                raise HTTPError("the answer is too long")
            if time.monotonic() > deadline:
                raise HTTPError(f"the answer took longer than {service.timeout:.0f} seconds")
        return response.status, data


def _broken(service: Service, error: HTTPError) -> CommandFailed:
    """Return the failure to raise for a connection that was not made, or broke off."""
    if isinstance(error, NewConnectionError | ConnectTimeoutError):
        return Unreachable(f"Nothing answers at {service.url}; see `systemctl status bm-core`.")
    if isinstance(error, SSLError):
        cause = error.args[0] if error.args else error
        why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed"
        return CommandFailed(
            f"The certificate of {service.url} cannot be trusted ({visible(str(why))}), and nothing was sent; name the"
            " file of its own authority (bm_ca), and use the host name that the certificate has."
        )
    if isinstance(error, ReadTimeoutError):
        why = f"it did not answer within {service.timeout:.0f} seconds"
    else:
        why = visible(str(error))[:200]
    return CommandFailed(
        f"The call to {service.url} broke off: {why}. Whether it was carried out is not known; see whether"
        " BlueMind is well, then do it again."
    )
