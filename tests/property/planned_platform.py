"""The platform of the generated projects, which does at once what an action asks for, and the state beside it.

It comes back from every change of version with one instance, as a platform that restores old settings would. It is
not the sandbox, and knows nothing of jobs, time or failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core_builders import NOW
from planned_worlds import Part, Project

from statetool.core.canonical import rule_from_json
from statetool.core.model import AppliedFrom, Gray, Json, Rejection, VersionEntry
from statetool.core.picture import observed_values
from statetool.core.plan import Action, Plan, SendIf, Verb
from statetool.core.state import (
    StateFile,
    apply_wish_update,
    record_component,
    record_rejection,
    record_version_change,
)


@dataclass
class Applied:
    """A plan carried out at once, with everything that a run records."""

    project: Project
    state: StateFile = field(init=False)
    parts: dict[str, Part] = field(init=False)

    def __post_init__(self) -> None:
        self.state, self.parts = self.project.state, dict(self.project.parts)

    def carry_out(self, plan: Plan) -> Project:
        """The project afterwards. Each action leaves its goal behind, and wishes are recorded as they come true."""
        nowhere = AppliedFrom()
        done: set[str] = set()
        for change in plan.changes:
            self.state = record_component(self.state, change, run_id="run", at=NOW, applied_from=nowhere)
        for seen in plan.rejections:
            if seen.address in self.state.components:
                self.state = record_rejection(self.state, seen.address, seen.rejection)
        self._update(plan, done, None)
        for action in plan.actions:
            assert set(action.requires) <= done, f"{action.id} comes before what it requires"
            self._ensure_seen(action, action.precondition)
            self._obey(action)
            if action.send_if is SendIf.ALWAYS:
                self._ensure_seen(action, action.goal)
            done.add(action.id)
            self._update(plan, done, action.id)
        return replace(self.project, state=self.state, parts=self.parts)

    def _update(self, plan: Plan, done: set[str], last: str | None) -> None:
        for change in plan.changes:
            for update in change.updates:
                if set(update.after) <= done and (last in update.after if last else not update.after):
                    self.state = apply_wish_update(
                        self.state, change.address, update, at=NOW, run_id="run", applied_from=AppliedFrom()
                    )

    def _ensure_seen(self, action: Action, wanted: Mapping[str, Json]) -> None:
        """What an action promises to find or to leave is what is seen. A restart's token is only ever recorded."""
        observed = self.parts[action.address.component].look()
        values = observed_values(observed, self.state.components.get(action.address))
        assert {path: values.get(path) for path in wanted} == dict(wanted) or "restart" in wanted, action

    def _obey(self, action: Action) -> None:
        part = self.parts[action.address.component]
        if action.verb is Verb.SCALE:
            part = _scaled(part, action)
        elif action.verb is Verb.MODIFY_GRAY_RULE:
            assert part.gray is not None
            part = replace(part, gray=replace(part.gray, rule=rule_from_json(action.parameters)))
        elif action.verb is Verb.STOP:
            part = replace(part, status="STOPPED", replicas=0)
        elif action.verb is Verb.START:
            part = replace(part, status="RUNNING", replicas=part.configured)
        elif action.verb is Verb.UPGRADE and "gray" in action.parameters:
            part = _gray_started(part, action)
        elif action.verb not in (Verb.RESTART, Verb.CHECK_GRAY_RELEASE):
            part = self._change_version(action, part)
        self.parts[part.name] = replace(part, jobs=part.jobs + 1)

    def _change_version(self, action: Action, part: Part) -> Part:
        """One version serves alone afterwards, by one instance."""
        reached, left = str(action.goal["version"]), None
        verb, came_gray = str(action.verb), False
        if action.verb is Verb.CONTINUE_DEPLOY:
            older, came_gray = (part.stable, *part.older), True
        elif action.verb is Verb.UPGRADE:
            older, part = (part.stable, *part.older), _deployed(part, action)
        elif part.gray is not None:
            older, left, verb, came_gray = part.older, part.gray.version, "abort", part.came_gray
        else:
            left, older = part.stable, part.older[part.older.index(reached) + 1 :]
        self.state = record_version_change(self.state, action.address, VersionEntry(reached, NOW, verb))
        if left is not None:
            self.state = record_rejection(self.state, action.address, Rejection(left, NOW, "ann", "rolled back"))
        part = replace(part, stable=reached, older=older, gray=None, came_gray=came_gray)
        return replace(part, status="RUNNING", replicas=1, configured=1)


def _scaled(part: Part, action: Action) -> Part:
    number = int(str(action.parameters["replica"]))
    is_sent = {
        SendIf.ALWAYS: True,
        SendIf.FEWER: part.replicas < number,
        SendIf.DIFFERENT: part.replicas != number,
    }[action.send_if]
    return replace(part, replicas=number, configured=number, status="RUNNING") if is_sent else part


def _gray_started(part: Part, action: Action) -> Part:
    """The pause after the first batch; the instances of both versions are counted."""
    gray = action.parameters["gray"]
    assert isinstance(gray, dict)
    candidate = Gray(str(action.parameters["version"]), rule_from_json(gray))
    remaining = gray.get("remaining_batches", 1)
    part = replace(_deployed(part, action), gray=candidate, status="GRAYING", configured=part.replicas)
    return replace(part, replicas=part.replicas + 1, remaining=remaining if isinstance(remaining, int) else None)


def _deployed(part: Part, action: Action) -> Part:
    """What goes along with a new version. Nothing else changes."""
    sent = action.parameters
    env, resources = sent.get("env", {}), sent.get("resources", {})
    assert isinstance(env, dict) and isinstance(resources, dict)
    return replace(
        part,
        images={**part.images, str(sent["version"]): str(sent["image"])},
        env={**part.env, **{name: str(text) for name, text in env.items()}},
        resources=replace(part.resources, **{name: float(str(amount)) for name, amount in resources.items()}),
    )
