"""Addresses to offer where one is typed: those the local state holds.

Owns a look at the state that is cheap and never fails: it is for completion in a shell, where an error would only be
in the way. Everything that decides something reads the state through its backend.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from statetool.backends.files import read_file

_CONFIG_FILE = "statetool.yaml"
_DEFAULT = ".statetool/state.json"
_LARGEST_CONFIG = 2**20
_LARGEST_STATE = 64 * 2**20
# Shells put a completed word on the command line as it is: nothing that a shell would act on is ever offered.
_HARMLESS = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


def find_addresses(folder: Path, prefix: str) -> list[str]:
    """Recorded addresses that begin so, in order; none where they can't be told. Raises nothing."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        document = json.loads(read_file(folder / _state_path(folder), _LARGEST_STATE)[0])
        components = document.get("components") if isinstance(document, dict) else None
        known = components if isinstance(components, dict) else {}
        return sorted(name for name in known if name.startswith(prefix) and _HARMLESS.fullmatch(name))
    return []


def _state_path(folder: Path) -> str:
    """As configured. Only this one value is looked at: checking the whole file takes longer than a key press."""
    with contextlib.suppress(OSError):
        data = read_file(folder / _CONFIG_FILE, _LARGEST_CONFIG, follow_links=True)[0]
        return next(_written_paths(data), _DEFAULT)
    return _DEFAULT


def _written_paths(data: bytes) -> Iterator[str]:
    from statetool.manifest.nodes import Mapping, Scalar
    from statetool.manifest.yaml_reader import read_yaml

    for document in read_yaml(data, _CONFIG_FILE).documents[:1]:
        node = document.root
        for key in ("state", "path"):
            entry = node.entries.get(key) if isinstance(node, Mapping) else None
            if entry is None:
                return
            node = entry.node
        if isinstance(node, Scalar) and isinstance(node.value, str):
            yield node.value
