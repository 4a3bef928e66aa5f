"""The token goes into one header and nowhere else."""

from __future__ import annotations

import base64

import httpx
import pytest

from statetool.core.model import Secret
from statetool.errors import Unauthorized
from statetool.servicestage.auth import TokenAuth


def test_the_token_is_a_header_of_the_request() -> None:
    """By the platform's name for it."""
    request = httpx.Request("GET", "https://platform.test/")
    next(TokenAuth(Secret("t-1")).auth_flow(request))
    assert request.headers["X-Auth-Token"] == "t-1"


def test_the_token_does_not_show() -> None:
    """Neither in the object nor in its attributes."""
    auth = TokenAuth(Secret("t-1"))
    assert "t-1" not in repr(auth)
    assert "t-1" not in repr(vars(auth))


@pytest.mark.parametrize("value", ["", "t-1\n", "t 1", "t\x001", "t-é", "t\r\nHost: evil"])
def test_a_token_that_is_none_is_refused_without_being_named(value: str) -> None:
    """A line break at the end of a file is the usual reason; it must not inject a header either."""
    with pytest.raises(Unauthorized) as caught:
        TokenAuth(Secret(value))
    assert not value or value not in caught.value.message
    assert caught.value.hint is not None
    assert "HW_AUTH_TOKEN" in caught.value.hint


def test_an_echoed_token_is_concealed() -> None:
    """A debug page that prints our headers prints stars."""
    assert TokenAuth(Secret("t-1")).conceal(b"X-Auth-Token: t-1; again t-1") == b"X-Auth-Token: ***; again ***"


@pytest.mark.parametrize(
    "spelling",
    [
        "S3cret/Token+1",
        base64.b64encode(b"S3cret/Token+1").decode(),
        "S3cret%2FToken%2B1",
        "".join(f"\\u{ord(letter):04x}" for letter in "S3cret/Token+1"),
    ],
)
def test_a_token_is_concealed_however_it_is_spelt(spelling: str) -> None:
    """Servers echo what they got as text, JSON, a URL or base64."""
    assert TokenAuth(Secret("S3cret/Token+1")).conceal(f"got {spelling}!".encode()) == b"got ***!"


def test_a_token_that_could_be_a_name_stays_in_answers() -> None:
    """Else a component would lose a part of its name; real tokens are long."""
    assert not TokenAuth(Secret("t-1")).is_distinctive
    assert TokenAuth(Secret("sandbox-token")).is_distinctive
