"""What a version of a component runs with: its artifact, variables, limits and configured instances.

Owns how the configuration of section 3.2 is read for people who decide about a version. Pure. What only informs is
None, or left out, where it can't be read; what a deployment could not send back is AnswerUnreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from statetool.core.canonical import digest
from statetool.core.deploy import Artifact, Configuration, Resources
from statetool.core.model import Json
from statetool.servicestage.fields import (
    build_unreadable,
    parse_amount,
    parse_object,
    parse_optional_count,
    parse_optional_list,
    parse_optional_text,
)

AMOUNTS = ("request_cpu", "limit_cpu", "request_memory", "limit_memory")
"""Cores and GiB of one instance [3.2]; the names are the plan's too."""


def parse_configuration(detail: Json) -> Configuration:
    """The detail of a component, of now or of a past version [3.3]. Raises AnswerUnreadable."""
    shown = parse_object(detail, "")
    request_cpu, limit_cpu, request_memory, limit_memory = (parse_amount(shown.get(key)) for key in AMOUNTS)
    return Configuration(
        artifact=parse_artifact(shown),
        env=_parse_env(shown),
        resources=Resources(request_cpu, limit_cpu, request_memory, limit_memory),
        replicas=parse_optional_count(shown, "replica", ""),
    )


def parse_past_configuration(detail: Json, version: str) -> Configuration | None:
    """The answer to the question for one version; None where it is about another one. Raises AnswerUnreadable."""
    shown = parse_object(detail, "")
    return parse_configuration(detail) if shown.get("version") == version else None


def parse_artifact(shown: Mapping[str, Json]) -> Artifact | None:
    """What a list row or detail says the component runs from [3.1, 3.2]; None where it can't be told, or is built from
    code."""
    source = shown.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("url"), str):
        return None
    kind, url = str(source.get("kind")).lower(), parse_optional_text(source, "url", "source")
    if url is None or kind not in ("image", "package"):
        return None
    return Artifact(cast(Literal["image", "package"], kind), url)


def is_inner(env: Json) -> bool:
    """Whether the platform added a variable itself [3.2]."""
    return isinstance(env, dict) and env.get("inner") is True


def _parse_env(shown: Mapping[str, Json]) -> dict[str, str]:
    """A digest of what each variable holds, by name. Of two with one name the later counts, as in a container.

    A plain text has the digest of `{"value": text}`, one from a config map or secret that of `{"value_from": {...}}`.
    """
    digests = {}
    for number, env in enumerate(parse_optional_list(shown, "envs", "")):
        if not isinstance(env, dict) or not isinstance(env.get("name"), str) or is_inner(env):
            continue
        name = parse_optional_text(env, "name", f"envs[{number}]")
        # Left out, null and empty are the same: nothing.
        held = {key: env[key] for key in ("value", "value_from") if env.get(key) not in (None, "")}
        if name is not None:
            digests[name] = _digest(held or {"value": ""}, f"envs[{number}]")
    return digests


def _digest(held: dict[str, Json], path: str) -> str:
    try:
        return digest(held)
    except RecursionError:
        raise build_unreadable(path, "a variable nested less deep", held) from None
