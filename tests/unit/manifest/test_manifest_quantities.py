"""Kubernetes quantities: what they are in cores and GiB, and that schema and tool draw the same lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statetool.manifest.quantities import UNITS, parse_cores, parse_gib
from statetool.schema import load_schema

SCHEMAS: Mapping[str, Any] = load_schema("manifest")["$defs"]["amounts"]["properties"]


@pytest.mark.parametrize(
    ("text", "cores"), [("250m", 0.25), ("1m", 0.001), ("0.1", 0.1), ("2", 2.0), ("1500m", 1.5), ("007m", 0.007)]
)
def test_cores(text: str, cores: float) -> None:
    """Thousandths become fractions as exact as the number itself would be."""
    assert parse_cores(text) == cores


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        *(("512Mi", 0.5), ("1Gi", 1.0), ("1.5Gi", 1.5), ("1Ti", 1024.0), ("1048576Ki", 1.0)),
        *(("1G", 1e9 / 2**30), ("1T", 1e12 / 2**30), ("1000M", 1e9 / 2**30), ("1000000k", 1e9 / 2**30)),
    ],
)
def test_gib(text: str, gib: float) -> None:
    """Units with an i count by 1024, those without by 1000: 1G is less than 1Gi."""
    assert parse_gib(text) == gib


QUANTITIES = st.from_regex(r"\A[0-9]{0,17}(\.[0-9]{0,11})?[kKmMgGTi ]{0,3}\Z") | st.text(
    st.characters(exclude_characters="\n"), max_size=6
)
"""Without line breaks, as all text of a manifest: `$` would let one pass at the end."""


@given(QUANTITIES)
def test_the_schema_allows_the_texts_that_can_be_read(text: str) -> None:
    """Else a text would be refused without a word, or taken for nothing."""
    for name, unit in UNITS.items():
        (schema,) = (part for part in SCHEMAS[name]["anyOf"] if part["type"] == "string")
        assert (unit.parse(text) is not None) == (re.search(schema["pattern"], text) is not None)


def test_the_schema_holds_numbers_to_the_same_bounds() -> None:
    """A number and a text of one meaning are both good or both refused."""
    for name, unit in UNITS.items():
        (schema,) = (part for part in SCHEMAS[name]["anyOf"] if part["type"] == "number")
        assert (schema["minimum"], schema["maximum"]) == (unit.least, unit.most)
