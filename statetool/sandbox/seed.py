"""A seed file (YAML) as a world.

Owns the seed's format and its error messages, which name file, line and path inside the document. Ids follow from
names, so that the same seed gives the same ids again. Must not write to storage or read the clock.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from statetool.sandbox import looks
from statetool.sandbox import switches as switchboard
from statetool.sandbox.configuration import AMOUNTS
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.faults import Fault, parse_fault
from statetool.sandbox.gray import CONDITIONS, MATCHES, RULE_TYPES
from statetool.sandbox.looks import NOTHING, Said
from statetool.sandbox.model import VIRTUAL_MACHINE_PLATFORMS, Component, Gray, Job, Named, Record, Rule, is_status
from statetool.sandbox.seedfile import Reader, Spot, parse
from statetool.sandbox.switches import Switches
from statetool.sandbox.world import surged

_NAMESPACE = uuid.UUID("6e0c7f3e-5d0b-5a86-9f5a-0d6b3c1f7a54")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){2,3}")
_COMPONENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]")
_NAME = re.compile(r"[^\s/@]([^/@\n]{0,62}[^\s/@])?")
_PLATFORMS = ("cce", "cci", *sorted(VIRTUAL_MACHINE_PLATFORMS))
_MODES = ("nosurge", "extra", "mirror")
_SAID = ("image", "env", "resources")
_DAY_MS = 86_400_000
_AGE_MS = 30 * _DAY_MS  # a seeded world looks as if it had been built a month ago
_MOST_REPLICAS = 2**31 - 1


@dataclass(slots=True)
class SeedWorld:
    """What a seed holds. `job_seconds_named`: the seed itself says how long jobs take."""

    applications: list[Named] = field(default_factory=list)
    environments: list[Named] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    switches: Switches = field(default_factory=Switches)
    faults: list[Fault] = field(default_factory=list)
    job_seconds_named: bool = False


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a component as the seed writes it."""

    version: str
    replicas: int
    said: Said
    gray: Gray | None = None


@dataclass(frozen=True, slots=True)
class _Wish:
    """One component as the seed writes it: what was before, oldest first, what is in use, and a candidate."""

    name: str
    history: tuple[_Version, ...]
    stable: _Version
    status: str
    platform_type: str
    candidate: _Version | None


def stable_id(*names: str) -> str:
    """The id of a thing with these names; the same in every sandbox."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(names)))


def build(text: str, filename: str, now_ms: int) -> SeedWorld:
    """The world of a seed. Create times increase in seed order and lie in the past. Raises SandboxError."""
    reader = Reader(filename)
    world = SeedWorld()
    top = reader.mapping(parse(text, filename), {"applications", "sandbox", "faults"})
    if "sandbox" in top:
        _read_switches(reader, top["sandbox"], world)
    if "faults" in top:
        world.faults = [_read_fault(reader, item) for item in reader.items(top["faults"])]
    applications = reader.names(reader.required(top, "applications", Spot.top()))
    start_ms = now_ms - _AGE_MS
    environments: dict[str, Named] = {}
    for name, spot in applications.items():
        reader.check(_NAME.fullmatch(name), spot, "an application name is 1 to 64 characters without '/' and '@'")
        at_ms = start_ms + len(world.components) * 1000 + len(world.applications)
        application = Named(stable_id("application", name), name, at_ms, at_ms)
        world.applications.append(application)
        _read_application(reader, spot, application, world, environments, now_ms)
    world.environments = list(environments.values())
    return world


def _read_switches(reader: Reader, spot: Spot, world: SeedWorld) -> None:
    for name, value in reader.mapping(spot, set(switchboard.NAMES)).items():
        try:
            world.switches = switchboard.with_text(world.switches, name, reader.text(value))
        except ValueError as error:
            reader.fail(value, str(error))
        world.job_seconds_named = world.job_seconds_named or name == "job_seconds"


def _read_fault(reader: Reader, spot: Spot) -> Fault:
    value = reader.plain(spot)
    try:
        return parse_fault(value)
    except SandboxError as error:
        reader.fail(spot, str(error))


def _read_application(
    reader: Reader, spot: Spot, application: Named, world: SeedWorld, environments: dict[str, Named], now_ms: int
) -> None:
    keys = reader.mapping(spot, {"environment", "components"})
    default = reader.text(keys["environment"]) if "environment" in keys else ""
    if default:
        reader.check(_NAME.fullmatch(default), keys["environment"], "an environment name has no '/' and no '@'")
        _environment(default, environments, application.create_ms)
    seen: set[tuple[str, str]] = set()
    for key, value in (reader.names(keys["components"]) if "components" in keys else {}).items():
        name, _, own = key.partition("@")
        place = own or default
        reader.check(place, value, "which environment? write environment: in the application, or NAME@ENVIRONMENT")
        reader.check(_NAME.fullmatch(place), value, "an environment name has no '/' and no '@'")
        reader.check((name, place) not in seen, value, f"component {name} is there twice in {place}")
        seen.add((name, place))
        wish = _read_component(reader, name, value)
        create_ms = now_ms - _AGE_MS + len(world.components) * 1000
        environment = _environment(place, environments, create_ms)
        component, jobs = _component(wish, application, environment, min(create_ms, now_ms), now_ms)
        world.components.append(component)
        world.jobs.extend(jobs)


def _environment(name: str, environments: dict[str, Named], at_ms: int) -> Named:
    return environments.setdefault(name, Named(stable_id("environment", name), name, at_ms + len(environments), at_ms))


def _read_component(reader: Reader, name: str, spot: Spot) -> _Wish:
    allowed = {"version", "replicas", "history", "gray", "status", "platform_type", *_SAID}
    reader.check(_COMPONENT.fullmatch(name), spot, "a component name is 2 to 64 letters, digits, '-' or '_'")
    keys = reader.mapping(spot, allowed)
    platform = reader.choice(keys["platform_type"], _PLATFORMS) if "platform_type" in keys else "cce"
    stable = _read_version(reader, keys, spot, platform)
    items = reader.items(keys["history"]) if "history" in keys else ()
    history = tuple(_read_past(reader, item, stable, platform) for item in items)
    recorded = {stable.version, *(past.version for past in history)}
    reader.check(len(recorded) == len(history) + 1, spot, "a version is there twice in version and history")
    status = reader.text(keys["status"]) if "status" in keys else "RUNNING"
    reader.check(is_status(status), keys.get("status", spot), "a status is a word in capitals, such as STOPPED")
    candidate = None
    if "gray" in keys:
        gray = keys["gray"]
        reader.check("status" not in keys or status == "GRAYING", gray, "a gray release is open in status GRAYING only")
        reader.check(platform not in VIRTUAL_MACHINE_PLATFORMS, gray, "a virtual machine has no gray releases")
        reader.check(stable.replicas >= 2, gray, "a gray release needs at least 2 replicas")
        candidate, status = _read_candidate(reader, gray, stable), "GRAYING"
        reader.check(candidate.version not in recorded, gray, f"version {candidate.version} is recorded already")
    reader.check(status != "GRAYING" or candidate, keys.get("status", spot), "status GRAYING needs gray:")
    return _Wish(name, history, stable, status, platform, candidate)


def _read_past(reader: Reader, spot: Spot, stable: _Version, platform: str) -> _Version:
    """An entry of the history: a version, or a mapping with what was different then."""
    if not reader.is_mapping(spot):
        return _read_version(reader, {"version": spot}, spot, platform, stable)
    return _read_version(reader, reader.mapping(spot, {"version", "replicas", *_SAID}), spot, platform, stable)


def _read_version(
    reader: Reader, keys: Mapping[str, Spot], owner: Spot, platform: str, stable: _Version | None = None
) -> _Version:
    """The version in use, or another one, which has from `stable` what is not said of itself."""
    version = _version(reader, reader.required(keys, "version", owner))
    said = stable.said.of_version(stable.version, version) if stable else NOTHING
    replicas = stable.replicas if stable else 1
    if "replicas" in keys:
        replicas = reader.integer(keys["replicas"], 0, _MOST_REPLICAS)
    if "image" in keys:
        machines = platform in VIRTUAL_MACHINE_PLATFORMS
        reader.check(not machines, keys["image"], "a virtual machine runs packages, no images")
        said = replace(said, image=reader.text(keys["image"]))
    if "env" in keys:
        env = {name: reader.any_text(value) for name, value in reader.names(keys["env"]).items()}
        said = replace(said, env=env)
    if "resources" in keys:
        amounts = reader.mapping(keys["resources"], set(AMOUNTS)).items()
        said = replace(said, resources={**said.resources, **{name: reader.amount(value) for name, value in amounts}})
    return _Version(version, replicas, said)


def _read_candidate(reader: Reader, spot: Spot, stable: _Version) -> _Version:
    allowed = {"version", "weight", "match", "rules", "mode", "first_batch_replicas", "remaining_batches"}
    keys = reader.mapping(spot, allowed)
    version = _version(reader, reader.required(keys, "version", spot))
    reader.check(("weight" in keys) != ("rules" in keys), spot, "a gray release has either weight or rules")
    reader.check("match" not in keys or "rules" in keys, spot, "match goes with rules")
    first, batches = keys.get("first_batch_replicas"), keys.get("remaining_batches")
    match = reader.choice(keys["match"], tuple(sorted(MATCHES))) if "match" in keys else "any"
    rules = tuple(_read_rule(reader, item) for item in reader.items(keys["rules"])) if "rules" in keys else ()
    reader.check("rules" not in keys or rules, spot, "rules must have at least one rule")
    mode = reader.choice(keys["mode"], _MODES) if "mode" in keys else "nosurge"
    gray = Gray(
        kind="CONTENT" if rules else "WEIGHT",
        weight=reader.integer(keys["weight"], 0, 100) if "weight" in keys else None,
        match=match if rules else None,
        rules=rules,
        mode=mode.upper(),
        first_batch_replica=reader.integer(first, 1, stable.replicas - 1) if first else 1,
        remaining_batch=reader.integer(batches, 1, 1000) if batches else 1,
    )
    return _Version(version, stable.replicas, stable.said.of_version(stable.version, version), gray)


def _read_rule(reader: Reader, spot: Spot) -> Rule:
    keys = reader.mapping(spot, {"type", "key", "condition", "value"})
    return Rule(
        type=reader.choice(reader.required(keys, "type", spot), tuple(sorted(RULE_TYPES))),
        key=reader.text(reader.required(keys, "key", spot)),
        condition=reader.choice(reader.required(keys, "condition", spot), tuple(sorted(CONDITIONS))),
        value=reader.text(reader.required(keys, "value", spot)),
    )


def _version(reader: Reader, spot: Spot) -> str:
    text = reader.text(spot)
    fits = _VERSION.fullmatch(text) and len(text) <= 32
    reader.check(fits, spot, f"a version is A.B.C or A.B.C.D in digits, at most 32 characters, not {text!r}")
    return text


def _component(
    wish: _Wish, application: Named, environment: Named, create_ms: int, now_ms: int
) -> tuple[Component, list[Job]]:
    """The component and the jobs that deployed its versions, spread evenly between its creation and now."""
    identity = stable_id("component", application.name, wish.name, environment.name)
    deployed = (*wish.history, wish.stable, *([wish.candidate] if wish.candidate else []))
    step_ms = (now_ms - create_ms) // (len(deployed) + 1)
    records, jobs = [], []
    for index, one in enumerate(deployed):
        begin_ms = create_ms + index * step_ms
        end_ms = begin_ms + min(step_ms, 60_000)
        job_id = f"JOB{uuid.uuid5(uuid.UUID(identity), one.version)}"
        verb = "create" if index == 0 else "deploy_gray" if one.gray else "deploy"
        jobs.append(Job(job_id, identity, verb, begin_ms, end_ms))
        kind, status, end = ("GrayRelease", "RUNNING", None) if one.gray else ("OneBatchRelease", "SUCCEEDED", end_ms)
        config = _config(wish, one, environment)
        records.append(Record(one.version, kind, begin_ms, end, status, one.replicas, (job_id,), one.gray, config))
    actual = surged(wish.stable.replicas, wish.candidate.gray if wish.candidate else None)
    return Component(
        id=identity,
        name=wish.name,
        application_id=application.id,
        environment_id=environment.id,
        platform_type=wish.platform_type,
        replica=wish.stable.replicas,
        actual=actual,
        available=_available(wish.status, actual),
        status=wish.status,
        used=len(wish.history),
        records=tuple(records),
        last_job_id=records[-1].job_ids[-1],
        create_ms=create_ms,
        update_ms=jobs[-1].end_ms,
    ), jobs


def _config(wish: _Wish, one: _Version, environment: Named) -> str | None:
    """What a version was deployed with, unless it follows from names: large worlds stay small."""
    if one.said == NOTHING:
        return None
    return json.dumps(looks.configuration(wish.name, wish.platform_type, environment.id, one.version, one.said))


def _available(status: str, actual: int) -> int:
    """How many instances are healthy in a seeded status: none when stopped, not all when it is not ready."""
    if status in {"STOPPED", "DOWN"}:
        return 0
    return max(actual - 1, 0) if status == "PENDING" else actual
