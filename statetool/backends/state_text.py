"""The bytes of a state file, both ways.

Owns their layout: the head, then one component a line, so that two states compare line by line. It must not
know where the bytes go.
"""

from __future__ import annotations

import json

from statetool.core.document import DocumentError, parse_document
from statetool.core.model import Address, Json, Recorded
from statetool.core.state import StateFile
from statetool.core.state_document import recorded_to_json, state_from_document, state_header
from statetool.errors import StateUnreadable

MAX_BYTES = 256 * 2**20
"""15,000 components take about 11 MB."""


def parse_state(data: bytes) -> StateFile:
    """Raises StateUnreadable saying what is wrong, without naming a file."""
    try:
        return state_from_document(parse_document(data))
    except DocumentError as error:
        raise StateUnreadable(error.message, hint=error.hint) from None


class StateText:
    """Renders states. An apply saves after every outcome, so lines of components that did not change are kept."""

    def __init__(self) -> None:
        self._lines: dict[Address, tuple[Recorded, str]] = {}

    def render(self, state: StateFile) -> bytes:
        """The whole file. Equal states give equal bytes."""
        head = "".join(f"{_json(key)}: {_json(value)},\n" for key, value in state_header(state).items())
        ordered = sorted(state.components.items(), key=lambda item: item[0].sort_key)
        self._lines = {address: self._line(address, recorded) for address, recorded in ordered}
        body = ",\n".join(line for _, line in self._lines.values())
        return f'{{\n{head}"components": {{\n{body}\n}}\n}}\n'.encode("ascii")

    def _line(self, address: Address, recorded: Recorded) -> tuple[Recorded, str]:
        known = self._lines.get(address)
        # Records are frozen and shared between states: the same object is the same line.
        if known is not None and known[0] is recorded:
            return known
        return recorded, f"{_json(str(address))}: {_json(recorded_to_json(recorded))}"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
