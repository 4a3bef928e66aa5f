"""What changing requests carry: the bodies of actions, of the gray rule, and of a deployment.

Owns how the plan's parameters are spelled for the platform. Pure. A deployment is read, modified and written: what
it does not mention the platform may reset [U10], so the component's own answer goes back but for what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from statetool.core.canonical import rule_from_json
from statetool.core.model import GrayRule, Json, Observed
from statetool.core.plan import Verb
from statetool.errors import RequestRefused
from statetool.servicestage.configuration import AMOUNTS, is_inner
from statetool.servicestage.fields import (
    parse_object,
    parse_optional_count,
    parse_optional_list,
    parse_optional_object,
    parse_optional_text,
)

GrayRuleBody: TypeAlias = Literal["flat", "gray_release", "deploy_strategy"]
"""Where modify_gray_rule's rule stands in its parameters: the vendor documents no place at all [U1, 4.4]."""

_NOT_SENT_BACK = frozenset({"status", "application_id", "environment_id"})
"""What the detail shows beside the configuration; a modification does not take it [3.2, 3.3]."""

_SURGE_MODES: Mapping[str, str] = {"mirror": "MIRROR", "extra": "EXTRA", "nosurge": "NOSURGE"}  # [5.1]
_CHANNELS: Mapping[str, int] = {"microservice": 1, "registry": 3, "elb-dedicated": 4, "elb-shared": 6}  # [5.1]
_SERVING = frozenset({"RUNNING", "PENDING"})
_WHOLE_RELEASES = ("OneBatchRelease", "RollingRelease")
_DEFAULT_BATCHES = 2
_ARTICLES = {"image": "an image", "package": "a package"}


def build_action_body(verb: Verb, parameters: Mapping[str, Json], gray_rule_body: GrayRuleBody) -> dict[str, Json]:
    """The body of one action [4.1]: `{action}` or `{action, parameters}`.

    `parameters` are the plan's: replica, hosts, version, or for modify_gray_rule a rule in canonical form. Raises
    RequestRefused where that rule is none.
    """
    sent = dict(parameters)
    if verb is Verb.MODIFY_GRAY_RULE:
        sent = _enveloped(_gray_rule(_parse_rule(parameters)), gray_rule_body)
    return {"action": verb.value, **({"parameters": sent} if sent else {})}


def build_batch_body(verb: Verb, components: Iterable[Observed]) -> dict[str, Json]:
    """The body of the action on many components [06_0316]: `{action, components: [{id, application_id}]}`."""
    rows: list[Json] = [{"id": one.component_id, "application_id": one.application_id} for one in components]
    return {"action": verb.value, "components": rows}


def build_deploy_body(detail: Json, parameters: Mapping[str, Json]) -> dict[str, Json]:
    """The component as its detail shows it, with another version [3.2].

    `parameters` are the plan's: version; image or package, the artifact's address; env, texts by the variable's name;
    resources, any of request_cpu, limit_cpu (cores), request_memory and limit_memory (GiB); gray, a rule in canonical
    form with mode, channel, first_batch_replicas and remaining_batches; release, with strategy and batches. Everything
    else goes back as it came, also what nobody documented; but never fewer instances than there are. Raises
    RequestRefused where that can't be done, AnswerUnreadable for another shape.
    """
    shown = parse_object(detail, "")
    if (parse_optional_text(shown, "config_mode", "") or "").lower() == "yaml":
        raise RequestRefused(
            "the component is configured by YAML in the console, which no deployment of this tool can carry over; "
            "nothing was sent",
            code="yaml_component",
            hint="deploy it in the console",
        )
    body = {key: value for key, value in shown.items() if key not in _NOT_SENT_BACK}
    envs = _envs(shown, parameters)
    if envs or shown.get("envs") is not None:
        body["envs"] = envs
    resources = parameters.get("resources")
    if isinstance(resources, dict):
        body.update({key: resources[key] for key in AMOUNTS if key in resources})
    body["version"] = parameters["version"]
    body.update(_replica(shown))
    body["source"] = _source(shown, parameters)
    body["deploy_strategy"] = _deploy_strategy(shown, parameters)
    return body


def _replica(shown: Mapping[str, Json]) -> dict[str, Json]:
    """The number of instances, where it must not go back as it came.

    An autoscaler may run more than are configured [3.3]. A platform that takes the number of a deployment [U10] would
    end those, and a gray release could not bring them back while it pauses.
    """
    status = parse_optional_object(shown, "status", "")
    configured = parse_optional_count(shown, "replica", "")
    if (parse_optional_text(status, "component_status", "status") or "").upper() not in _SERVING:
        return {}  # what counts there may be instances of two versions
    there = parse_optional_count(status, "replica", "status")
    return {"replica": there} if configured is not None and there is not None and there > configured else {}


def _envs(shown: Mapping[str, Json], parameters: Mapping[str, Json]) -> list[Json]:
    """The component's variables in their order with those of the parameters set, new ones last.

    One that got its value from a config map or a secret and is set now becomes a plain value. The platform's own, which
    must not come back as ours, are left out [3.2].
    """
    wanted = parameters.get("env")
    texts = dict(wanted) if isinstance(wanted, dict) else {}
    envs: list[Json] = []
    found = set()
    for env in parse_optional_list(shown, "envs", ""):
        if is_inner(env):
            continue
        name = env.get("name") if isinstance(env, dict) else None
        if isinstance(env, dict) and isinstance(name, str) and name in texts:
            found.add(name)
            env = {key: value for key, value in env.items() if key != "value_from"} | {"value": texts[name]}
        envs.append(env)
    envs.extend({"name": name, "value": text} for name, text in texts.items() if name not in found)
    return envs


def _source(shown: Mapping[str, Json], parameters: Mapping[str, Json]) -> dict[str, Json]:
    source = dict(parse_optional_object(shown, "source", ""))
    for kind in ("image", "package"):
        if kind not in parameters:
            continue
        found = parse_optional_text(source, "kind", "source") or kind
        if found.lower() != kind:
            raise RequestRefused(
                f"the component runs from {_ARTICLES.get(found.lower(), found)}, not from {_ARTICLES[kind]}; "
                "nothing was sent",
                code="other_artifact",
            )
        source.update({"kind": found, "url": parameters[kind]})
    return source


def _deploy_strategy(shown: Mapping[str, Json], parameters: Mapping[str, Json]) -> dict[str, Json]:
    gray, release = parameters.get("gray"), parameters.get("release")
    if isinstance(gray, dict):
        return {"type": "GrayRelease", "gray_release": {**_gray_rule(_parse_rule(gray)), **_gray_start(gray)}}
    if isinstance(release, dict):
        if release.get("strategy") == "one_batch":
            return {"type": "OneBatchRelease"}
        return {"type": "RollingRelease", "rolling_release": {"batches": release.get("batches", _DEFAULT_BATCHES)}}
    last = parse_optional_object(shown, "deploy_strategy", "")
    if last.get("type") in _WHOLE_RELEASES:
        return dict(last)
    # The last one was a gray release, which nobody asks for now; batches never take all instances at once.
    return {"type": "RollingRelease", "rolling_release": {"batches": _DEFAULT_BATCHES}}


def _gray_start(gray: Mapping[str, Json]) -> dict[str, Json]:
    """What only the start of a gray release carries [5.1]."""
    started: dict[str, Json] = {
        "replica_surge_mode": _SURGE_MODES[str(gray.get("mode", "extra"))],
        "deployment_mode": _CHANNELS[str(gray.get("channel", "microservice"))],
    }
    if started["replica_surge_mode"] != "MIRROR":
        started["first_batch_replica"] = gray.get("first_batch_replicas", 1)
        started["remaining_batch"] = gray.get("remaining_batches", 1)
    return started


def _parse_rule(parameters: Mapping[str, Json]) -> GrayRule:
    rule = rule_from_json(parameters)
    if rule is None:
        raise RequestRefused("a gray rule needs a weight or rules; nothing was sent", code="bad_parameters")
    return rule


def _gray_rule(rule: GrayRule) -> dict[str, Json]:
    """A gray rule as deploy_strategy.gray_release spells it [5.1]. The policy is upper case [U2]."""
    if rule.weight is not None:
        return {"type": "WEIGHT", "first_batch_weight": rule.weight}
    rules: list[Json] = [
        {"type": one.type, "key": one.key, "condition": one.condition, "value": one.value} for one in sorted(rule.rules)
    ]
    return {"type": "CONTENT", "rule_match_mode": rule.match, "rules": rules}


def _enveloped(rule: dict[str, Json], envelope: GrayRuleBody) -> dict[str, Json]:
    """Assumed: the part of deploy_strategy.gray_release that can change while it runs, laid flat unless told."""
    if envelope == "flat":
        return rule
    inner: dict[str, Json] = {"gray_release": rule}
    return inner if envelope == "gray_release" else {"deploy_strategy": inner}
