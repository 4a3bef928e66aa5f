"""Kubernetes quantities -> cores and GiB, the units of the platform.

Owns what units mean, and between which bounds amounts make sense: bytes written where GiB are meant, or thousandths
of a byte, are slips. The schema holds numbers to the same bounds, and texts to the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

_CORES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m)?")
_BYTES = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([kMGT]|[KMGT]i)")
_THOUSANDTH = Fraction(1, 1000)
_GIB = 2**30
_BYTE_UNITS: Mapping[str, int] = {
    **{unit: 1000**power for power, unit in enumerate("kMGT", start=1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGT", start=1)},
}


def parse_cores(text: str) -> float | None:
    """`250m` or `0.25` as cores; None for a text of another shape."""
    match = _CORES.fullmatch(text)
    return float(Fraction(match[1]) * (_THOUSANDTH if match[2] else 1)) if match else None


def parse_gib(text: str) -> float | None:
    """`512Mi` or `1G` as GiB; None for a text of another shape, or without a unit: those are bytes."""
    match = _BYTES.fullmatch(text)
    return float(Fraction(match[1]) * _BYTE_UNITS[match[2]] / _GIB) if match else None


@dataclass(frozen=True, slots=True)
class Unit:
    """How one resource is counted. `least` and `most` are in that unit, `name` is it in words."""

    name: str
    parse: Callable[[str], float | None]
    least: float
    most: float


UNITS: Mapping[str, Unit] = {
    "cpu": Unit("cores", parse_cores, 0.001, 4096),
    "memory": Unit("GiB", parse_gib, 0.001, 65536),
}
