"""What every action of every generated project keeps to, judged by rules that are written down here a second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st
from planned_worlds import Part, Project, projects
from status_table import TABLE, allowed, status_after

from statetool.core.model import Address, Desired, Recorded, ReplicaRange, Replicas, VersionPicture, Wish
from statetool.core.picture import picture_paths
from statetool.core.plan import OVERRIDABLE, Action, Plan, Risk, SendIf, Verb
from statetool.core.sent_along import deployed_by

MODES = st.sampled_from([{}, {}, {"mode": "drift", "correct": True}, {"mode": "drift", "correct": False}])
ABORTS = st.sampled_from([Verb.ROLLBACK, Verb.ROLLBACK_CURRENT])
OVERRIDES = st.sampled_from([(), (), (), tuple(sorted(OVERRIDABLE)), *((code,) for code in sorted(OVERRIDABLE))])


@bounded(150)
@given(projects(), MODES, ABORTS, OVERRIDES)
def test_every_plan_keeps_the_rules(
    project: Project, mode: dict[str, str | bool], abort_verb: Verb, overrides: tuple[str, ...]
) -> None:
    """Each rule is one of the functions below."""
    plan = project.plan(abort_verb=abort_verb, overrides=overrides, **mode)
    ensure_whole(project, plan)
    ensure_status_allows(project, plan)
    ensure_preconditions_fit(project, plan)
    ensure_nothing_rejected_returns(project, plan)
    ensure_strangers_are_left_alone(project, plan, is_permitted=bool(mode.get("correct", project.correct)))
    ensure_conditions_follow_a_version(plan)
    if plan.mode == "drift":
        ensure_only_puts_back(project, plan, is_corrected=bool(mode["correct"]))
    else:
        ensure_nothing_is_silent(project, plan)


def ensure_whole(project: Project, plan: Plan) -> None:
    """No half plans: ids are whole, what is denied or blocked does nothing, and is listed; a protected component is
    at most scaled up."""
    acting = {action.address for action in plan.actions}
    blocked = {entry.address for entry in plan.blocked}
    changed = {change.address for change in plan.changes}
    assert {finding.address for finding in plan.denies} <= blocked
    assert not blocked & (acting | changed | {entry.address for entry in plan.held_back})
    assert changed >= acting
    for change in plan.changes:
        mine = [action.id for action in plan.actions if action.address == change.address]
        assert list(change.action_ids) == mine == [f"{change.address}#{n}" for n in range(1, len(mine) + 1)]
    protected = {wanted.address for wanted in project.desired if wanted.lifecycle.protected}
    if "protected" not in plan.overrides:
        assert all(action.risk is Risk.SCALE_UP for action in plan.actions if action.address in protected)


# Status, and what is predicted


def ensure_status_allows(project: Project, plan: Plan) -> None:
    """From what is observed to what each action leaves behind."""
    status = {name: part.status for name, part in project.parts.items()}
    for action in plan.actions:
        name, verb = action.address.component, str(action.verb)
        assert verb in allowed(status[name], plan.overrides), (action, status[name])
        status[name] = status_after(verb, status[name], starts_gray="gray" in action.parameters)


FULL_CHANGES = {Verb.ROLLBACK, Verb.ROLLBACK_CURRENT, Verb.CONTINUE_DEPLOY}
EDGES = {Verb.RESTART, Verb.CONTINUE_DEPLOY, Verb.ROLLBACK_CURRENT}


def ensure_preconditions_fit(project: Project, plan: Plan) -> None:
    """What an action must find is what is seen, or what the ones before it leave behind; never a number that nobody
    can know, and always what the action changes, where that is known."""
    known = {wanted.address: seen_values(project, wanted.address) for wanted in project.desired}
    for action in plan.actions:
        values = known[action.address]
        for path, value in action.precondition.items():
            assert path in values and values[path] == value, (action, path, values)
        watched = {"status", *(path for path in what_it_changes(action) if path in values)}
        assert set(action.precondition) >= watched, (action, values)
        values.pop("last_job_id", None)
        if changes_version(action) or action.verb in (Verb.START, Verb.UPGRADE):
            values.pop("replicas", None)
        if changes_version(action):
            known[action.address] = values = {k: v for k, v in values.items() if not k.startswith("gray.")}
        if action.verb is Verb.MODIFY_GRAY_RULE:
            known[action.address] = values = {k: v for k, v in values.items() if k not in RULE_PATHS}
        values.update(action.goal)


RULE_PATHS = {"gray.weight", "gray.match", "gray.rules"}


def changes_version(action: Action) -> bool:
    """Whether one version serves alone after it."""
    return action.verb in FULL_CHANGES or (action.verb is Verb.UPGRADE and "gray" not in action.parameters)


def what_it_changes(action: Action) -> set[str]:
    paths = {"last_job_id"} if action.verb in EDGES else set()
    if action.verb is Verb.SCALE:
        return {"replicas"}
    if action.verb in (Verb.CONTINUE_DEPLOY, Verb.MODIFY_GRAY_RULE):
        return {*paths, "gray.version", *(RULE_PATHS if action.verb is Verb.MODIFY_GRAY_RULE else ())}
    if action.verb in (Verb.ROLLBACK, Verb.ROLLBACK_CURRENT, Verb.UPGRADE):
        return {*paths, "version"}
    return paths


def seen_values(project: Project, key: Address) -> dict[str, object]:
    part = project.parts.get(key.component)
    if part is None:
        return {}
    classes = {"RUNNING": "ready", "PENDING": "ready", "GRAYING": "graying", "STOPPED": "stopped"}
    status = classes.get(part.status, "failed" if part.status in TABLE else "busy")
    values: dict[str, object] = {"status": status, "replicas": part.replicas, "last_job_id": f"JOB-{part.jobs}"}
    values.update(picture_paths(VersionPicture(part.stable, part.gray)))
    recorded = recorded_of(project, key)
    if recorded is not None and recorded.wish.restart is not None:
        values["restart"] = recorded.wish.restart
    return values


def recorded_of(project: Project, key: Address) -> Recorded | None:
    """By the id of the component: under this address or the one it had before."""
    records = project.state.components.values()
    return next((entry for entry in records if entry.component_id == f"id-{key.component}"), None)


def ensure_conditions_follow_a_version(plan: Plan) -> None:
    """What is sent only if a number differs puts it back after a change of version, or sets it after a start."""
    moved = {Verb.START}
    for n, action in enumerate(plan.actions):
        if action.send_if is not SendIf.ALWAYS:
            before = [other for other in plan.actions[:n] if other.address == action.address]
            assert action.verb is Verb.SCALE
            assert any(changes_version(other) or other.verb in moved for other in before), action


# Permission


def ensure_nothing_rejected_returns(project: Project, plan: Plan) -> None:
    """A version that was taken back comes neither by a rollback nor by a deployment, nor gets it more traffic."""
    if "version_rejected" in plan.overrides:
        return
    outside = {(seen.address, seen.rejection.version) for seen in plan.rejections}
    for action in plan.actions:
        recorded = recorded_of(project, action.address)
        rejected = {entry.version for entry in recorded.rejected} if recorded else set()
        rejected |= {version for address, version in outside if address == action.address}
        brought = {action.parameters.get("version"), action.goal.get("version"), action.goal.get("gray.version")}
        serving = project.parts[action.address.component].stable
        assert not (brought - {serving}) & rejected, action


def ensure_strangers_are_left_alone(project: Project, plan: Plan, *, is_permitted: bool) -> None:
    """Unless the person who plans says so, or a version that drifts may be put back."""
    if "foreign_gray_release" in plan.overrides:
        return
    for wanted in project.desired:
        part, recorded = project.parts.get(wanted.address.component), recorded_of(project, wanted.address)
        if part is None or part.gray is None:
            continue
        wished = [wanted.wish.picture, recorded.wish.picture if recorded else None]
        named = {p.stable for p in wished if p} | {p.gray.version for p in wished if p and p.gray}
        is_drift = recorded is not None and wanted.wish.picture == recorded.wish.picture
        is_corrected = is_drift and (is_permitted or "version" in wanted.lifecycle.correct)
        if part.gray.version not in named and not is_corrected:
            assert not [action for action in plan.actions if action.address == wanted.address]


PUTS_BACK = {Verb.SCALE, Verb.START, Verb.STOP, Verb.MODIFY_GRAY_RULE, Verb.ROLLBACK, Verb.ROLLBACK_CURRENT}


def ensure_only_puts_back(project: Project, plan: Plan, *, is_corrected: bool) -> None:
    """Mode drift: no wish is recorded, released, adopted or forgotten; nothing new comes, nothing without permission
    (but to the floor of a range), and nothing that the manifest wants otherwise than the record."""
    wanted = {entry.address: entry for entry in project.desired}
    for action in plan.actions:
        assert action.verb in PUTS_BACK, action
        assert action.verb is not Verb.ROLLBACK_CURRENT or project.parts[action.address.component].gray, action
        is_floor = isinstance(wanted[action.address].wish.replicas, ReplicaRange) and action.risk is Risk.SCALE_UP
        assert is_corrected and (wanted[action.address].lifecycle.correct or is_floor), action
    for change in plan.changes:
        recorded = recorded_of(project, change.address)
        assert recorded is not None and not change.updates and change.action_ids
        for field in change.fields:
            name = "picture" if field.path.partition(".")[0] in ("version", "gray") else field.path
            assert getattr(wanted[change.address].wish, name) == getattr(recorded.wish, name)
    assert not plan.actions or any(field.cause == "drift" for change in plan.changes for field in change.fields)


# Nothing is silent


def ensure_nothing_is_silent(project: Project, plan: Plan) -> None:
    """Whatever is not as the manifest wants it is changed, held back, left alone or denied, and listed as that."""
    blocked = {entry.address for entry in plan.blocked}
    for wanted in project.desired:
        part = project.parts.get(wanted.address.component)
        if part is None:
            assert wanted.address in blocked
        elif wanted.address not in blocked:
            told, recorded = told_fields(plan, wanted.address), recorded_of(project, wanted.address)
            assert wrong_fields(wanted, recorded, part) <= told, (wanted, part, told)
            assert unsent(wanted, recorded, part) <= told, (wanted, part, told)
    for entry in plan.left_alone:
        assert recorded_of(project, entry.address) is not None


TOLD_BY = {"fold_needed": "version", "second_step_needed": "version", "above_maximum": "replicas"}


def told_fields(plan: Plan, key: Address) -> set[str]:
    paths = [field.path for change in plan.changes if change.address == key for field in change.fields]
    paths += [entry.path for entry in (*plan.held_back, *plan.left_alone) if entry.address == key]
    names = {path.partition(".")[0] for path in paths}
    names |= {TOLD_BY[f.code] for f in plan.findings if f.address == key and f.code in TOLD_BY}
    return names | {"version"} if "gray" in names else names


def wrong_fields(wanted: Desired, recorded: Recorded | None, part: Part) -> set[str]:
    """The managed fields that are not as they should be; where the status hides one, those that were edited."""
    wish, old = wanted.wish, recorded.wish if recorded else Wish()
    return set(_wrong(wish, old, part, wanted.lifecycle.ignore)) - wanted.lifecycle.ignore


def _wrong(wish: Wish, old: Wish, part: Part, ignore: frozenset[str]) -> Iterator[str]:
    is_busy = part.status not in TABLE
    picture = wish.picture
    if picture is not None:
        only_rule = (
            picture.gray
            and part.gray
            and (picture.stable, picture.gray.version)
            == (
                part.stable,
                part.gray.version,
            )
        )
        if (picture != old.picture if is_busy else not is_met(picture, part)) and not (only_rule and "gray" in ignore):
            yield "version"
    is_hidden = is_busy or part.gray is not None or part.status == "STOPPED"
    if wish.replicas is not None and (
        wish.replicas != old.replicas if is_hidden else not is_within(wish.replicas, part.replicas)
    ):
        yield "replicas"
    if wish.state is not None and (
        wish.state != old.state if is_busy else (wish.state == "stopped") != (part.status == "STOPPED")
    ):
        yield "state"
    if wish.restart is not None and wish.restart != old.restart:
        yield "restart"


def is_met(picture: VersionPicture, part: Part) -> bool:
    gray = picture.gray
    if gray is None:
        return part.gray is None and part.stable == picture.stable
    if gray.rule is not None and gray.rule.weight == 100:
        return part.gray is None and part.stable == gray.version
    return part.gray == gray and part.stable == picture.stable


def is_within(wanted: Replicas, number: int) -> bool:
    if isinstance(wanted, ReplicaRange):
        return wanted.min <= number <= wanted.max
    return wanted == number


def unsent(wanted: Desired, recorded: Recorded | None, part: Part) -> set[str]:
    """What is sent with a new version only, of a component that serves the wanted one with something else."""
    picture, deploy = wanted.wish.picture, wanted.deploy
    if part.status not in ("RUNNING", "PENDING") or picture is None or not is_met(picture, part):
        return set()
    runs = part.gray.version if part.gray else part.stable
    sent, mine = recorded.wish.deployed if recorded else None, deployed_by(deploy, runs)
    missing = set()
    if sent is None or replace(sent, start=None) != replace(mine, start=None):
        missing |= {"env" for name, text in deploy.env.items() if part.env.get(name) != text}
        cpu = deploy.resources.limit_cpu if deploy.resources else None
        missing |= {"resources"} if cpu is not None and part.resources.limit_cpu != cpu else set()
    if deploy.artifact is not None and picture.gray is None and part.image_of(part.stable) != deploy.artifact:
        missing.add("image")
    return missing
