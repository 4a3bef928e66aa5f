"""Whether a store keeps two writers apart: tried out on an object of its own, before a lock there is worth anything.

Owns the trial and what is said of a store that fails it. It must not touch anything but its own object.
"""

from __future__ import annotations

import contextlib
import secrets

from statetool.backends.s3_objects import Objects
from statetool.errors import StateError, StateUnreachable, StateUnsafe

_WRONG_TAG = '"00000000000000000000000000000000"'


def ensure_compares(objects: Objects) -> None:
    """Raises StateUnsafe where the store ignores a condition, or refuses one that holds; StateUnreachable."""
    with contextlib.suppress(StateUnreachable):
        _try_out(objects)
        return
    _try_out(objects)  # an answer was lost: it says nothing about what the store does


def _try_out(objects: Objects) -> None:
    name = f"probe-{secrets.token_hex(8)}"
    try:
        _ensure_refused(objects, name)
    finally:
        with contextlib.suppress(StateError):
            objects.delete([name])


def _ensure_refused(objects: Objects, name: str) -> None:
    tag = objects.try_put(name, b"first\n", None)
    if tag is None:
        raise _unsafe(objects, "it refuses to create an object that is not there (If-None-Match)")
    if objects.try_put(name, b"second\n", None) is not None:
        raise _unsafe(objects, "it ignores If-None-Match: an object that exists was created again")
    if objects.try_put(name, b"third\n", _WRONG_TAG) is not None:
        raise _unsafe(objects, "it ignores If-Match: an object was replaced that is not the expected one")
    if objects.try_put(name, b"fourth\n", tag) is None:
        raise _unsafe(objects, "it refuses to replace an object that is the expected one (If-Match)")


def _unsafe(objects: Objects, what: str) -> StateUnsafe:
    return StateUnsafe(
        f"the store of {objects.location} can't keep two writers apart: {what}",
        hint="keep the state in postgres or http instead; --unsafe-no-lock goes on, and then nothing but you keeps two "
        "runs from writing at once",
    )
