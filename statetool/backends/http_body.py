"""The body that is stored over HTTP: state, journal and fence in one document that servers take for Terraform's.

Owns its layout, both ways. GitLab and Gitea look into it: they want Terraform's version 4, a `serial` that no
version of this state had before, and (Gitea) the other keys that every Terraform state has. So the `serial` on top
counts what was stored, journal included; statetool's own stands inside. GitLab also reads a parameter from every key
on top, so none may be called id, ID or name.

    {"version": 4, "terraform_version": …, "serial": 31, "lineage": …, "outputs": {}, "resources": [],
     "format_version": "1.0", "fence": 7, "post": nonce, "holder": lock information, "broken": [broken locks],
     "statetool": the state's document or null, "journal": [entries]}

Above 1 MB `statetool` and `journal` give way to `encoded`: both in one JSON object, gzip, base64.
It must not know how a body travels.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from statetool import __version__
from statetool.backends import JournalEntry, LockInfo, lock_info_from_json, lock_info_to_json
from statetool.backends.state_text import MAX_BYTES, StateText
from statetool.core.document import DocumentError, Fields, ensure_format, parse_document
from statetool.core.model import Json
from statetool.core.state import StateFile
from statetool.core.state_document import state_from_document
from statetool.errors import StateUnreadable

ENCODE_ABOVE = 10**6
BROKEN_LIMIT = 20

_FORMAT_VERSION = "1.0"
_TERRAFORM_VERSION = 4
_NO_LINEAGE = "statetool"
"""For a journal without a state yet; Gitea wants some text."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is stored. `number` counts what was stored here, `post` is the nonce of the request that stored it.

    `holder` held the lock at that time, under `fence`. `broken` are the newest locks that were broken, oldest first:
    at, by, reason, lock.
    """

    number: int
    fence: int
    post: str
    state: StateFile | None = None
    journal: tuple[JournalEntry, ...] = ()
    holder: LockInfo | None = None
    broken: tuple[Mapping[str, Json], ...] = ()


EMPTY = Envelope(0, 0, "")
"""What is there before anything was stored."""


def render_envelope(envelope: Envelope, text: StateText) -> bytes:
    """The whole body. `text` keeps the lines of components that did not change."""
    head: dict[str, Json] = {
        "version": _TERRAFORM_VERSION,
        "terraform_version": __version__,
        "serial": envelope.number,
        "lineage": envelope.state.lineage if envelope.state is not None else _NO_LINEAGE,
        "outputs": {},
        "resources": [],
        "format_version": _FORMAT_VERSION,
        "fence": envelope.fence,
        "post": envelope.post,
        "holder": lock_info_to_json(envelope.holder) if envelope.holder is not None else None,
        "broken": [dict(one) for one in envelope.broken],
    }
    state = text.render(envelope.state).strip() if envelope.state is not None else b"null"
    entries = b",\n".join(_json(dict(entry)) for entry in envelope.journal)
    content = b'"statetool": ' + state + b',\n"journal": [\n' + entries + b"\n]"
    if len(content) > ENCODE_ABOVE:
        # Without a time inside, equal contents give equal bytes. JSON this regular gains little from a higher level.
        packed = gzip.compress(b"{" + content + b"}", compresslevel=3, mtime=0)
        content = b'"encoded": "' + base64.b64encode(packed) + b'"'
    return _json(head)[:-1] + b",\n" + content + b"\n}\n"


def parse_envelope(body: bytes) -> Envelope:
    """Raises StateUnreadable saying what is wrong, without naming a place."""
    try:
        document = parse_document(body)
        if "statetool" not in document and "encoded" not in document:
            raise StateUnreadable(
                "it is a state of Terraform or OpenTofu, not one of statetool"
                if "terraform_version" in document
                else "it is not a state of statetool",
                code="foreign_state",
                hint="nothing was changed; give statetool a state name of its own in state.address",
            )
        ensure_format(document, major=1)
        fields = Fields(document)
        content = Fields(_unpack(fields.text("encoded"))) if fields.has("encoded") else fields
        state = content.raw("statetool")
        return Envelope(
            number=fields.integer("serial", minimum=0),
            fence=fields.integer("fence", minimum=0),
            post=fields.text("post"),
            state=state_from_document(content.mapping("statetool")) if state is not None else None,
            journal=_objects(content, "journal"),
            holder=lock_info_from_json(fields.mapping("holder")) if fields.has("holder") else None,
            broken=_objects(fields, "broken"),
        )
    except DocumentError as error:
        raise StateUnreadable(error.message, hint=error.hint) from None


def _objects(fields: Fields, key: str) -> tuple[Mapping[str, Json], ...]:
    values = fields.raw(key)
    if not isinstance(values, list):
        raise DocumentError(f"{key} must be a list")
    found: list[Mapping[str, Json]] = []
    for value in values:
        if not isinstance(value, dict):
            raise DocumentError(f"{key} must hold objects only")
        found.append(value)
    return tuple(found)


def _unpack(text: str) -> dict[str, Json]:
    unpacker = zlib.decompressobj(wbits=31)  # 31: gzip only
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), MAX_BYTES)
    except (binascii.Error, zlib.error, ValueError):
        raise DocumentError("encoded is damaged: it must be gzip in base64") from None
    if not unpacker.eof:
        raise DocumentError(f"encoded is cut off, or larger than {MAX_BYTES // 2**20} MiB")
    return parse_document(data)


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")
