"""Where a token may go: a pull request that edits the endpoint gets nothing."""

from __future__ import annotations

import pytest

from statetool.errors import EndpointRefused
from statetool.servicestage.endpoint import parse_endpoint


@pytest.mark.parametrize(
    "text",
    [
        "https://servicestage.cn-north-4.myhuaweicloud.com",
        "https://servicestage.cn-north-4.myhuaweicloud.com:443/",
        "http://127.0.0.1:9000",
        "http://127.8.8.8:9000",
        "http://localhost:9000/",
        "http://[::1]:9000",
    ],
)
def test_the_platform_and_this_machine_get_credentials(text: str) -> None:
    """Plain http on loopback included."""
    assert parse_endpoint(text, sends_credentials=True).startswith(text[:5])
    assert not parse_endpoint(text, sends_credentials=True).endswith("/")


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example",
        "https://myhuaweicloud.com.evil.example",
        "https://evilmyhuaweicloud.com",
        "https://evil.example/servicestage.myhuaweicloud.com",
        "https://127.0.0.1.evil.example",
        "https://localhost.evil.example",
        "https://10.0.0.1",
    ],
)
def test_other_hosts_get_no_credentials(text: str) -> None:
    """However much they look like the platform; without credentials they may be read."""
    with pytest.raises(EndpointRefused) as caught:
        parse_endpoint(text, sends_credentials=True)
    assert caught.value.hint is not None
    assert "STATETOOL_ALLOW_ENDPOINTS" in caught.value.hint
    assert parse_endpoint(text, sends_credentials=False) == text


def test_a_host_allowed_by_name_gets_credentials() -> None:
    """Case and a trailing dot do not matter, a longer name does."""
    assert parse_endpoint("https://cloud.example.", sends_credentials=True, allowed_hosts=["Cloud.Example"])
    with pytest.raises(EndpointRefused):
        parse_endpoint("https://x.cloud.example", sends_credentials=True, allowed_hosts=["cloud.example"])


@pytest.mark.parametrize(
    "text",
    [
        "http://servicestage.cn-north-4.myhuaweicloud.com",
        "http://10.0.0.1:9000",
        "http://0.0.0.0:9000",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "sandbox:world.json",
        "servicestage.myhuaweicloud.com",
        "",
        "https://",
        "https://[::1",
        "https://servicestage.myhuaweicloud.com:port",
        "https://servicestage.myhuaweicloud.com\n.evil.example",
        "https://user:hunter2@servicestage.myhuaweicloud.com",
        "https://servicestage.myhuaweicloud.com\\@evil.example",
        "https://servicestage.myhuaweicloud.com?x=1",
        "https://servicestage.myhuaweicloud.com#x",
    ],
)
def test_what_is_no_safe_address_is_refused(text: str) -> None:
    """Plain http over a network, other schemes, and addresses that carry more than a place."""
    with pytest.raises(EndpointRefused) as caught:
        parse_endpoint(text, sends_credentials=False)
    assert "hunter2" not in caught.value.message
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9000",
        "https://[::1]",
        "https://servicestage.cn-north-4.myhuaweicloud.com",
        "https://SERVICESTAGE.CN-NORTH-4.MYHUAWEICLOUD.COM:443",
        "https://gateway.example.com:8443",
    ],
)
def test_credentials_go_to_the_cloud_to_loopback_and_to_named_hosts(endpoint: str) -> None:
    """Hosts are compared without case; a named host is named without port."""
    assert parse_endpoint(endpoint, sends_credentials=True, allowed_hosts={"gateway.example.com"})


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://example.com",
        "https://myhuaweicloud.com",
        "https://myhuaweicloud.com.example.com",
        "https://evilmyhuaweicloud.com",
        "https://sub.gateway.example.com",
        "https://127.0.0.1.example.com",
        "https://localhost.example.com",
        "https://10.0.0.1",
        "https://servicestage.myhuaweicloud.com@example.com",
        "https://example.com#.myhuaweicloud.com",
        "https://example.com/.myhuaweicloud.com",
        "https://[::1",
        "",
    ],
)
def test_credentials_go_nowhere_else(endpoint: str) -> None:
    """A pull request that edits the endpoint gets nothing."""
    with pytest.raises(EndpointRefused) as caught:
        parse_endpoint(endpoint, sends_credentials=True, allowed_hosts={"gateway.example.com"})
    assert caught.value.hint
