"""Addresses that a configuration may name: their shape, and what their host tells.

Owns which URL can be an endpoint at all, which host is this machine, and the region in the platform's own host
names. Who may get credentials is `servicestage/endpoint.py`, next to the sending. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_SERVICE_HOST = re.compile(r"servicestage\.([a-z0-9]+(?:-[a-z0-9]+)*)\.myhuaweicloud\.com")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def check_url(endpoint: str) -> tuple[str, str, str] | None:
    """Code, message and hint for an endpoint that can't be used, None for a good one."""
    shape = "write https://HOST, http://127.0.0.1:PORT or sandbox:PATH"
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "bad_endpoint", f"platform.endpoint is not an address: {endpoint[:100]!r}", shape
    if parts.scheme not in ("https", "http") or not is_host(host):
        return "bad_endpoint", f"platform.endpoint is not an address: {endpoint[:100]!r}", shape
    if parts.username is not None or parts.path or parts.query or parts.fragment or port == 0:
        return "bad_endpoint", "platform.endpoint may hold scheme, host and port only", shape
    if parts.scheme == "http" and not is_loopback(endpoint):
        return "plain_http", f"plain http to {host} would show credentials to everybody on the way", "write https://"
    return None


def is_host(name: str) -> bool:
    """Whether the text is a host's name in lower case, or an IP address."""
    return _HOST.fullmatch(name) is not None or _is_ip(name)


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: a served sandbox."""
    return is_loopback_host(host_of(endpoint))


def is_loopback_host(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def region_of(endpoint: str) -> str | None:
    """The region that the platform's own host name holds."""
    match = _SERVICE_HOST.fullmatch(host_of(endpoint))
    return match[1] if match else None


def host_of(endpoint: str) -> str:
    """The host that an address names, in lower case; empty where it names none."""
    try:
        return (urlsplit(endpoint).hostname or "").lower()
    except ValueError:
        return ""


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
