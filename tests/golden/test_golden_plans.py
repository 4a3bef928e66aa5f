"""Golden plans: each folder under plans/ proves the row of the semantics that it is named after.

A folder holds the input, as a person would write it, and the plan that follows from it:

    manifest.yaml        the manifests, as many documents as needed
    world.yaml           a sandbox seed
    world-events.yaml    optional: what happened behind the tool's back, a list of Sandbox.disturb arguments
    world-oddities.yaml  optional: address -> what a platform may answer and the sandbox never does (see _oddly)
    state.yaml           optional: address -> the wish last applied, with history, rejected and more (see _record)
    journal.yaml         optional: what an earlier run left open, a list (see _operation); a plan reports it
    options.yaml         optional: correct, overrides, targets, excludes, selectors, with_dependencies, mode, abort,
                         managed, show_unmanaged, approve, is_taken_up (an apply plans: of the journal is left what did
                         not end), and guards as in statetool.yaml (without it there are none)
    expected.txt         the text a person reads: `plan`, or `drift` in mode drift
    expected.json        the plan's document
    expected.md          optional: the Markdown view

README.md lists which rows of the semantics each folder proves; test_golden_rows.py keeps that list whole.
Expected files are written anew with STATETOOL_UPDATE_GOLDEN=1; what changes by that is to be read against the
semantics before it is kept: a golden plan is right because the row says so.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from statetool import observing
from statetool.config import load_settings
from statetool.core.approval import keep_approved, parse_approval
from statetool.core.canonical import rule_from_json
from statetool.core.deploy import Deploy, Deployed, GrayStart, Resources
from statetool.core.guards import NO_GUARDS, Guards
from statetool.core.interrupted import report_interrupted, withhold_open
from statetool.core.journal import Baseline, EntryType, Intent, OpenOperation, known_component
from statetool.core.model import (
    Address,
    Desired,
    Drifted,
    Gray,
    Observed,
    Recorded,
    Rejection,
    ReplicaRange,
    Replicas,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Action, Plan, Risk, Verb
from statetool.core.plan_document import plan_to_document
from statetool.core.project import Circumstances, build_plan
from statetool.core.selection import Selection, parse_selectors
from statetool.core.sent_along import deployed_by
from statetool.core.sequence import PlanRules
from statetool.guarding import guards_at
from statetool.manifest.loader import load_manifests
from statetool.render.drift import render_drift
from statetool.render.json import render_document
from statetool.render.markdown import render_plan_markdown
from statetool.render.text import render_plan
from statetool.sandbox import Sandbox, create_app
from statetool.schema import validator
from statetool.servicestage.client import ServiceStage

PLANS = Path(__file__).parent / "plans"
FOLDERS = sorted(path for path in PLANS.iterdir() if path.is_dir())
UPDATE = os.environ.get("STATETOOL_UPDATE_GOLDEN") == "1"

NOW = "2026-11-23T08:00:00Z"
BEFORE = "2026-11-23T06:00:00Z"
ENDPOINT = "sandbox:.statetool/sandbox.db"
PROJECT = "0123456789abcdef0123456789abcdef"
NO_DIGEST = "sha256:" + "0" * 64
RANDOM_JOB = re.compile(r"JOB[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
INPUTS = {
    *("manifest.yaml", "world.yaml", "world-events.yaml", "world-oddities.yaml", "state.yaml", "journal.yaml"),
    "options.yaml",
}
OUTPUTS = {"expected.txt", "expected.json", "expected.md"}


@dataclass(frozen=True)
class Options:
    """How the plan is asked for. Unknown keys of options.yaml are refused by the constructor."""

    mode: str = "normal"
    correct: bool = False
    overrides: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    with_dependencies: bool = False
    abort: str = "rollback"
    managed: tuple[str, ...] | None = None
    show_unmanaged: bool = False
    approve: str | None = None
    is_taken_up: bool = False
    guards: dict[str, Any] | None = None

    def plan(
        self,
        desired: tuple[Desired, ...],
        recorded: dict[Address, Recorded],
        seen: Observation,
        journal: list[OpenOperation],
        correct: bool,
    ) -> Plan:
        plan = build_plan(
            desired,
            recorded,
            seen.observed,
            rules=PlanRules(
                now=NOW,
                mode="drift" if self.mode == "drift" else "normal",
                correct=correct,
                overrides=frozenset(self.overrides),
                abort_verb=Verb(self.abort),
                managed=None if self.managed is None else frozenset(self.managed),
            ),
            selection=self.selection,
            circumstances=Circumstances(
                ENDPOINT, PROJECT, lineage="golden", serial=len(recorded), tool_version="0.0.0", reads=seen.reads
            ),
            guards=self.guards_now,
        )
        plan = withhold_open(plan, journal) if self.is_taken_up else report_interrupted(plan, journal)
        return plan if self.approve is None else keep_approved(plan, parse_approval(self.approve))

    @property
    def guards_now(self) -> Guards:
        """What a statetool.yaml with these guards means at the instant of the plan."""
        if self.guards is None:
            return NO_GUARDS
        text = yaml.safe_dump({"version": 1, "platform": {"endpoint": ENDPOINT}, "guards": self.guards})
        return guards_at(load_settings(PLANS, {}, {}, text=text), datetime.fromisoformat(NOW))

    @property
    def selection(self) -> Selection:
        selectors = parse_selectors(self.selectors)
        return Selection(tuple(self.targets), tuple(self.excludes), selectors, self.with_dependencies)


@dataclass(frozen=True)
class Observation:
    """What was observed, with how many requests."""

    observed: tuple[Observed, ...]
    reads: int


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_plan(folder: Path) -> None:
    """The plan is, to the letter, what the folder says; and its document keeps to the schema."""
    assert {path.name for path in folder.iterdir()} <= INPUTS | OUTPUTS
    for name, text in _views(folder):
        path = folder / name
        if UPDATE:
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            lines = difflib.unified_diff(expected.splitlines(), text.splitlines(), f"{folder.name}/{name}", "now", n=2)
            pytest.fail("\n".join(lines), pytrace=False)
    errors = [
        error.message for error in validator("plan").iter_errors(json.loads((folder / "expected.json").read_text()))
    ]
    assert not errors


def test_every_folder_has_its_own_row() -> None:
    """Two folders with the same input would prove the same thing."""
    inputs = {
        folder.name: tuple((n, (folder / n).read_bytes()) for n in sorted(INPUTS) if (folder / n).exists())
        for folder in FOLDERS
    }
    assert len(set(inputs.values())) == len(inputs) > 0


def _views(folder: Path) -> Iterator[tuple[str, str]]:
    options = Options(**_read(folder / "options.yaml"))
    desired = load_manifests(folder, [Path("manifest.yaml")]).components
    sandbox = Sandbox.open(None, clock=lambda: datetime.fromisoformat(NOW).timestamp())
    try:
        sandbox.seed((folder / "world.yaml").read_text(encoding="utf-8"), "world.yaml")
        for event in _read(folder / "world-events.yaml") or []:
            sandbox.disturb(event.pop("address"), **event)
        rows = sandbox.handle("GET", f"/v3/{PROJECT}/cas/components", "limit=100").body["components"]
        recorded = {
            Address.parse(text): _record(Address.parse(text), entry, rows)
            for text, entry in _read(folder / "state.yaml").items()
        }
        journal = [_operation(entry, rows) for entry in _read(folder / "journal.yaml") or []]
        seen = asyncio.run(_observe(sandbox, desired, recorded, options.selection))
        oddities = _read(folder / "world-oddities.yaml")
        seen = replace(seen, observed=tuple(_oddly(o, oddities.pop(_name(o), {})) for o in seen.observed))
        assert not oddities, "an oddity of a component that was not observed"
    finally:
        sandbox.close()
    plan = options.plan(desired, recorded, seen, journal, options.correct)
    if options.mode == "drift" and not options.correct:
        correction = options.plan(desired, recorded, seen, journal, True)
        yield "expected.txt", render_drift(plan, correction=correction, width=100) + "\n"
    else:
        text = render_plan(plan, width=100, color=False, timezone=None, show_unmanaged=options.show_unmanaged)
        yield "expected.txt", text + "\n"
    document = {**plan_to_document(plan), "fingerprint": NO_DIGEST, "checksum": NO_DIGEST}
    yield "expected.json", RANDOM_JOB.sub("JOB-outside", render_document(document)) + "\n"
    if (folder / "expected.md").exists():
        text = re.sub("sha256:[0-9a-f]{64}", NO_DIGEST, render_plan_markdown(plan))
        yield "expected.md", text + "\n"


async def _observe(
    sandbox: Sandbox, desired: tuple[Desired, ...], recorded: dict[Address, Recorded], selection: Selection
) -> Observation:
    transport = httpx.ASGITransport(app=create_app(sandbox, token=None))
    async with ServiceStage(ENDPOINT, PROJECT, auth=None, transport=transport) as platform:
        observed = await observing.observe(platform, desired, recorded, selection)
        return Observation(observed, platform.requests.reads)


def _name(observed: Observed) -> str:
    return f"{observed.address.application}/{observed.address.component}"


def _oddly(observed: Observed, oddity: dict[str, Any]) -> Observed:
    """The component as a platform may show it [U16], where the sandbox always tells: `row_version` is another one,
    `no_rule`: the detail holds no rule; `none_in_use`: no record is marked as the one in use; `unrecorded` versions
    have no record."""
    if not oddity:
        return observed
    closer = observed.closer
    assert closer is not None, "only what is looked at closely can look odd"
    unrecorded, none_in_use = oddity.pop("unrecorded", []), oddity.pop("none_in_use", False)
    records = tuple(
        replace(record, current=record.current and not none_in_use)
        for record in closer.records
        if record.version not in unrecorded
    )
    rule = None if oddity.pop("no_rule", False) else closer.rule
    return replace(observed, closer=replace(closer, records=records, rule=rule), **oddity)


def _read(path: Path) -> Any:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None) or {}


def _record(address: Address, entry: dict[str, Any], rows: list[dict[str, Any]]) -> Recorded:
    """One entry of state.yaml as a record.

    The wish: version, gray, replicas, state, restart, deployed (what was sent along). `seen` is as it was wished,
    two hours ago, unless it is given (`seen: null` for never). `drifted: {field: instant of first wrong}`.
    `of: address` names the component of the world where that is not the address itself, `id` a component that is gone.
    """
    of = Address.parse(entry.pop("of", str(address)))
    row = next(
        (r for r in rows if _is_row_of(r, of)), {"application_id": "gone", "environment_id": "gone", "id": "gone"}
    )
    gray = _gray(entry.pop("gray", None))
    version = entry.pop("version", None)
    wish = Wish(
        picture=VersionPicture(version, gray) if version else None,
        replicas=_replicas(entry.pop("replicas", None)),
        state=entry.pop("state", None),
        restart=entry.pop("restart", None),
        deployed=_deployed(entry.pop("deployed", None), gray.version if gray else version),
    )
    status = "GRAYING" if gray else "STOPPED" if wish.state == "stopped" else "RUNNING"
    seen = entry.pop("seen", {"version": version, "replicas": _number(wish.replicas), "status": status})
    return Recorded(
        address=address,
        component_id=entry.pop("id", row["id"]),
        application_id=row["application_id"],
        environment_id=row["environment_id"],
        wish=wish,
        seen=_seen(seen, gray) if seen else None,
        drifted={path: Drifted(BEFORE, at) for path, at in entry.pop("drifted", {}).items()},
        history=tuple(VersionEntry(e["version"], BEFORE, e["verb"]) for e in entry.pop("history", [])),
        rejected=tuple(
            Rejection(e["version"], BEFORE, e["by"], e["reason"], e.get("job_id")) for e in entry.pop("rejected", [])
        ),
        **entry,
    )


def _operation(entry: dict[str, Any], rows: list[dict[str, Any]]) -> OpenOperation:
    """One entry of journal.yaml: `address`, `verb`, `parameters`, `type` (the last word on it) and `job_id`."""
    address, verb = Address.parse(entry["address"]), Verb(entry["verb"])
    row = next(r for r in rows if _is_row_of(r, address))
    known = known_component(address, row["id"], row["application_id"], row["environment_id"])
    parameters = entry.get("parameters", {})
    action = Action(f"{address}#1", address, verb, parameters, "", Risk.NONE, (), {}, {}, 30)
    baseline = Baseline("RUNNING", 1, None, None, {})
    intent = Intent(f"{address}#1.1@7", "run-1", 7, BEFORE, action, known, baseline)
    return OpenOperation(intent, EntryType(entry["type"]), BEFORE, entry.get("job_id"))


def _is_row_of(row: dict[str, Any], address: Address) -> bool:
    names = (row["application_name"], row["name"])
    return names == (address.application, address.component) and address.environment in (None, row["environment_name"])


def _replicas(entry: Any) -> Replicas | None:
    return ReplicaRange(**entry) if isinstance(entry, dict) else entry


def _number(wanted: Replicas | None) -> int | None:
    return wanted.min if isinstance(wanted, ReplicaRange) else wanted


def _deployed(entry: dict[str, Any] | None, version: str | None) -> Deployed | None:
    """`env`, `resources` (by the platform's names) and `start` as a manifest would have sent them."""
    if entry is None:
        return None
    resources, start = entry.get("resources"), entry.get("start", {})
    deploy = Deploy(
        env=entry.get("env", {}), resources=Resources(**resources) if resources else None, gray=GrayStart(**start)
    )
    return deployed_by(deploy, version)


def _gray(entry: dict[str, Any] | None) -> Gray | None:
    return Gray(entry["version"], rule_from_json(entry)) if entry else None


def _seen(entry: dict[str, Any], gray: Gray | None) -> Seen:
    return Seen(
        at=BEFORE,
        version=entry.get("version"),
        replicas=entry.get("replicas"),
        available_replicas=entry.get("replicas"),
        status=entry.get("status", "RUNNING"),
        last_job_id=None,
        gray=_gray(entry["gray"]) if "gray" in entry else gray,
    )
