"""Where requests, and with them credentials, may go.

Owns the check of the platform's address. The address comes from a file that a pull request can edit, so it
must never decide alone where a token is sent.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

import httpx

from statetool.errors import EndpointRefused

PLATFORM_DOMAIN = "myhuaweicloud.com"  # [06_0082]: servicestage.{region}.myhuaweicloud.com


def parse_endpoint(text: str, *, sends_credentials: bool, allowed_hosts: Collection[str] = ()) -> str:
    """The address without trailing slash. Raises EndpointRefused where it can't be used.

    Plain http goes to loopback only. Credentials go to hosts of the platform's domain, to loopback, and to
    `allowed_hosts` (host names, without port). The parser is the one that later sends the request: two
    parsers could disagree about which host an odd address means.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise EndpointRefused(f"the endpoint {text!r} is not an address", hint=_EXAMPLE) from None
    host = url.host.rstrip(".")
    if url.userinfo or url.query or url.fragment or "\\" in text:
        raise EndpointRefused(
            "the endpoint holds a user name, a query, a fragment or a backslash; it is a plain address", hint=_EXAMPLE
        )
    if url.scheme not in ("http", "https") or not host:
        raise EndpointRefused(f"the endpoint {text!r} is not an https address", hint=_EXAMPLE)
    if url.scheme == "http" and not _is_loopback(host):
        raise EndpointRefused(
            f"the endpoint {text!r} is plain http, which anybody on the way can read",
            hint="use https; http is for a sandbox on this machine",
        )
    if sends_credentials and not _may_have_credentials(host, allowed_hosts):
        raise EndpointRefused(
            f"credentials are not sent to {host}",
            hint=f"they go to hosts under {PLATFORM_DOMAIN} and to this machine; to trust another host, name it in "
            "STATETOOL_ALLOW_ENDPOINTS",
        )
    return str(url).rstrip("/")


_EXAMPLE = "write https://servicestage.cn-north-4.myhuaweicloud.com, or http://127.0.0.1:PORT of a served sandbox"


def _may_have_credentials(host: str, allowed_hosts: Collection[str]) -> bool:
    allowed = {name.lower().rstrip(".") for name in allowed_hosts}
    return host.endswith("." + PLATFORM_DOMAIN) or _is_loopback(host) or host in allowed


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
