"""Credentials from the environment and the shared credentials file, and nowhere else.

Owns which of several are taken: a ready token, then an access key of the environment, then a user's password, then
the file, then the agency of the machine. Parts of different sources are never mixed. No file of a project is read
here, nothing is sent, and no value is ever part of a message.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from statetool.core.credentials import AccessKey, AuthMode, Credentials, Login, MachineAgency, ReadyToken
from statetool.core.model import Secret
from statetool.errors import Diagnostic, InvalidInput

TOKEN_VARIABLE = "HW_AUTH_TOKEN"  # noqa: S105 - the name of a variable, not a token
FILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
DEFAULT_FILE = Path(".huaweicloud") / "credentials"
MAX_FILE_BYTES = 64 * 1024

# The vendor's Terraform provider first, then its SDK (servicestage-v3 9.5).
_KEY_VARIABLES = (
    ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"),
    ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
)
_LOGIN_VARIABLES = ("HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME")
_PROJECT_ID = re.compile(r"[0-9a-fA-F]{32}")
_COPY_AGAIN = "copy it again, without blanks or line breaks"

_Source = Callable[[Mapping[str, str]], Credentials | None]


def load_credentials(
    environ: Mapping[str, str], mode: AuthMode = "auto", *, may_ask_machine: bool = False
) -> Credentials | None:
    """The first credentials that are there, of the kind that `mode` names; None where there are none.

    `may_ask_machine`: whether, in mode auto, the machine's agency comes last. Raises InvalidInput for credentials
    that are incomplete or can't be sent, and for a file that can't be read.
    """
    for source in _SOURCES[mode]:
        found = source(environ)
        if found is not None:
            return found
    return MachineAgency() if mode == "auto" and may_ask_machine else None


def _find_token(environ: Mapping[str, str]) -> ReadyToken | None:
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        return None
    _ensure_sendable(token, _variable(TOKEN_VARIABLE))
    return ReadyToken(Secret(token), f"environment {TOKEN_VARIABLE}")


def _find_key(environ: Mapping[str, str]) -> AccessKey | None:
    for names in _KEY_VARIABLES:
        values = [environ.get(name, "").strip() for name in names]
        if any(values[:2]):
            return _build_key(values, [_variable(name) for name in names], f"environment {names[0]}", None)
    return None


def _find_login(environ: Mapping[str, str]) -> Login | None:
    """A password makes it a login: the names beside it are also set for other tools."""
    user, password, domain = (environ.get(name, "") for name in _LOGIN_VARIABLES)
    if not password:
        return None
    for name, value in zip(_LOGIN_VARIABLES, (user, password, domain), strict=True):
        if not value.strip():
            _refuse(f"{_variable(name)} is missing beside {_LOGIN_VARIABLES[1]}", f"set {name} too")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            _refuse(f"{_variable(name)} holds bytes that are not UTF-8", "set it again in a UTF-8 terminal")
    return Login(user.strip(), Secret(password), domain.strip(), f"environment {_LOGIN_VARIABLES[0]}")


def _find_key_in_file(environ: Mapping[str, str]) -> AccessKey | None:
    """The key of section [basic] of the vendor's shared file. A file that nobody named may be missing."""
    named = environ.get(FILE_VARIABLE, "").strip()
    home = environ.get("HOME", "").strip()
    if not named and not home:
        return None
    path = Path(named).expanduser() if named else Path(home) / DEFAULT_FILE
    if not named and not path.exists():
        return None
    section = _read_basic_section(path)
    values = [section.get(key, "").strip() for key in ("ak", "sk", "security_token")]
    if not any(values[:2]):
        return None
    places = [f"{key} in {path}" for key in ("ak", "sk", "security_token")]
    project_id = section.get("project_id", "").strip()
    if project_id and not _PROJECT_ID.fullmatch(project_id):
        _refuse(f"project_id in {path} is no project id", "a project id has 32 hexadecimal digits")
    return _build_key(values, places, f"file {path}", project_id.lower() or None)


_SOURCES: Mapping[AuthMode, tuple[_Source, ...]] = {
    "auto": (_find_token, _find_key, _find_login, _find_key_in_file),
    "token": (_find_token,),
    "aksk": (_find_key, _find_key_in_file),
    "password": (_find_login,),
}


def _read_basic_section(path: Path) -> Mapping[str, str]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            _refuse(f"the credentials file {path} is longer than {MAX_FILE_BYTES // 1024} KiB", "is it the right file?")
        parser = configparser.ConfigParser(interpolation=None)  # a % in a secret is a %
        parser.read_string(data.decode("utf-8-sig"))
    except OSError as error:
        _refuse(f"the credentials file {path} can't be read: {error.strerror}", f"name another one in {FILE_VARIABLE}")
    except UnicodeDecodeError:
        _refuse(f"the credentials file {path} is not UTF-8", "write it again in UTF-8")
    except configparser.Error:  # its words hold lines of the file
        _refuse(
            f"the credentials file {path} is not written as it should be",
            "it is an INI file: a line [basic], then one `key = value` a line, with the keys ak and sk",
        )
    return dict(parser["basic"]) if parser.has_section("basic") else {}


def _build_key(values: list[str], places: list[str], origin: str, project_id: str | None) -> AccessKey:
    """From access key, secret key and security token, each with the words for the place it stands in."""
    for value, place, other in zip(values[:2], places, places[1::-1], strict=False):
        if not value:
            _refuse(f"{place} is missing", f"there is {other}; the two belong together")
    for value, place in zip(values, places, strict=True):
        _ensure_sendable(value, place)
    access, secret, security_token = values
    return AccessKey(
        Secret(access), Secret(secret), Secret(security_token) if security_token else None, origin, project_id
    )


def _ensure_sendable(value: str, place: str) -> None:
    """What goes into a header must not be able to end it."""
    if not (value.isascii() and value.isprintable() and " " not in value):
        _refuse(f"{place} holds characters that no credential has", _COPY_AGAIN)


def _variable(name: str) -> str:
    return f"environment variable {name}"


def _refuse(message: str, hint: str) -> NoReturn:
    raise InvalidInput([Diagnostic("bad_credentials", message, hint)])
