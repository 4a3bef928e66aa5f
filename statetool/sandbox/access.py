"""Who may use the sandbox: tokens, key pairs, and what the gateway does about wrong ones.

Owns the accounts everybody may read, the tokens IAM issues, and the lock of a key after too many bad signatures
(sections 9 and 10.3). Must not know HTTP frameworks, paths or rules of the world.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass

from statetool.sandbox.errors import clock_skew, unauthenticated
from statetool.sandbox.signature import Arrival, is_signed, parse_signature, verifies
from statetool.sandbox.tables import Tables

SKEW_SECONDS = 15 * 60
LOCK_AFTER = 5
LOCK_MS = 5 * 60 * 1000
# Tokens carry their end themselves, so that every process on a world accepts them without a table of tokens. The
# key is no secret, like all credentials here: it only keeps a damaged token from being accepted.
_TOKEN_KEY = b"statetool.sandbox"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The credentials a sandbox accepts. They protect nothing, so everybody may read them."""

    user: str = "sandbox-user"
    password: str = "sandbox-password"  # noqa: S105 - public on purpose
    domain: str = "sandbox"
    access_key: str = "sandbox-ak"
    secret_key: str = "sandbox-sk"  # noqa: S105
    temporary_access_key: str = "sandbox-temporary-ak"
    temporary_secret_key: str = "sandbox-temporary-sk"  # noqa: S105
    security_token: str = "sandbox-security-token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Gate:
    """One request at the door, and who is let in: `token` is accepted besides issued ones and signatures."""

    arrival: Arrival
    token: str
    accounts: Accounts

    @property
    def writes(self) -> bool:
        """Whether checking may have to write: signatures are counted."""
        return is_signed(self.arrival)

    def ensure_open(self, tables: Tables, now_ms: int) -> None:
        """Raise Refusal 401 unless the request carries a valid signature or token.

        A signature that is there is what counts, whatever token comes with it (SIM).
        """
        if is_signed(self.arrival):
            self._ensure_signature(tables, now_ms)
            return
        sent = (self.arrival.header(b"x-auth-token") or b"").decode("latin-1")
        # Bytes: compare_digest takes no other text than ASCII.
        known = hmac.compare_digest(sent.encode(), self.token.encode())
        if not known and not is_valid_token(sent, tables.project_id(), now_ms):
            raise unauthenticated("x-auth-token is missing, wrong or expired")

    def _ensure_signature(self, tables: Tables, now_ms: int) -> None:
        signature = parse_signature(self.arrival)
        if signature is None:
            raise unauthenticated("the authorization header, x-sdk-date or the list of signed headers is malformed")
        accounts = self.accounts
        secrets = {
            accounts.access_key: accounts.secret_key,
            accounts.temporary_access_key: accounts.temporary_secret_key,
        }
        secret = secrets.get(signature.access_key)
        if secret is None:
            raise unauthenticated("the access key does not exist")
        failures, locked_until_ms = tables.failed_signatures(signature.access_key)
        if now_ms < locked_until_ms:
            raise unauthenticated("the access key is locked after too many wrong signatures")
        if abs(signature.at * 1000 - now_ms) > SKEW_SECONDS * 1000:
            raise clock_skew()
        if not verifies(self.arrival, signature, secret):
            locks = failures + 1 >= LOCK_AFTER
            tables.set_failed_signatures(
                signature.access_key, 0 if locks else failures + 1, now_ms + LOCK_MS if locks else 0
            )
            raise unauthenticated("verify aksk signature fail")
        if failures:
            tables.set_failed_signatures(signature.access_key, 0, 0)
        self._ensure_security_token(signature.access_key)

    def _ensure_security_token(self, access_key: str) -> None:
        """Temporary keys come with their token, lasting keys with none (section 9.4)."""
        wanted = self.accounts.security_token if access_key == self.accounts.temporary_access_key else ""
        sent = (self.arrival.header(b"x-security-token") or b"").decode("latin-1")
        if not hmac.compare_digest(sent.encode(), wanted.encode()):
            raise unauthenticated("x-security-token does not belong to the access key")


def issue_token(project_id: str, expires_ms: int) -> str:
    """A token for one project that ends at an instant; two are never the same."""
    claims = {"project": project_id, "expires_ms": expires_ms, "id": uuid.uuid4().hex}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    return f"{text}.{_seal(text)}"


def is_valid_token(token: str, project_id: str, now_ms: int) -> bool:
    """Whether a token was issued here, for this project, and has not ended."""
    text, _, seal = token.rpartition(".")
    if not text or not hmac.compare_digest(seal.encode(), _seal(text).encode()):
        return False
    claims = json.loads(base64.urlsafe_b64decode(text))
    return bool(claims["project"] == project_id and now_ms < claims["expires_ms"])


def _seal(text: str) -> str:
    return hmac.new(_TOKEN_KEY, text.encode(), hashlib.sha256).hexdigest()
