"""Where the value of a setting comes from: flag > environment > statetool.yaml > default.

Owns the names of all settings with their defaults and variables, the reading of statetool.yaml, and what is wrong
with a value by its schema. What a setting means is `config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, cast

from statetool.errors import Diagnostic, SourceMark, UsageError
from statetool.manifest.nodes import Mapping as MapNode
from statetool.manifest.nodes import Node, Scalar, plain_value
from statetool.manifest.nodes import Sequence as ListNode
from statetool.manifest.structure import Problem, describe, load_rules
from statetool.manifest.yaml_reader import read_yaml

CONFIG_FILE = "statetool.yaml"
DEFAULTS: Mapping[str, object] = {
    "mode": "apply",
    "platform.auth": "auto",
    "platform.abort": "rollback",
    "platform.gray_rule_body": "flat",
    "state.backend": "local",
    "state.path": ".statetool/state.json",
    "state.http.lock_method": "LOCK",
    "state.http.unlock_method": "UNLOCK",
    "state.http.update_method": "POST",
    "state.postgres.url": "postgresql://",
    "state.postgres.schema": "statetool",
    "manifests": ["manifests/"],
    "limits.parallelism": 10,
    "limits.jobs_in_flight": 50,
    "limits.reads_per_second": 20,
    "limits.writes_per_minute": 300,
    "limits.max_failures": 5,
    "limits.retries": 0,
    "limits.job_timeout_s": 1200,
    "limits.poll_interval_s": 5,
    "limits.quiet_period_s": 90,
    "guards.max_plan_age": "24h",
    "guards.max_share": 30,
    "guards.max_scale_down": 50,
}
# The first variable that is set wins. Names of the vendor's Terraform provider first, then of its SDK
# (servicestage-v3 9.5).
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "platform.region": ("HW_REGION_NAME",),
    "platform.project_id": ("HW_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
    # As GitLab's job templates set them for Terraform.
    "state.http.address": ("TF_HTTP_ADDRESS",),
    "state.http.lock_address": ("TF_HTTP_LOCK_ADDRESS",),
    "state.http.unlock_address": ("TF_HTTP_UNLOCK_ADDRESS",),
    "state.http.lock_method": ("TF_HTTP_LOCK_METHOD",),
    "state.http.unlock_method": ("TF_HTTP_UNLOCK_METHOD",),
    "state.http.update_method": ("TF_HTTP_UPDATE_METHOD",),
    "state.s3.region": ("AWS_REGION",),
    "state.s3.endpoint": ("AWS_ENDPOINT_URL",),
}


@dataclass(frozen=True, slots=True)
class Value:
    value: Any
    origin: str
    mark: SourceMark | None = None


@dataclass(slots=True)
class SettingsReader:
    """Looks values up by dotted name, and collects what is wrong with them."""

    environ: Mapping[str, str]
    flags: Mapping[str, object]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    _file: dict[str, tuple[Node, SourceMark]] = field(default_factory=dict)
    _sections: dict[str, SourceMark] = field(default_factory=dict)

    def read(self, data: bytes) -> None:
        """Check what statetool.yaml holds against its schema, and keep the values that passed."""
        result = read_yaml(data, CONFIG_FILE)
        self.diagnostics.extend(result.diagnostics)
        if not result.complete:
            self.refused.add("")
            return
        for extra in result.documents[1:]:
            mark = SourceMark(CONFIG_FILE, extra.root.line, extra.root.column)
            message, hint = f"{CONFIG_FILE} holds more than one document", "remove the lines with ---"
            self.diagnostics.append(Diagnostic("several_documents", message, hint, mark))
        node = result.documents[0].root if result.documents else MapNode({}, CONFIG_FILE, 1, 1)
        for problem in load_rules("config").check(node):
            self._note_problem(problem)
            name = ".".join(str(part) for part in takewhile(lambda part: isinstance(part, str), problem.path))
            # These two leave the values beside them good; but a list is taken as a whole or not at all.
            if problem.code not in ("unknown_key", "missing_key") or len(name.split(".")) < len(problem.path):
                self.refused.add(name)
        self._keep(node, "")

    def _note_problem(self, problem: Problem) -> None:
        message = problem.before + describe(problem.path, CONFIG_FILE) + problem.after
        mark = SourceMark(CONFIG_FILE, problem.line, problem.column)
        self.diagnostics.append(Diagnostic(problem.code, message, problem.hint, mark))

    def _keep(self, node: Node, name: str) -> None:
        if name in self.refused:
            return
        if isinstance(node, MapNode):
            self._sections[name] = SourceMark(CONFIG_FILE, node.line, node.column)
            for key, entry in node.entries.items():
                self._keep(entry.node, f"{name}.{key}" if name else key)
            return
        parts = node.items if isinstance(node, ListNode) else [node]
        if any(isinstance(part, Scalar) and part.refused for part in parts):
            self.refused.add(name)  # by the reader, so that no schema judged its value
        else:
            self._file[name] = (node, SourceMark(CONFIG_FILE, node.line, node.column))

    def find(self, name: str) -> Value | None:
        """The value of that name from the first place that has one, checked; its origin is noted."""
        found = self._from_flag(name) or self._from_environment(name) or self._from_file(name)
        if found is None and name in DEFAULTS:
            found = Value(DEFAULTS[name], "default")
        self.origins[name] = found.origin if found else "default"
        return found

    def get(self, name: str) -> Any:
        """The value of a name that has a default."""
        found = self.find(name)
        assert found is not None
        return found.value

    def node(self, name: str) -> Node | None:
        """What the file holds under that name, where it passed the schema."""
        return self._file[name][0] if name in self._file else None

    def names_under(self, name: str) -> list[str]:
        """What the file holds under a name whose keys are free to choose, as names of their own."""
        return [known for known in self._file if known.startswith(f"{name}.")]

    def section(self, name: str) -> Value | None:
        """The map of that name, be it an empty one, by its place in the file only."""
        mark = self._sections.get(name)
        return Value(None, str(mark), mark) if mark else None

    def is_absent(self, name: str) -> bool:
        """Whether a name that was not found is truly missing, not written wrongly or in a file that can't be read."""
        return self.refused.isdisjoint({"", name.partition(".")[0], name})

    def note(self, code: str, message: str, hint: str, value: Value | None) -> None:
        """A diagnostic at the place the value came from."""
        mark = value.mark if value else SourceMark(CONFIG_FILE, 1, 1)
        if value is not None and mark is None:
            message = f"{message} ({value.origin})"
        self.diagnostics.append(Diagnostic(code, message, hint, mark))

    def _from_flag(self, name: str) -> Value | None:
        value = self.flags.get(name)
        if value is None:
            return None
        flag = "--" + name.rpartition(".")[2].replace("_", "-")
        problem = _first_problem(name, value)
        if problem is not None:
            raise UsageError(flag + problem.after, hint=problem.hint)
        return Value(value, flag)

    def _from_environment(self, name: str) -> Value | None:
        for variable in _VARIABLES.get(name, ()):
            value = self.environ.get(variable, "").strip()
            if not value:
                continue
            problem = _first_problem(name, value)
            if problem is not None:
                self.diagnostics.append(bad_variable(variable, problem.after.strip(), problem.hint))
            return Value(value, f"environment {variable}")
        return None

    def _from_file(self, name: str) -> Value | None:
        if name not in self._file:
            return None
        node, mark = self._file[name]
        return Value(plain_value(node), str(mark), mark)


def _first_problem(name: str, value: object) -> Problem | None:
    """What the schema has against a value that stands in no file."""
    node = Scalar(cast(Any, value), str(value), True, CONFIG_FILE, 1, 1)
    problems = load_rules("config", *name.split(".")).check(node)
    return problems[0] if problems else None


def bad_variable(variable: str, message: str, hint: str | None) -> Diagnostic:
    return Diagnostic("bad_environment", f"environment variable {variable} {message}", hint)
