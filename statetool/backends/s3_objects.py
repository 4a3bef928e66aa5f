"""The objects of one state in a bucket: read, put under a condition, listed, deleted. A thin layer over obstore.

Owns how the store is spoken to (whose credentials, which hosts), the one answer to a lost answer, and how the store's
errors are told. It must not know what the objects say.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from statetool.backends.places import S3Place
from statetool.endpoints import is_loopback
from statetool.errors import StateError, StateUnreachable, StateUnsafe, UsageError

try:
    import obstore
    from obstore import exceptions
    from obstore.store import S3Store
except ImportError:
    raise UsageError(
        "state in a bucket needs a package that is not installed",
        code="not_installed",
        hint="pip install 'statetool[s3]'",
    ) from None

if TYPE_CHECKING:
    from obstore import GetOptions, PutMode
    from obstore.store import S3Credential

T = TypeVar("T")

PAUSES_S = (0.2, 0.8)
"""Before the second and the third try of a request."""

LONGEST_LIST = 100_000
"""A store that always promises more would be listed for ever."""

_REFUSED = (exceptions.AlreadyExistsError, exceptions.PreconditionError)
"""What a condition that does not hold is answered with: 412, and 409 where others write at the same moment."""

_DENIED = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)

_ERRORS = (exceptions.BaseError, OSError, ValueError)
"""Everything obstore raises: it uses built-in errors too, FileNotFoundError for a 404."""

_NOWHERE = "http://127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it stands in the bucket. `tag` is its ETag, `at` when it was put, UTC RFC 3339, where known."""

    data: bytes
    tag: str
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a list. `name` is below the state's key; `at` is UTC RFC 3339."""

    name: str
    at: str


class Moved(Exception):
    """A condition did not hold: `found` stands there instead, None where nothing does."""

    def __init__(self, found: Found | None) -> None:
        super().__init__("the object is not the expected one")
        self.found = found


class Objects:
    """The objects below the key of a place. May be used from several threads. Sends nothing before it is asked to.

    `timeout_s` limits one request. Errors are StateUnreachable, and they hold no credentials.
    """

    def __init__(self, place: S3Place, *, timeout_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._sleep = sleep

    @property
    def location(self) -> str:
        host = urlsplit(self._place.endpoint).netloc.rpartition("@")[2] if self._place.endpoint else ""
        return f"s3://{self._place.bucket}/{self._place.key}" + (f" at {host}" if host else "")

    def find(self, name: str, known: Found | None = None, *, limit: int | None = None) -> Found | None:
        """The object, None where there is none; `known` itself where it is still that one, which costs less.

        Raises StateError where it has more than `limit` bytes.
        """
        condition: GetOptions | None = {"if_none_match": known.tag} if known is not None else None

        def get() -> Found:
            answer = obstore.get(self._store, self._path(name), options=condition)
            meta = answer.meta
            if limit is not None and meta["size"] > limit:
                raise StateError(f"{self.location}: {name} has {meta['size']} bytes, more than anything of ours")
            return Found(bytes(answer.bytes()), self._tag(name, meta["e_tag"]), _instant(meta["last_modified"]))

        try:
            return self._patiently(get)
        except exceptions.NotModifiedError:
            return known
        except FileNotFoundError:
            return None
        except _ERRORS as error:
            raise self._explained(error) from None

    def put(self, name: str, data: bytes, expected: Found | None) -> Found:
        """Put `data` where `expected` stands, None: where nothing does. Raises Moved.

        `data` must be like no other ever put by anybody else: where an answer was lost, or a refusal can be that of
        an earlier try, what stands there tells whether it was this. So a put that may have arrived is safe to repeat.
        """
        mode: PutMode = "create" if expected is None else {"e_tag": expected.tag}
        failed: StateError | None = None
        for pause in (*PAUSES_S, None):
            try:
                return Found(data, self._put(name, data, mode))
            except _REFUSED:
                failed = None
            except (*_DENIED, FileNotFoundError) as error:  # surely not carried out
                raise self._explained(error) from None
            except _ERRORS as error:
                failed = self._explained(error)
            found = self.find(name)
            if found is not None and found.data == data:
                return found
            if (found.tag if found else None) != (expected.tag if expected else None):
                raise Moved(found)
            if pause is not None:
                self._sleep(pause)
        raise failed or StateUnreachable(
            f"{self.location} refused to write {name} although nothing had changed there",
            hint="another client may be writing at the same moment: try again",
        )

    def try_put(self, name: str, data: bytes, tag: str | None) -> str | None:
        """One conditional put without any help: the new object's tag, or None where the store refused."""
        mode: PutMode = "create" if tag is None else {"e_tag": tag}
        try:
            return self._put(name, data, mode)
        except _REFUSED:
            return None
        except _ERRORS as error:
            raise self._explained(error) from None

    def overwrite(self, name: str, data: bytes) -> None:
        """Put `data`, whatever stands there."""
        try:
            self._patiently(lambda: self._put(name, data, "overwrite"))
        except _ERRORS as error:
            raise self._explained(error) from None

    def list(self, folder: str) -> tuple[Listed, ...]:
        """Everything below a folder, by name. Raises StateUnreachable also where the bucket does not exist."""

        def collect() -> tuple[Listed, ...]:
            prefix = self._path("")
            named: list[Listed] = []
            for found in obstore.list(self._store, self._path(folder)):
                named += (Listed(one["path"].removeprefix(prefix), _instant(one["last_modified"])) for one in found)
                if len(named) > LONGEST_LIST:
                    raise StateUnreachable(
                        f"{self.location}: the list of {folder}/ does not come to an end",
                        hint="check the state's endpoint, and what else writes below the state's key",
                    )
            return tuple(sorted(named, key=lambda one: one.name))

        try:
            return self._patiently(collect)
        except _ERRORS as error:
            raise self._explained(error) from None

    def delete(self, names: Iterable[str]) -> None:
        """Those that are not there are no error."""
        paths = [self._path(name) for name in names]
        try:
            if paths:
                self._patiently(lambda: obstore.delete(self._store, paths))
        except FileNotFoundError:
            pass
        except _ERRORS as error:
            raise self._explained(error) from None

    @cached_property
    def _store(self) -> S3Store:
        # obstore fills every gap from AWS_ variables: whatever could change who is asked, or as whom, is said here.
        place = self._place
        endpoint = place.endpoint or _aws_endpoint(place.region)
        plain = urlsplit(endpoint).scheme == "http"
        if plain and not is_loopback(endpoint):
            raise StateError(
                f"{self.location}: plain http would show the state and its credentials to everybody on the way",
                code="plain_http",
                hint="write https:// in state.endpoint",
            )
        return S3Store(
            place.bucket,
            endpoint=endpoint,
            aws_endpoint_url_s3=endpoint,
            region=place.region,
            virtual_hosted_style_request=False,
            s3_express=False,
            skip_signature=place.access_key is None,
            credential_provider=self._credentials if place.access_key is not None else None,
            # A repeated conditional write is refused because of its own first try; `put` looks instead.
            retry_config={"max_retries": 0},
            client_options={
                "allow_http": plain,
                "allow_invalid_certificates": False,
                "connect_timeout": "5s",
                "timeout": f"{max(1, round(self._timeout_s))}s",
                # Redirects are followed, and the session token would travel along. There is no switch against that;
                # but a proxy that is nowhere, for all hosts but the right one, stops them, and proxies of the
                # environment too.
                "proxy_url": _NOWHERE,
                "proxy_excludes": urlsplit(endpoint).hostname or "",
            },
        )

    def _credentials(self) -> S3Credential:
        place = self._place
        return {
            "access_key_id": place.access_key or "",
            "secret_access_key": place.secret_key.reveal() if place.secret_key else "",
            "token": place.session_token.reveal() if place.session_token else None,
            "expires_at": None,
        }

    def _path(self, name: str) -> str:
        return f"{self._place.key.strip('/')}/{name}"

    def _put(self, name: str, data: bytes, mode: PutMode) -> str:
        answer = obstore.put(self._store, self._path(name), data, mode=mode, use_multipart=False)
        return self._tag(name, answer["e_tag"])

    def _tag(self, name: str, tag: str | None) -> str:
        if not tag:
            raise StateUnsafe(
                f"{self.location}: the store gave no ETag for {name}, so nothing can be compared there",
                hint="keep the state in postgres or http instead",
            )
        return tag

    def _patiently(self, call: Callable[[], T]) -> T:
        """A request that can be repeated: after faults of transport or store."""
        for pause in PAUSES_S:
            try:
                return call()
            except exceptions.GenericError:
                self._sleep(pause)
        return call()

    def _explained(self, error: Exception) -> StateError:
        told = _told(error)
        if isinstance(error, _DENIED):
            return StateUnreachable(
                f"{self.location} turned us away{told}",
                hint="check the access key (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), its right to get, put, "
                "delete and list objects there, and this machine's clock",
            )
        if isinstance(error, FileNotFoundError):
            return StateUnreachable(
                f"{self.location}: there is no bucket {self._place.bucket!r}{told}",
                hint="make the bucket, or correct the state's bucket, region or endpoint",
            )
        return StateUnreachable(
            f"{self.location} did not answer as a store does{told}",
            hint="check the state's endpoint, region and bucket, and the network, then try again",
        )


def _told(error: Exception) -> str:
    """Status and error code of the store, for people only. The rest of its answer may hold anything."""
    text = str(error)
    status = re.search(r"status code: ([0-9]{3})", text)
    code = re.search(r"<Code>([A-Za-z0-9]{1,60})</Code>", text)
    told = [part for part in (f"HTTP {status[1]}" if status else "", code[1] if code else "") if part]
    return f" ({', '.join(told)})" if told else ""


def _aws_endpoint(region: str) -> str:
    return f"https://s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
