"""Reading a small YAML document with good error messages.

Owns the walk over YAML nodes: each value keeps its line, column and path, so that every complaint can name them.
Must not know what a seed means (seed.py). The only module of the sandbox that loads yaml.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from statetool.sandbox.errors import SandboxError

LONGEST_SEED = 16 * 1024 * 1024
# libyaml where it is there: a world of 15,000 components is parsed in a second instead of a quarter of a minute.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER_DIGITS = 10
_DEEPEST = 4
_LARGEST_AMOUNT = 1_000_000
_QUOTED = frozenset("'\"|>")


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of the document and where it stands; `node` is None for a document without content."""

    node: Any
    path: str

    @staticmethod
    def top() -> Spot:
        """The place to name where there is no value to point at."""
        return Spot(None, "")


def parse(text: str, filename: str) -> Spot:
    """The root of a document. Raises SandboxError naming file, line and column."""
    if len(text) > LONGEST_SEED:
        raise SandboxError(f"{filename}: a seed is at most {LONGEST_SEED // 1024 // 1024} MiB")
    try:
        return Spot(yaml.compose(text, Loader=_LOADER), "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SandboxError(f"{filename}{place}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SandboxError(f"{filename}: not YAML: {str(error).splitlines()[0]}") from None


class Reader:
    """Turns spots into values; every method raises SandboxError naming the place when it can't."""

    def __init__(self, filename: str) -> None:
        self._filename = filename

    def fail(self, spot: Spot, message: str) -> NoReturn:
        """Complain about a spot."""
        mark = getattr(spot.node, "start_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        inside = f"{spot.path}: " if spot.path else ""
        raise SandboxError(f"{self._filename}{place}: {inside}{message}")

    def check(self, holds: object, spot: Spot, message: str) -> None:
        """Complain unless something holds."""
        if not holds:
            self.fail(spot, message)

    def names(self, spot: Spot) -> dict[str, Spot]:
        """A mapping with free keys."""
        node = spot.node
        if not isinstance(node, yaml.MappingNode):
            self.fail(spot, "must be a mapping (name: value)")
        found: dict[str, Spot] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            if not key:
                self.fail(Spot(key_node, spot.path), "a key must be a text")
            path = f"{spot.path}.{key}" if spot.path else key
            if key in found:
                self.fail(Spot(key_node, path), "this key is there twice")
            found[key] = Spot(value, path)
        return found

    def mapping(self, spot: Spot, allowed: set[str]) -> dict[str, Spot]:
        """A mapping with known keys only."""
        found = self.names(spot)
        for key, value in found.items():
            if key not in allowed:
                near = difflib.get_close_matches(key, sorted(allowed), n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(allowed))}"
                self.fail(value, f"unknown key ({hint})")
        return found

    def is_mapping(self, spot: Spot) -> bool:
        """Whether a value is a mapping, where it may also be something else."""
        return isinstance(spot.node, yaml.MappingNode)

    def required(self, found: Mapping[str, Spot], key: str, owner: Spot) -> Spot:
        """The value of a key that must be there."""
        if key not in found:
            self.fail(owner, f"{key} is missing")
        return found[key]

    def text(self, spot: Spot) -> str:
        """A scalar as it is written, whatever type YAML would guess (a version 1.10 stays 1.10); not a blank one."""
        text = self.any_text(spot)
        self.check(text.strip(), spot, "must be a text")
        return text

    def any_text(self, spot: Spot) -> str:
        """A scalar as it is written, also an empty one."""
        if not isinstance(spot.node, yaml.ScalarNode):
            self.fail(spot, "must be a text")
        return str(spot.node.value)

    def integer(self, spot: Spot, low: int, high: int) -> int:
        """A whole number, written plainly, within bounds."""
        text = self.text(spot)
        plain = spot.node.style not in _QUOTED and text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS
        if not plain or not low <= int(text) <= high:
            self.fail(spot, f"must be a whole number from {low} to {high}, not {text!r}")
        return int(text)

    def amount(self, spot: Spot) -> float:
        """A number that is not negative, written plainly."""
        value = self.plain(spot)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_AMOUNT:
            self.fail(spot, "must be a number, 0 or more")
        return value

    def plain(self, spot: Spot, depth: int = 0) -> Any:
        """The value as JSON would have it: what YAML takes for a number, true, false or null is that."""
        self.check(depth < _DEEPEST, spot, "is nested too deeply")
        if isinstance(spot.node, yaml.MappingNode):
            return {key: self.plain(value, depth + 1) for key, value in self.names(spot).items()}
        if isinstance(spot.node, yaml.SequenceNode):
            return [self.plain(item, depth + 1) for item in self.items(spot)]
        try:
            value = yaml.constructor.SafeConstructor().construct_document(spot.node)
        except (yaml.YAMLError, ValueError):
            self.fail(spot, "is no value of this kind")
        return value if value is None or isinstance(value, bool | int | float) else str(spot.node.value)

    def choice(self, spot: Spot, allowed: Iterable[str]) -> str:
        """One of a few words."""
        text, words = self.text(spot), tuple(allowed)
        if text not in words:
            self.fail(spot, f"must be one of {', '.join(words)}, not {text!r}")
        return text

    def items(self, spot: Spot) -> list[Spot]:
        """A list."""
        node = spot.node
        if not isinstance(node, yaml.SequenceNode):
            self.fail(spot, "must be a list")
        return [Spot(item, f"{spot.path}[{index}]") for index, item in enumerate(node.value)]
