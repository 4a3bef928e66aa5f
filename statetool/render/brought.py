"""What a change of version brings along, in words.

Owns the line below an action. It must not decide what is brought (that is `core/comes_along.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from statetool.core.model import Json
from statetool.core.plan import Action, Brought, FieldChange
from statetool.render.words import ARTIFACT_PATHS, START_PARAMETERS, parameters_text, sides_text, value_text

_ENV = "env."
_UNCHANGED = "unchanged"
_GIB = " GiB"
"""What the platform counts memory in, and manifests where they write a number; they may have written 512Mi."""


def brought_text(action: Action, fields: Collection[FieldChange]) -> str:
    """`brings env LOG_LEVEL changed, 3 unchanged; replicas 4 -> 3`; empty where nothing comes along but the version.

    What stands among the fields of the change is not said twice.
    """
    listed = [(field.path.removeprefix("gray."), field.after) for field in fields]
    shown = [one for one in action.brings if (one.path, one.after) not in listed]
    parts = [_one(one) for one in shown if one.path in ARTIFACT_PATHS and one.how != _UNCHANGED]
    parts += _variables(shown)
    others = [one for one in shown if one.path not in ARTIFACT_PATHS and not one.path.startswith(_ENV)]
    parts += [_one(one) for one in others if one.how != _UNCHANGED]
    start = START_PARAMETERS & set(_gray(action))
    starts = [f"starts with {parameters_text({key: _gray(action)[key] for key in sorted(start)})}"] if start else []
    return "; ".join(starts + ([f"brings {'; '.join(parts)}"] if parts else []))


def _gray(action: Action) -> Mapping[str, Json]:
    gray = action.parameters.get("gray")
    return gray if isinstance(gray, dict) else {}


def _one(one: Brought) -> str:
    before, after = sides_text(one.path, one.before, one.after)
    return f"{one.path} {before} -> {after}{_GIB if one.path.endswith('.memory') else ''}"


def _variables(shown: Iterable[Brought]) -> list[str]:
    """Names of variables that differ, and how many do not. Never what they hold."""
    variables = [one for one in shown if one.path.startswith(_ENV)]
    names = [f"{value_text('', one.path.removeprefix(_ENV))} {one.how}" for one in variables if one.how != _UNCHANGED]
    same = sum(one.how == _UNCHANGED for one in variables)
    if same and names:
        names.append(f"{same} unchanged")
    return [f"env {', '.join(names)}"] if names else []
