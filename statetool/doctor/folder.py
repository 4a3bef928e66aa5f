"""What stands in the project's folder: configuration, manifests, state, and who holds its lock.

Owns the checks that need nobody else. Each works as far as the one before it let something be known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from statetool import surroundings
from statetool.backends import Backend, LockInfo
from statetool.backends.places import BackendName
from statetool.backends.snapshot import read_snapshot
from statetool.config import Inspection, Settings
from statetool.core.checks import Check, CheckStatus, Topic
from statetool.core.model import Json
from statetool.errors import Diagnostic, InvalidInput, StateError, StateUnreadable
from statetool.session import Project
from statetool.workflow import Request

_UNKNOWN = "needs_configuration"


def check_configuration(directory: Path, inspection: Inspection, problems: Sequence[Diagnostic]) -> Check:
    """`problems` are those of the environment that `inspection` does not hold."""
    found = (*inspection.diagnostics, *problems)
    facts: dict[str, Json] = {"folder": str(directory.absolute())}
    if found:
        return Check(Topic.CONFIGURATION, CheckStatus.FAILED, "configuration_invalid", facts, found)
    return Check(Topic.CONFIGURATION, CheckStatus.OK, "configuration_valid", facts)


def check_manifests(inspection: Inspection, environ: Mapping[str, str], request: Request) -> tuple[Check, ...]:
    settings = inspection.settings
    if settings is None or not inspection.knows("manifests"):
        return (Check(Topic.MANIFESTS, CheckStatus.NOT_REACHED, _UNKNOWN),)
    from statetool.manifest.loader import load_manifests
    from statetool.manifest.variables import load_variables

    variables = load_variables(environ, request.variable_files, request.variables)
    try:
        loaded = load_manifests(settings.root, settings.manifests, variables=variables)
    except InvalidInput as error:
        return (Check(Topic.MANIFESTS, CheckStatus.FAILED, "manifests_invalid", problems=error.diagnostics),)
    facts: dict[str, Json] = {"components": len(loaded.components), "files": len(loaded.files)}
    return (Check(Topic.MANIFESTS, CheckStatus.OK, "manifests_valid", facts),)


def check_state(inspection: Inspection, environ: Mapping[str, str]) -> tuple[Check, ...]:
    """What is stored and where, whether more could be, and who is at it."""
    settings = inspection.settings
    if settings is None or not inspection.knows("state") or not _knows_place(inspection, settings.state.backend):
        topics = (Topic.STATE, Topic.STATE_FOLDER, Topic.LOCK)
        return tuple(Check(topic, CheckStatus.NOT_REACHED, _UNKNOWN) for topic in topics)
    facts: dict[str, Json] = {"backend": settings.state.backend}
    try:
        backend = Project(settings, None).backend
    except StateError as error:
        failed = Check(Topic.STATE, CheckStatus.FAILED, error.code, facts, error.diagnostics)
        return failed, Check(Topic.LOCK, CheckStatus.NOT_REACHED, "needs_state")
    facts |= {"location": backend.location}
    if settings.state.backend != "local":
        return _check_remote(backend, facts)
    return (_check_content(backend, facts), *_check_folder(settings, backend, environ), _check_lock(backend))


def _knows_place(inspection: Inspection, backend: BackendName) -> bool:
    """Whether nothing of that backend's settings was refused, nor is missing."""
    known = inspection.knows("state.backend") and inspection.knows("state.path")
    return known and inspection.settings is not None and backend in inspection.settings.state.places


def _check_remote(backend: Backend, facts: dict[str, Json]) -> tuple[Check, ...]:
    """A store that does not answer says so once."""
    content = _check_content(backend, facts)
    if content.status is CheckStatus.FAILED:
        return content, Check(Topic.LOCK, CheckStatus.NOT_REACHED, "needs_state")
    try:
        problems = backend.check_place()
    except StateError as error:
        problems = error.diagnostics
    return (content, *(_check_of(Topic.STATE, problem, facts) for problem in problems), _check_lock(backend))


def _check_content(backend: Backend, facts: dict[str, Json]) -> Check:
    try:
        stored = read_snapshot(backend).state
    except StateError as error:
        code = "state_unreadable" if isinstance(error, StateUnreadable) else error.code
        return Check(Topic.STATE, CheckStatus.FAILED, code, facts, error.diagnostics)
    if stored is None:
        return Check(Topic.STATE, CheckStatus.OK, "state_absent", facts)
    facts = {**facts, "serial": stored.serial, "lineage": stored.lineage, "components": len(stored.components)}
    return Check(Topic.STATE, CheckStatus.OK, "state_read", facts)


def _check_folder(settings: Settings, backend: Backend, environ: Mapping[str, str]) -> list[Check]:
    facts: dict[str, Json] = {"folder": str(settings.state_path.parent)}
    found = [_check_of(Topic.STATE_FOLDER, problem, facts) for problem in backend.check_place()]
    if surroundings.is_ci(environ):
        found.append(Check(Topic.STATE_FOLDER, CheckStatus.WARNING, "ephemeral_state", facts))
    return found or [Check(Topic.STATE_FOLDER, CheckStatus.OK, "state_folder_fit", facts)]


def _check_of(topic: Topic, problem: Diagnostic, facts: Mapping[str, Json]) -> Check:
    status = CheckStatus.FAILED if problem.severity == "error" else CheckStatus.WARNING
    return Check(topic, status, problem.code, facts, (problem,))


def _check_lock(backend: Backend) -> Check:
    try:
        holder = backend.find_holder()
    except StateError as error:
        return Check(Topic.LOCK, CheckStatus.FAILED, error.code, problems=error.diagnostics)
    if holder is None and not backend.capabilities.expires:
        return Check(Topic.LOCK, CheckStatus.NOT_REACHED, "lock_not_shown")
    if holder is None:
        return Check(Topic.LOCK, CheckStatus.OK, "lock_free")
    return Check(Topic.LOCK, CheckStatus.WARNING, "lock_held", _facts_of(holder))


def _facts_of(holder: LockInfo) -> dict[str, Json]:
    return {
        "operation": holder.operation,
        "who": holder.who,
        "host": holder.host,
        "pid": holder.pid,
        "since": holder.created,
        "run_id": holder.run_id,
        "ci_url": holder.ci_url,
    }
