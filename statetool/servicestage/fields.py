"""Reading one field of the platform's JSON: the value in a type we can rely on, or an error that names the place.

Owns tolerance: what counts as missing, as text, as a number, as an instant. Knows no field by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from statetool.core.model import Json
from statetool.errors import AnswerUnreadable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_COUNT = 2**31 - 1
_EPOCH_MS_DIGITS = 12  # shorter digit strings may be compact dates


def build_unreadable(path: str, wanted: str, value: Json) -> AnswerUnreadable:
    """The error for a value of the wrong shape at `path`."""
    return AnswerUnreadable(f"{path or 'answer'}: expected {wanted}, found {_kind(value)}")


def parse_object(value: Json, path: str) -> Mapping[str, Json]:
    """An object. Raises AnswerUnreadable."""
    if not isinstance(value, dict):
        raise build_unreadable(path, "an object", value)
    return value


def parse_optional_object(owner: Mapping[str, Json], key: str, path: str) -> Mapping[str, Json]:
    """The object under `key`, empty where it is missing or null. Raises AnswerUnreadable."""
    value = owner.get(key)
    return {} if value is None else parse_object(value, _under(path, key))


def parse_list(owner: Mapping[str, Json], key: str, path: str) -> list[Json]:
    """The list under `key`. Raises AnswerUnreadable."""
    value = owner.get(key)
    if not isinstance(value, list):
        raise build_unreadable(_under(path, key), "a list", value)
    return value


def parse_optional_list(owner: Mapping[str, Json], key: str, path: str) -> list[Json]:
    """The list under `key`, empty where it is missing or null. Raises AnswerUnreadable."""
    return [] if owner.get(key) is None else parse_list(owner, key, path)


def parse_text(owner: Mapping[str, Json], key: str, path: str) -> str:
    """Text that is not empty. Raises AnswerUnreadable."""
    found = parse_optional_text(owner, key, path)
    if found is None:
        raise build_unreadable(_under(path, key), "text", owner.get(key))
    return found


def parse_optional_text(owner: Mapping[str, Json], key: str, path: str) -> str | None:
    """Text, None where it is missing, null or empty. Raises AnswerUnreadable.

    Half a surrogate pair, legal in JSON, can't be written to any file: it becomes a question mark.
    """
    value = owner.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise build_unreadable(_under(path, key), "text", value)
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def parse_count(owner: Mapping[str, Json], key: str, path: str) -> int:
    """A whole number from 0. Raises AnswerUnreadable."""
    value = owner.get(key)
    # bool is an int in Python, and not a number in JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_COUNT:
        raise build_unreadable(_under(path, key), "a whole number from 0", value)
    return value


def parse_optional_count(owner: Mapping[str, Json], key: str, path: str) -> int | None:
    """A whole number from 0, None where it is missing or null. Raises AnswerUnreadable."""
    return None if owner.get(key) is None else parse_count(owner, key, path)


def parse_amount(value: Json) -> float | None:
    """A finite number from 0, such as cores or GiB; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_COUNT:
        return None
    return float(value)


def parse_instant(value: Json) -> datetime | None:
    """An instant from epoch milliseconds (as number or digits) or ISO 8601; None for anything else.

    The platform uses all of these, and names no format for records [sections 3, 7, 8]. Without time zone: UTC.
    """
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
        if not isinstance(value, str):
            return None
        if value.isascii() and value.isdigit() and len(value) >= _EPOCH_MS_DIGITS:
            return _EPOCH + timedelta(milliseconds=int(value))
        parsed = datetime.fromisoformat(value.strip())
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def render_instant(instant: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds, so that the text sorts like the time."""
    return None if instant is None else instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def _under(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kind(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number" if isinstance(value, float) or value.bit_length() > 63 else f"the number {value}"
    if isinstance(value, str):
        return "text" if value else "empty text"
    return "a list" if isinstance(value, list) else "an object"
