"""Where a state can live: what each backend has to be told, credentials included.

Owns these values and how a place is called in messages. They come from statetool.yaml and the environment, and hold
secrets by type. It must not open anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from statetool.core.model import Secret

BackendName: TypeAlias = Literal["local", "http", "postgres", "s3"]


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A file of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class HttpPlace:
    """An address that speaks Terraform's state protocol, as GitLab and Gitea serve it.

    `lock_address` and `unlock_address` default to `address`. GitLab wants POST and DELETE for `lock_method` and
    `unlock_method`. The password goes to `address`'s host only.
    """

    address: str
    lock_address: str | None = None
    unlock_address: str | None = None
    lock_method: str = "LOCK"
    unlock_method: str = "UNLOCK"
    update_method: str = "POST"
    username: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database. `url` is libpq's, without a password; what it leaves out comes from PGHOST, ~/.pgpass and so on.

    `name` tells the states of one schema apart.
    """

    url: str
    name: str
    schema: str = "statetool"
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket of S3 or something like it. `key` is a prefix: state, lock and journal are objects below it.

    Without `endpoint` it is that of AWS in `region`. Plain http only to loopback.
    """

    bucket: str
    key: str
    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None


Place: TypeAlias = LocalPlace | HttpPlace | PostgresPlace | S3Place


def location_of(place: Place) -> str:
    """Where that is, for messages: without credentials, and of a URL nothing but what tells places apart."""
    if isinstance(place, LocalPlace):
        return str(place.path)
    if isinstance(place, HttpPlace):
        return place.address
    if isinstance(place, PostgresPlace):
        return f"{place.url.partition('?')[0]}, schema {place.schema}, state {place.name}"
    return f"s3://{place.bucket}/{place.key}" + (f" at {place.endpoint}" if place.endpoint else "")
