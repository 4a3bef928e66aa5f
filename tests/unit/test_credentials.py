"""Credentials: which of several are taken, what is refused, and that no message shows one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from statetool.core.credentials import AccessKey, AuthMode, Login, MachineAgency, ReadyToken
from statetool.credentials import load_credentials
from statetool.errors import Diagnostic, InvalidInput

PROJECT = "00112233445566778899aabbccddeeff"
TOKEN = {"HW_AUTH_TOKEN": "t0ken"}
KEY = {"HW_ACCESS_KEY": "acc3ss", "HW_SECRET_KEY": "s3cret"}
SDK_KEY = {"HUAWEICLOUD_SDK_AK": "sdk-ak", "HUAWEICLOUD_SDK_SK": "sdk-sk", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "sdk-st"}
LOGIN = {"HW_USER_NAME": "mei", "HW_USER_PASSWORD": " p4ss wörd ", "HW_DOMAIN_NAME": "acme"}
FILE = f"[global]\nak = other\n[basic]\nak = file-ak\nsk = file%sk\nproject_id = {PROJECT.upper()}\n"


def file_at_home(folder: Path, text: str | bytes = FILE) -> dict[str, str]:
    """The shared credentials file, in a home of its own."""
    path = folder / ".huaweicloud/credentials"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {"HOME": str(folder)}


def refuse(environ: dict[str, str], mode: AuthMode = "auto") -> Diagnostic:
    with pytest.raises(InvalidInput) as caught:
        load_credentials(environ, mode)
    (found,) = caught.value.diagnostics
    assert found.code == "bad_credentials"
    assert found.hint
    return found


def key_of(found: Any) -> tuple[str, str, str | None]:
    assert isinstance(found, AccessKey)
    token = found.security_token
    return found.access.reveal(), found.secret.reveal(), token.reveal() if token else None


def test_the_order_of_auto(tmp_path: Path) -> None:
    """Token, key, SDK's key, login, file, and at last the machine; each says where it came from."""
    sources = [TOKEN, KEY, SDK_KEY, LOGIN, file_at_home(tmp_path)]
    origins = []
    for start in range(len(sources)):
        environ = {name: value for source in sources[start:] for name, value in source.items()}
        found = load_credentials(environ, may_ask_machine=True)
        assert found is not None
        origins.append(found.origin)
    assert origins == [
        "environment HW_AUTH_TOKEN",
        "environment HW_ACCESS_KEY",
        "environment HUAWEICLOUD_SDK_AK",
        "environment HW_USER_NAME",
        f"file {tmp_path}/.huaweicloud/credentials",
    ]
    assert load_credentials({}, may_ask_machine=True) == MachineAgency()
    assert load_credentials({}) is None


@pytest.mark.parametrize(
    ("mode", "kind"), [("token", ReadyToken), ("aksk", AccessKey), ("password", Login), ("auto", ReadyToken)]
)
def test_a_mode_takes_its_kind_only(mode: AuthMode, kind: type) -> None:
    """However much else is set; and nothing of another kind, the machine least of all."""
    assert isinstance(load_credentials({**TOKEN, **KEY, **LOGIN}, mode), kind)
    if mode != "auto":
        others = {"token": {**KEY, **LOGIN}, "aksk": {**TOKEN, **LOGIN}, "password": {**TOKEN, **KEY}}[mode]
        assert load_credentials(others, mode, may_ask_machine=True) is None


def test_what_stands_in_them() -> None:
    """Blanks around a token or key are dropped, those of a password are its own."""
    token = load_credentials({"HW_AUTH_TOKEN": " t0ken\n"})
    assert isinstance(token, ReadyToken)
    assert token.token.reveal() == "t0ken"
    assert key_of(load_credentials({**KEY, "HW_SECURITY_TOKEN": "st"})) == ("acc3ss", "s3cret", "st")
    assert key_of(load_credentials({**KEY, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "st"})) == ("acc3ss", "s3cret", None)
    assert key_of(load_credentials(SDK_KEY)) == ("sdk-ak", "sdk-sk", "sdk-st")
    login = load_credentials(LOGIN)
    assert isinstance(login, Login)
    assert (login.user, login.password.reveal(), login.domain) == ("mei", " p4ss wörd ", "acme")


def test_the_shared_file(tmp_path: Path) -> None:
    """Section [basic], a percent sign as it is, the project beside the key; also under a name of its own, with BOM."""
    found = load_credentials(file_at_home(tmp_path))
    assert key_of(found) == ("file-ak", "file%sk", None)
    assert isinstance(found, AccessKey)
    assert found.project_id == PROJECT
    other = tmp_path / "other.ini"
    other.write_bytes(b"\xef\xbb\xbf[basic]\r\nak: x\r\nsk: y\r\nsecurity_token: z\r\n")
    named = load_credentials({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(other), "HOME": str(tmp_path)}, "aksk")
    assert key_of(named) == ("x", "y", "z")


@pytest.mark.parametrize("text", ["", "[global]\nak = a\nsk = b\n", "[basic]\nregion = x\n"])
def test_a_file_without_a_key_gives_none(tmp_path: Path, text: str) -> None:
    """The vendor keeps other things there too."""
    assert load_credentials(file_at_home(tmp_path, text)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[basic]\nak = only\n", "sk in "),
        (b"[basic]\nsk = only\n", "ak in "),
        (b"ak = s3cret\n", "not written as it should be"),
        (b"[basic]\ns3cret line\n", "not written as it should be"),
        (b"[basic]\nak = a\nak = s3cret\nsk = b\n", "not written as it should be"),
        (b"[basic]\nak = a\nsk = s3cret two\n", "holds characters"),
        (b"[basic]\nak = a\nsk = b\nproject_id = s3cret\n", "no project id"),
        ("[basic]\nak = 配置\n".encode("gbk"), "not UTF-8"),
        (b"[basic]\n" + b"#" * 70000, "longer than 64 KiB"),
    ],
)
def test_a_bad_file_is_named_and_never_quoted(tmp_path: Path, text: bytes, words: str) -> None:
    """Its name and what is wrong with it."""
    found = refuse(file_at_home(tmp_path, text))
    assert words in found.message
    assert str(tmp_path) in found.message
    assert "s3cret" not in found.message + str(found.hint)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    """Unlike the one at home; a folder in its place is an error too."""
    assert "can't be read" in refuse({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path / "none")}).message
    assert "can't be read" in refuse({"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path)}).message
    assert load_credentials({"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"HW_ACCESS_KEY": "acc3ss"}, "HW_SECRET_KEY is missing"),
        ({"HW_SECRET_KEY": "s3cret"}, "HW_ACCESS_KEY is missing"),
        ({"HW_ACCESS_KEY": "acc3ss", "HUAWEICLOUD_SDK_SK": "s3cret"}, "HW_SECRET_KEY is missing"),
        ({"HUAWEICLOUD_SDK_AK": "acc3ss"}, "HUAWEICLOUD_SDK_SK is missing"),
        ({"HW_USER_PASSWORD": "s3cret", "HW_USER_NAME": "mei"}, "HW_DOMAIN_NAME is missing"),
        ({"HW_USER_PASSWORD": "s3cret", "HW_DOMAIN_NAME": "acme", "HW_USER_NAME": " "}, "HW_USER_NAME is missing"),
        ({**LOGIN, "HW_USER_PASSWORD": "s3cret\udcff"}, "HW_USER_PASSWORD holds bytes"),
        ({"HW_AUTH_TOKEN": "s3cret\nX-Other: 1"}, "HW_AUTH_TOKEN holds characters"),
        ({"HW_ACCESS_KEY": "acc3ss", "HW_SECRET_KEY": "s3cret\x00"}, "HW_SECRET_KEY holds characters"),
        ({**KEY, "HW_SECURITY_TOKEN": "s3cret \u00e9"}, "HW_SECURITY_TOKEN holds characters"),
    ],
)
def test_half_a_pair_is_named_and_no_value_shown(environ: dict[str, str], named: str) -> None:
    """Parts of different sources are not put together."""
    found = refuse(environ)
    assert named in found.message
    assert "s3cret" not in found.message + str(found.hint)
    assert "acc3ss" not in found.message + str(found.hint)


@pytest.mark.parametrize("environ", [{}, {"HW_AUTH_TOKEN": " "}, {"HW_USER_NAME": "mei", "HW_DOMAIN_NAME": "acme"}])
def test_none_is_no_error(environ: dict[str, str]) -> None:
    """A sandbox needs none; a user's name without a password is for other tools."""
    assert load_credentials(environ) is None


def test_nothing_shows_them() -> None:
    """Neither printing, nor formatting, nor JSON."""
    for environ in (TOKEN, KEY, SDK_KEY, LOGIN):
        found = load_credentials(environ)
        shown = f"{found!r} {found}"
        assert not any(value.strip() in shown for value in environ.values())
        with pytest.raises(TypeError):
            json.dumps(found)
