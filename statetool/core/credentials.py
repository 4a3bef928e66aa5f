"""What may open the platform's door, as values. Each knows where it came from, for messages.

Owns the kinds of credentials and the sentences that say how to give some. Reading them is `credentials.py`, using
them `servicestage/`. Nothing here shows a secret: `Secret` sees to that, and names are kept out of `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from statetool.core.model import Secret

AuthMode = Literal["auto", "aksk", "token", "password"]
"""`platform.auth`: which kind is looked for; auto takes the first that is there."""


@dataclass(frozen=True, slots=True)
class ReadyToken:
    """A token somebody else asked IAM for. It can't be renewed."""

    token: Secret
    origin: str


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key pair that signs requests; temporary ones come with a security token.

    `project_id` stands beside the key in the shared credentials file; it is used where nothing else names one.
    """

    access: Secret
    secret: Secret
    security_token: Secret | None
    origin: str
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A user of an account (IAM calls it domain), for whom IAM gives out tokens."""

    user: str = field(repr=False)
    password: Secret
    domain: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class MachineAgency:
    """The agency of the server this runs on: its metadata service gives out temporary keys."""

    origin: str = "the agency of this machine"


Credentials = ReadyToken | AccessKey | Login | MachineAgency
CredentialKind = Literal["token", "access_key", "temporary_access_key", "password", "agency"]


def kind_of(credentials: Credentials) -> CredentialKind:
    """What may be told of credentials beside their origin."""
    if isinstance(credentials, ReadyToken):
        return "token"
    if isinstance(credentials, AccessKey):
        return "access_key" if credentials.security_token is None else "temporary_access_key"
    return "password" if isinstance(credentials, Login) else "agency"


def is_signing(credentials: Credentials) -> bool:
    """Whether requests are signed, which wants a clock that is right."""
    return isinstance(credentials, AccessKey | MachineAgency)


_TOKEN = "a project token in HW_AUTH_TOKEN"  # noqa: S105 - a sentence
_KEY = "an access key in HW_ACCESS_KEY and HW_SECRET_KEY (and HW_SECURITY_TOKEN where it is temporary)"
_LOGIN = "a user in HW_USER_NAME, HW_USER_PASSWORD and HW_DOMAIN_NAME"
_FILE = "an access key in ~/.huaweicloud/credentials"

WAYS_TO_GIVE: Mapping[AuthMode, str] = {
    "auto": f"give one of: {_TOKEN}; {_KEY}; {_LOGIN}; {_FILE}",
    "token": f"platform.auth is token: give {_TOKEN}",
    "aksk": f"platform.auth is aksk: give {_KEY}, or {_FILE}",
    "password": f"platform.auth is password: give {_LOGIN}",
}
"""How to give credentials, as a hint for each mode."""
