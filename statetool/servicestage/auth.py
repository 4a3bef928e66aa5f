"""Who we are: what goes along with every request.

Owns putting credentials on a request, and taking them out of what is shown. Credentials are `Secret` from end to
end; the places that reveal one are the headers. It must not log, print or store them, nor fetch any: those that
are given out for a time are `iam.py` and `metadata.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from urllib.parse import quote

import httpx

from statetool.core.credentials import AccessKey
from statetool.core.model import Secret
from statetool.errors import Unauthorized
from statetool.servicestage.answer import Answer
from statetool.servicestage.problems import NO_CREDENTIALS, Refusal
from statetool.servicestage.renewal import parse_http_date
from statetool.servicestage.signing import DATE_HEADER, SIGNATURE_HEADER, decode_query, sign

AUTH_HEADER = "X-Auth-Token"  # [06_0082]
PROJECT_HEADER = "X-Project-Id"  # [9.3]
SECURITY_TOKEN_HEADER = "X-Security-Token"  # noqa: S105 - the name of a header [9.4]
MAX_SKEW_S = 15 * 60  # [10.3]
CLOCK_SKEW = "clock_skew"
"""Code of an Unauthorized whose reason is our clock."""

_TIME_CODE = "APIGW.0303"
_PLACEHOLDER = b"***"
_DISTINCTIVE_LENGTH = 8


class Auth:
    """Credentials of one client. This one has none: requests go out as they are.

    `secrets` are concealed all the same: they stand in a request's body.
    """

    sends_credentials = False

    def __init__(self, secrets: Iterable[Secret] = (), refusal: Refusal = NO_CREDENTIALS) -> None:
        self._secrets = tuple(secrets)
        self._refusal = refusal

    async def prepare(self) -> None:
        """Have credentials at hand that will do for the next request. Raises PlatformError."""

    def put_on(self, request: httpx.Request) -> None:
        """Put them on a request, in place of those of an earlier try."""

    async def renew(self, request: httpx.Request) -> bool:
        """Whether, after a 401 on `request`, there are other credentials to try it with. Raises PlatformError."""
        return False

    def explain_refusal(self, answer: Answer, code: str | None) -> Refusal:
        """What a 401 means for a person who gave these credentials. `code` is the platform's."""
        return self._refusal

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must never be shown: all that requests carry to prove who we are."""
        return self._secrets

    @property
    def remaining_s(self) -> float | None:
        """Seconds until these credentials end, where somebody said so; they may be renewed before that."""
        return None

    def conceal(self, body: bytes, *, short_too: bool = True) -> bytes:
        """The body without our secrets, however they are written: a server may echo what it got.

        A short secret could be a part of an innocent name: without `short_too` it stays, as in answers that
        are read for what they say.
        """
        for secret in self.secrets:
            if short_too or len(secret.reveal()) >= _DISTINCTIVE_LENGTH:
                for spelling in _spellings(secret.reveal()):
                    body = body.replace(spelling, _PLACEHOLDER)
        return body

    async def close(self) -> None:
        """Close connections of its own."""


class TokenAuth(Auth):
    """A ready IAM token. It can't be renewed: after a 401 nothing is sent again."""

    sends_credentials = True

    def __init__(self, token: Secret, origin: str = "environment HW_AUTH_TOKEN") -> None:
        ensure_sendable(token, "the token", "set HW_AUTH_TOKEN again; $(cat FILE) drops a trailing line break")
        super().__init__(
            [token],
            Refusal(
                f"the platform did not accept our token ({origin})",
                "set HW_AUTH_TOKEN to a fresh token of this project (a token lives 24 hours); nothing more is sent",
            ),
        )
        self._token = token

    def put_on(self, request: httpx.Request) -> None:
        request.headers[AUTH_HEADER] = self._token.reveal()


class KeyAuth(Auth):
    """Signs every request with an access key. After a 401 nothing is sent again: five bad signatures lock a key.

    `project_id` goes along, signed, where the request is one of a project. `now` is the wall clock, with time zone.
    """

    sends_credentials = True

    def __init__(self, key: AccessKey, *, project_id: str | None, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._project_id = project_id
        self._now = now
        self._use(key)

    def _use(self, key: AccessKey) -> None:
        secrets = [secret for secret in (key.access, key.secret, key.security_token) if secret is not None]
        for secret in secrets:
            ensure_sendable(secret, f"the access key of {key.origin}", "copy key and secret again")
        self._key = key
        self._secrets = tuple(secrets)

    def put_on(self, request: httpx.Request) -> None:
        headers = {"Host": request.headers["Host"], "Content-Type": request.headers["Content-Type"]}
        if self._project_id:
            headers[PROJECT_HEADER] = self._project_id
        if self._key.security_token is not None:
            headers[SECURITY_TOKEN_HEADER] = self._key.security_token.reveal()
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        signed = sign(
            request.method,
            path,
            decode_query(query),
            headers,
            request.content,
            access_key=self._key.access.reveal(),
            secret_key=self._key.secret.reveal(),
            date=self._now(),
        )
        for name in (DATE_HEADER, SIGNATURE_HEADER):
            request.headers.pop(name, None)
        request.headers.update(signed)

    def explain_refusal(self, answer: Answer, code: str | None) -> Refusal:
        date = parse_http_date(answer.headers.get("date"))
        ahead_s = round(self._now().timestamp() - date.timestamp()) if date else 0
        if abs(ahead_s) > MAX_SKEW_S:
            off = f"{_show_time(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} the platform's"
            return Refusal(
                f"the platform did not accept our signature: this machine's clock is {off}",
                "set the clock (a signature may be 15 min off at most); nothing more is sent",
                CLOCK_SKEW,
            )
        what = f"the platform did not accept our signature (key from {self._key.origin})"
        if code == _TIME_CODE:
            what += "; it says this too where the clock of the signer is more than 15 min off"
        temporary = "" if self._key.security_token is None else ", whether the temporary key has ended"
        return Refusal(
            what,
            f"check access key and secret key{temporary}, and the project id; nothing more is sent, because five bad "
            "signatures lock a key",
        )


def ensure_sendable(secret: Secret, what: str, hint: str) -> None:
    """Raise Unauthorized for what no header can carry: it would come back inside an exception's text."""
    value = secret.reveal()
    if not value:
        raise Unauthorized(f"{what} is empty", hint=hint)
    if not value.isascii() or not value.isprintable() or " " in value:
        raise Unauthorized(f"{what} holds characters that none has, such as a space or a line break", hint=hint)


def _spellings(value: str) -> list[bytes]:
    """The ways a secret may be written in an answer, longest first; one that is escaped in part is not looked for."""
    plain = value.encode("utf-8", "surrogateescape")
    coded = base64.b64encode(plain)
    # Escaped twice: an error message, which is JSON, may repeat a whole body, which was JSON too.
    once = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(text, ensure_ascii=is_ascii)[1:-1] for text in once for is_ascii in (True, False)}
    texts = {value, *once, *twice, quote(plain, safe="")}
    texts |= {"".join(form.format(ord(letter)) for letter in value) for form in ("\\u{:04x}", "\\u{:04X}")}
    raw = {text.encode("utf-8", "surrogateescape") for text in texts}
    return sorted({*raw, coded, coded.rstrip(b"=")}, key=lambda text: (-len(text), text))


def _show_time(seconds: int) -> str:
    """`2 h 5 min`, to the minute."""
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
