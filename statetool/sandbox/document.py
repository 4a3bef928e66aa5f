"""The OpenAPI document of the sandbox: where it lies.

Owns finding `sandbox.openapi.json`. Must not know what is in it; that it says what is served is for tests to prove.
"""

from __future__ import annotations

from pathlib import Path

from statetool.sandbox.errors import SandboxError

DOCUMENT_PATH = "/openapi.json"
_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = "schemas/sandbox.openapi.json"


def read_document() -> bytes:
    """The document as it is checked in: a wheel carries it in the package, a clone has it beside the package.

    Raises SandboxError where the installation lacks it.
    """
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / _NAME).is_file():
            return (folder / _NAME).read_bytes()
    raise SandboxError(f"this installation lacks its file {_NAME}: install it again")
