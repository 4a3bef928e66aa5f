"""Settings from flag > environment > statetool.yaml > default, and where each value came from.

Owns the meaning of statetool.yaml and of the environment variables that set something, hosts that may get
credentials among them (the rule itself is `servicestage/endpoint.py`, next to the sending). Credentials are
loaded apart from settings (`credentials.py`) and stand in no file of a project.
It must not talk to the platform, nor read manifests.
"""

from __future__ import annotations

import ipaddress
import os
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from statetool.core.credentials import AuthMode
from statetool.core.guards import Guards
from statetool.errors import Diagnostic, InvalidInput, SourceMark, UsageError
from statetool.freeze import Window, parse_windows
from statetool.manifest.files import ManifestFile, read_file
from statetool.manifest.nodes import Mapping as MapNode
from statetool.manifest.nodes import Node, Scalar, plain_value
from statetool.manifest.nodes import Sequence as ListNode
from statetool.manifest.structure import Problem, describe, load_rules
from statetool.manifest.yaml_reader import read_yaml

CONFIG_FILE = "statetool.yaml"
CLOUD_DOMAIN = "myhuaweicloud.com"
SANDBOX_PROJECT_ID = "0123456789abcdef0123456789abcdef"
ALLOW_VARIABLE = "STATETOOL_ALLOW_ENDPOINTS"
MAX_PLAN_AGE_LIMIT_S = 10 * 365 * 86400

_SANDBOX = "sandbox:"
_DEFAULTS: Mapping[str, object] = {
    "platform.auth": "auto",
    "platform.abort": "rollback",
    "state.backend": "local",
    "state.path": ".statetool/state.json",
    "manifests": ["manifests/"],
    "limits.parallelism": 10,
    "limits.jobs_in_flight": 50,
    "limits.max_failures": 5,
    "limits.job_timeout_s": 1200,
    "limits.poll_interval_s": 5,
    "guards.max_plan_age": "24h",
    "guards.max_share": 30,
    "guards.max_scale_down": 50,
}
# The first variable that is set wins. Names of the vendor's Terraform provider first, then of its SDK
# (servicestage-v3 9.5).
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "platform.region": ("HW_REGION_NAME",),
    "platform.project_id": ("HW_PROJECT_ID", "HUAWEICLOUD_SDK_PROJECT_ID"),
}
_IAM_VARIABLES = ("HW_AUTH_URL", "HUAWEICLOUD_SDK_IAM_ENDPOINT")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SERVICE_HOST = re.compile(r"servicestage\.([a-z0-9]+(?:-[a-z0-9]+)*)\.myhuaweicloud\.com")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one project. Paths are absolute, durations are seconds.

    `endpoint` is `https://HOST`, `http://LOOPBACK:PORT` or `sandbox:PATH` as written; `sandbox_path` is set for
    the last. `iam_endpoint` is where tokens and project ids are asked for, empty where no region is known.
    `project_id` is empty where it is to be looked up. `timezone` None means the system's. `origins` maps dotted
    names (`limits.parallelism`) to `statetool.yaml:12:16`, `environment HW_PROJECT_ID`, `--parallelism` or `default`.
    """

    root: Path
    endpoint: str
    sandbox_path: Path | None
    project_id: str
    region: str | None
    auth: AuthMode
    iam_endpoint: str
    abort: Literal["rollback", "rollback_current"]
    state_path: Path
    manifests: tuple[Path, ...]
    parallelism: int
    jobs_in_flight: int
    max_failures: int
    job_timeout_s: float
    poll_interval_s: float
    max_plan_age_s: int
    guards: Guards
    freeze_windows: tuple[Window, ...]
    freeze_from: Path | None
    timezone: str | None
    origins: Mapping[str, str]


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: a served sandbox."""
    return _is_loopback(_host(endpoint))


def load_settings(
    directory: Path, environ: Mapping[str, str], flags: Mapping[str, object], *, offline: bool = False
) -> Settings:
    """Settings of the project in `directory`.

    `flags` maps dotted names of settings to values of the command line; None means not given. Where nothing is
    asked of the platform, `offline` lets the region be missing: `endpoint` is then empty. Raises InvalidInput with
    every error of file and environment, UsageError for a flag out of range.
    """
    root = Path(os.path.abspath(directory))  # noqa: PTH100 - resolve() would follow links, and names would change
    reader = _Reader(environ, flags)
    reader.read_file(root)
    settings = _build(reader, root, offline)
    if reader.diagnostics:
        raise InvalidInput(sorted(reader.diagnostics, key=_place))
    return settings


def allowed_hosts(environ: Mapping[str, str]) -> frozenset[str]:
    """Hosts that may get credentials beside the cloud's own, from STATETOOL_ALLOW_ENDPOINTS, in lower case."""
    hosts = [part.strip().lower() for part in environ.get(ALLOW_VARIABLE, "").split(",") if part.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host) and not _is_ip(host):
            message = f"must be host names with commas between, but holds {host[:100]!r}"
            raise InvalidInput([_bad_variable(ALLOW_VARIABLE, message, "write names only: no scheme, port or path")])
    return frozenset(hosts)


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any
    origin: str
    mark: SourceMark | None = None


@dataclass(slots=True)
class _Reader:
    """Looks values up by dotted name, and collects what is wrong with them."""

    environ: Mapping[str, str]
    flags: Mapping[str, object]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    _file: dict[str, tuple[Node, SourceMark]] = field(default_factory=dict)

    def read_file(self, root: Path) -> None:
        """Check statetool.yaml against its schema, and keep the values that passed."""
        path = root / CONFIG_FILE
        if not os.path.lexists(path):
            hint = "run `statetool init` there, or name the project's folder with --chdir"
            raise InvalidInput([Diagnostic("config_missing", f"there is no {CONFIG_FILE} in {root}", hint)])
        data = read_file(ManifestFile(path, CONFIG_FILE))
        if isinstance(data, Diagnostic):
            raise InvalidInput([data])
        result = read_yaml(data, CONFIG_FILE)
        self.diagnostics.extend(result.diagnostics)
        if not result.complete:
            self.refused.add("")
            return
        for extra in result.documents[1:]:
            mark = SourceMark(CONFIG_FILE, extra.root.line, extra.root.column)
            message, hint = f"{CONFIG_FILE} holds more than one document", "remove the lines with ---"
            self.diagnostics.append(Diagnostic("several_documents", message, hint, mark))
        node = result.documents[0].root if result.documents else MapNode({}, 1, 1)
        for problem in load_rules("config").check(node):
            self._note_problem(problem)
            if problem.code not in ("unknown_key", "missing_key"):  # these two leave the values beside them good
                self.refused.add(".".join(part for part in problem.path if isinstance(part, str)))
        self._keep(node, "")

    def _note_problem(self, problem: Problem) -> None:
        message = problem.before + describe(problem.path, CONFIG_FILE) + problem.after
        mark = SourceMark(CONFIG_FILE, problem.line, problem.column)
        self.diagnostics.append(Diagnostic(problem.code, message, problem.hint, mark))

    def _keep(self, node: Node, name: str) -> None:
        if name in self.refused:
            return
        if isinstance(node, MapNode):
            for key, entry in node.entries.items():
                self._keep(entry.node, f"{name}.{key}" if name else key)
            return
        parts = node.items if isinstance(node, ListNode) else [node]
        if any(isinstance(part, Scalar) and part.refused for part in parts):
            self.refused.add(name)  # by the reader, so that no schema judged its value
        else:
            self._file[name] = (node, SourceMark(CONFIG_FILE, node.line, node.column))

    def find(self, name: str) -> _Value | None:
        """The value of that name from the first place that has one, checked; its origin is noted."""
        found = self._from_flag(name) or self._from_environment(name) or self._from_file(name)
        if found is None and name in _DEFAULTS:
            found = _Value(_DEFAULTS[name], "default")
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

    def is_absent(self, name: str) -> bool:
        """Whether a name that was not found is truly missing, not written wrongly or in a file that can't be read."""
        return self.refused.isdisjoint({"", name.partition(".")[0], name})

    def note(self, code: str, message: str, hint: str, value: _Value | None) -> None:
        """A diagnostic at the place the value came from."""
        mark = value.mark if value else SourceMark(CONFIG_FILE, 1, 1)
        if value is not None and mark is None:
            message = f"{message} ({value.origin})"
        self.diagnostics.append(Diagnostic(code, message, hint, mark))

    def _from_flag(self, name: str) -> _Value | None:
        value = self.flags.get(name)
        if value is None:
            return None
        flag = "--" + name.rpartition(".")[2].replace("_", "-")
        problem = _first_problem(name, value)
        if problem is not None:
            raise UsageError(flag + problem.after, hint=problem.hint)
        return _Value(value, flag)

    def _from_environment(self, name: str) -> _Value | None:
        for variable in _VARIABLES.get(name, ()):
            value = self.environ.get(variable, "").strip()
            if not value:
                continue
            problem = _first_problem(name, value)
            if problem is not None:
                self.diagnostics.append(_bad_variable(variable, problem.after.strip(), problem.hint))
            return _Value(value, f"environment {variable}")
        return None

    def _from_file(self, name: str) -> _Value | None:
        if name not in self._file:
            return None
        node, mark = self._file[name]
        return _Value(plain_value(node), str(mark), mark)


def _build(reader: _Reader, root: Path, offline: bool) -> Settings:
    region = reader.find("platform.region")
    reader.find("state.backend")  # for its origin: only `local` passes the schema
    endpoint, sandbox_path = _find_endpoint(reader, root, region.value if region else None, offline)
    region_name = region.value if region else _region_of(reader, endpoint)
    timezone, shared = _find_timezone(reader), reader.find("guards.freeze_from")
    return Settings(
        root=root,
        endpoint=endpoint,
        sandbox_path=sandbox_path,
        project_id=_find_project_id(reader, endpoint),
        region=region_name,
        auth=cast(AuthMode, reader.get("platform.auth")),
        iam_endpoint=_find_iam_endpoint(reader, endpoint, region_name),
        abort=cast(Literal["rollback", "rollback_current"], reader.get("platform.abort")),
        state_path=root / str(reader.get("state.path")),
        manifests=tuple(root / location for location in reader.get("manifests")),
        parallelism=reader.get("limits.parallelism"),
        jobs_in_flight=reader.get("limits.jobs_in_flight"),
        max_failures=reader.get("limits.max_failures"),
        job_timeout_s=float(reader.get("limits.job_timeout_s")),
        poll_interval_s=float(reader.get("limits.poll_interval_s")),
        max_plan_age_s=_find_max_plan_age(reader),
        guards=_find_guards(reader),
        freeze_windows=_find_freeze_windows(reader, timezone),
        freeze_from=root / str(shared.value) if shared else None,
        timezone=timezone,
        origins=MappingProxyType(reader.origins),
    )


def _find_endpoint(reader: _Reader, root: Path, region: str | None, offline: bool) -> tuple[str, Path | None]:
    """The endpoint, and the sandbox's world where it is one; an empty endpoint where it is not known."""
    found = reader.find("platform.endpoint")
    if found is None:
        if region is not None:
            return f"https://servicestage.{region}.{CLOUD_DOMAIN}", None
        if not offline and reader.is_absent("platform.endpoint") and reader.is_absent("platform.region"):
            hint = "set HW_REGION_NAME, or platform.region or platform.endpoint in statetool.yaml"
            reader.note("missing_region", "neither region nor endpoint of the platform is known", hint, None)
        return "", None
    text = str(found.value)
    if text.startswith(_SANDBOX):
        path = text.removeprefix(_SANDBOX)
        if not path:
            reader.note("bad_endpoint", "platform.endpoint lacks the sandbox's file", "write sandbox:PATH", found)
        return text, root / path
    endpoint = text.rstrip("/")
    problem = _check_url(endpoint)
    if problem is not None:
        reader.note(*problem, found)
    return endpoint, None


def _check_url(endpoint: str) -> tuple[str, str, str] | None:
    """Code, message and hint for an endpoint that can't be used, None for a good one."""
    shape = "write https://HOST, http://127.0.0.1:PORT or sandbox:PATH"
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "bad_endpoint", f"platform.endpoint is not an address: {endpoint[:100]!r}", shape
    if parts.scheme not in ("https", "http") or not (_HOST.fullmatch(host) or _is_ip(host)):
        return "bad_endpoint", f"platform.endpoint is not an address: {endpoint[:100]!r}", shape
    if parts.username is not None or parts.path or parts.query or parts.fragment or port == 0:
        return "bad_endpoint", "platform.endpoint may hold scheme, host and port only", shape
    if parts.scheme == "http" and not _is_loopback(host):
        return "plain_http", f"plain http to {host} would show credentials to everybody on the way", "write https://"
    return None


def _region_of(reader: _Reader, endpoint: str) -> str | None:
    """The region that the platform's own host name holds."""
    match = _SERVICE_HOST.fullmatch(_host(endpoint))
    if match is None:
        return None
    reader.origins["platform.region"] = reader.origins["platform.endpoint"]
    return match[1]


def _find_iam_endpoint(reader: _Reader, endpoint: str, region: str | None) -> str:
    """IAM's address, as a variable says, with or without the path that other tools want; a served sandbox is its own
    IAM. No file of a project can name one."""
    for variable in _IAM_VARIABLES:
        written = reader.environ.get(variable, "").strip()
        if written:
            address = written.rstrip("/").removesuffix("/v3").rstrip("/")
            if _check_url(address) is not None:
                hint = "write https://iam.cn-north-4.myhuaweicloud.com/v3; plain http is for this machine only"
                reader.diagnostics.append(_bad_variable(variable, "is not an address that can be used", hint))
            return address
    if _is_loopback(_host(endpoint)):
        return endpoint
    return f"https://iam.{region}.{CLOUD_DOMAIN}" if region else ""


def _find_project_id(reader: _Reader, endpoint: str) -> str:
    """The project id, in the platform's lower case. A sandbox, in process or served, has one of its own."""
    found = reader.find("platform.project_id")
    if found is not None:
        return str(found.value).lower()
    if endpoint.startswith(_SANDBOX) or _is_loopback(_host(endpoint)):
        return SANDBOX_PROJECT_ID
    return ""


def _find_max_plan_age(reader: _Reader) -> int:
    value = reader.get("guards.max_plan_age")
    age_s = value if isinstance(value, int) else int(value[:-1]) * _UNIT_S[value[-1]]
    if age_s > MAX_PLAN_AGE_LIMIT_S:
        reader.note(
            "out_of_range",
            "guards.max_plan_age is longer than ten years",
            "write a shorter time",
            reader.find("guards.max_plan_age"),
        )
    return age_s


def _find_guards(reader: _Reader) -> Guards:
    """The limits; which freezes are on depends on the hour, and is asked when a plan is made."""

    def limit(name: str) -> int | None:
        found = reader.find(f"guards.{name}")
        return int(found.value) if found else None

    return Guards(
        max_share=limit("max_share"),
        max_scale_down=limit("max_scale_down"),
        min_replicas=limit("min_replicas"),
        max_weight_step=limit("max_weight_step"),
        max_actions=limit("max_actions"),
    )


def _find_freeze_windows(reader: _Reader, timezone: str | None) -> tuple[Window, ...]:
    reader.find("guards.freeze")  # for its origin
    node = reader.node("guards.freeze")
    windows, diagnostics = parse_windows(node, CONFIG_FILE, timezone) if node is not None else ((), [])
    reader.diagnostics.extend(diagnostics)
    return windows


def _find_timezone(reader: _Reader) -> str | None:
    found = reader.find("timezone")
    if found is None:
        return None
    name = str(found.value)
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = "write an IANA name such as Asia/Shanghai or UTC"
        reader.note("unknown_timezone", f"there is no time zone {name[:100]!r}", hint, found)
    return name


def _first_problem(name: str, value: object) -> Problem | None:
    """What the schema has against a value that stands in no file."""
    node = Scalar(cast(Any, value), str(value), True, 1, 1)
    problems = load_rules("config", *name.split(".")).check(node)
    return problems[0] if problems else None


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    """What has no place in the file comes after what has one."""
    return (diagnostic.mark.line, diagnostic.mark.column) if diagnostic.mark else (2**31, 0)


def _bad_variable(variable: str, message: str, hint: str | None) -> Diagnostic:
    return Diagnostic("bad_environment", f"environment variable {variable} {message}", hint)


def _host(endpoint: str) -> str:
    try:
        return (urlsplit(endpoint).hostname or "").lower()
    except ValueError:
        return ""


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
