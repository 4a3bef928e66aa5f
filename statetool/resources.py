"""Where the files are that the package carries: the schemas and the quickstart example.

Owns one rule: an installed package has them as its data, in a clone they stand beside the package. It must not
know what is in them.
"""

from __future__ import annotations

from pathlib import Path

from statetool.errors import StatetoolError

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """The folder `schemas` or `examples`. Raises StatetoolError where the installation lacks it."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise StatetoolError(
        f"this installation lacks its folder {name}", code="resource_missing", hint="install statetool again"
    )
