"""Settings from flag > environment > statetool.yaml > default, and where each value came from.

Owns the meaning of statetool.yaml and of the environment variables that set something, hosts that may get
credentials among them (the rule itself is `servicestage/endpoint.py`, next to the sending). Credentials are
loaded apart from settings (`credentials.py`) and stand in no file of a project.
It must not talk to the platform, nor read manifests.
"""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from statetool.backends.places import BackendName, LocalPlace, Place
from statetool.config_reader import CONFIG_FILE, SettingsReader, bad_variable
from statetool.core.credentials import AuthMode
from statetool.endpoints import check_url, is_host, is_loopback, region_of
from statetool.errors import Diagnostic, InvalidInput
from statetool.freeze import Window, parse_windows
from statetool.manifest.files import ManifestFile, read_file
from statetool.state_places import StatePlaces, find_places

CLOUD_DOMAIN = "myhuaweicloud.com"
SANDBOX_PROJECT_ID = "0123456789abcdef0123456789abcdef"
ALLOW_VARIABLE = "STATETOOL_ALLOW_ENDPOINTS"
MAX_PLAN_AGE_LIMIT_S = 10 * 365 * 86400

_SANDBOX = "sandbox:"
IAM_VARIABLES = ("HW_AUTH_URL", "HUAWEICLOUD_SDK_IAM_ENDPOINT")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one project. Paths are absolute, durations are seconds.

    `endpoint` is `https://HOST`, `http://LOOPBACK:PORT` or `sandbox:PATH` as written; `sandbox_path` is set for
    the last. `iam_endpoint` is where tokens and project ids are asked for, empty where no region is known.
    `manage` names the applications that may be changed in mode observe, by name or id; empty in mode apply.
    `parallelism_of` has the risks with a number of their own, and `scale`; `parallelism` is for the others. The same
    holds for `job_timeout_of` and verbs.
    `project_id` is empty where it is to be looked up. `timezone` None means the system's. `origins` maps dotted
    names (`limits.parallelism`) to `statetool.yaml:12:16`, `environment HW_PROJECT_ID`, `--parallelism` or `default`.
    """

    root: Path
    mode: Literal["apply", "observe"]
    manage: tuple[str, ...]
    endpoint: str
    sandbox_path: Path | None
    project_id: str
    region: str | None
    auth: AuthMode
    iam_endpoint: str
    abort: Literal["rollback", "rollback_current"]
    gray_rule_body: Literal["flat", "gray_release", "deploy_strategy"]
    state: StatePlaces
    manifests: tuple[Path, ...]
    parallelism: int
    parallelism_of: Mapping[str, int]
    jobs_in_flight: int
    reads_per_second: float
    writes_per_minute: float
    max_failures: int
    retries: int
    job_timeout_s: float
    job_timeout_of: Mapping[str, float]
    poll_interval_s: float
    quiet_period_s: float
    max_plan_age_s: int
    max_share: int
    max_scale_down: int
    min_replicas: int | None
    max_weight_step: int | None
    max_actions: int | None
    freeze: tuple[Window, ...]
    freeze_from: Path | None
    timezone: str | None
    origins: Mapping[str, str]

    @property
    def state_path(self) -> Path:
        """The state's file, should the local backend keep it."""
        place = self.state.places["local"]
        assert isinstance(place, LocalPlace)
        return place.path

    def place_of(self, name: BackendName) -> Place:
        """Where that backend keeps the state. Raises StateError where it is not configured, or not to be trusted."""
        return self.state.place_of(name)

    @property
    def managed(self) -> frozenset[str] | None:
        """Applications that may be changed, by name or id; None: all of them."""
        return frozenset(self.manage) if self.mode == "observe" else None


def load_settings(
    directory: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    offline: bool = False,
    text: str | None = None,
) -> Settings:
    """Settings of the project in `directory`; `text` stands for a statetool.yaml that is yet to be written there.

    `flags` maps dotted names of settings to values of the command line; None means not given. Where nothing is
    asked of the platform, `offline` lets the region be missing: `endpoint` is then empty. Raises InvalidInput with
    every error of file and environment, UsageError for a flag out of range.
    """
    reader = SettingsReader(environ, flags)
    settings = _load(reader, directory, offline, text)
    if reader.diagnostics:
        raise InvalidInput(sorted(reader.diagnostics, key=_place))
    return settings


@dataclass(frozen=True, slots=True)
class Inspection:
    """A configuration as far as it can be told, for whoever looks for what is wrong.

    `settings` None where nothing can be told. `refused` names what was written and is not taken.
    """

    settings: Settings | None
    diagnostics: tuple[Diagnostic, ...]
    refused: frozenset[str] = frozenset()

    def knows(self, name: str) -> bool:
        """Whether that setting is what the file says, or truly the default."""
        return self.settings is not None and self.refused.isdisjoint({"", name.partition(".")[0], name})


def inspect_settings(directory: Path, environ: Mapping[str, str]) -> Inspection:
    """Settings and all that is wrong with them. Raises nothing for what `load_settings` refuses."""
    reader = SettingsReader(environ, {})
    try:
        settings = _load(reader, directory, offline=False, text=None)
    except InvalidInput as error:
        return Inspection(None, error.diagnostics)
    found = tuple(sorted(reader.diagnostics, key=_place))
    return Inspection(None if "" in reader.refused else settings, found, frozenset(reader.refused))


def _load(reader: SettingsReader, directory: Path, offline: bool, text: str | None) -> Settings:
    root = Path(os.path.abspath(directory))  # noqa: PTH100 - resolve() would follow links, and names would change
    reader.read(_file_bytes(root) if text is None else text.encode())
    return _build(reader, root, offline)


def allowed_hosts(environ: Mapping[str, str]) -> frozenset[str]:
    """Hosts that may get credentials beside the cloud's own, from STATETOOL_ALLOW_ENDPOINTS, in lower case."""
    hosts = [part.strip().lower() for part in environ.get(ALLOW_VARIABLE, "").split(",") if part.strip()]
    for host in hosts:
        if not is_host(host):
            message = f"must be host names with commas between, but holds {host[:100]!r}"
            raise InvalidInput([bad_variable(ALLOW_VARIABLE, message, "write names only: no scheme, port or path")])
    return frozenset(hosts)


def _hosts_allowed_by(reader: SettingsReader) -> frozenset[str]:
    """None where the variable is badly written: whoever needs it says so."""
    try:
        return allowed_hosts(reader.environ)
    except InvalidInput:
        return frozenset()


def _file_bytes(root: Path) -> bytes:
    """What stands in statetool.yaml. Raises InvalidInput where it can't be read."""
    path = root / CONFIG_FILE
    if not os.path.lexists(path):
        hint = "run `statetool init` there, or name the project's folder with --chdir"
        raise InvalidInput([Diagnostic("config_missing", f"there is no {CONFIG_FILE} in {root}", hint)])
    data = read_file(ManifestFile(path, CONFIG_FILE))
    if isinstance(data, Diagnostic):
        raise InvalidInput([data])
    return data


def _build(reader: SettingsReader, root: Path, offline: bool) -> Settings:
    region = reader.find("platform.region")
    endpoint, sandbox_path = _find_endpoint(reader, root, region.value if region else None, offline)
    region_name = region.value if region else _region_of(reader, endpoint)
    timezone, shared = _find_timezone(reader), reader.find("guards.freeze_from")
    parallelism, parallelism_of = _find_split(reader, "limits.parallelism")
    job_timeout_s, job_timeout_of = _find_split(reader, "limits.job_timeout_s")
    return Settings(
        root=root,
        mode=cast(Literal["apply", "observe"], reader.get("mode")),
        manage=_find_manage(reader),
        endpoint=endpoint,
        sandbox_path=sandbox_path,
        project_id=_find_project_id(reader, endpoint),
        region=region_name,
        auth=cast(AuthMode, reader.get("platform.auth")),
        iam_endpoint=_find_iam_endpoint(reader, endpoint, region_name),
        abort=cast(Literal["rollback", "rollback_current"], reader.get("platform.abort")),
        gray_rule_body=reader.get("platform.gray_rule_body"),
        state=find_places(reader, root, _hosts_allowed_by(reader)),
        manifests=tuple(root / location for location in reader.get("manifests")),
        parallelism=int(parallelism),
        parallelism_of=MappingProxyType({risk: int(number) for risk, number in parallelism_of.items()}),
        jobs_in_flight=reader.get("limits.jobs_in_flight"),
        reads_per_second=float(reader.get("limits.reads_per_second")),
        writes_per_minute=float(reader.get("limits.writes_per_minute")),
        max_failures=reader.get("limits.max_failures"),
        retries=reader.get("limits.retries"),
        job_timeout_s=float(job_timeout_s),
        job_timeout_of=MappingProxyType({verb: float(seconds) for verb, seconds in job_timeout_of.items()}),
        poll_interval_s=float(reader.get("limits.poll_interval_s")),
        quiet_period_s=float(reader.get("limits.quiet_period_s")),
        max_plan_age_s=_find_max_plan_age(reader),
        max_share=reader.get("guards.max_share"),
        max_scale_down=reader.get("guards.max_scale_down"),
        min_replicas=_find_limit(reader, "guards.min_replicas"),
        max_weight_step=_find_limit(reader, "guards.max_weight_step"),
        max_actions=_find_limit(reader, "guards.max_actions"),
        freeze=_find_freeze(reader, timezone),
        freeze_from=root / str(shared.value) if shared else None,
        timezone=timezone,
        origins=MappingProxyType(reader.origins),
    )


def _find_manage(reader: SettingsReader) -> tuple[str, ...]:
    """Applications that mode observe leaves open. In mode apply all are, so that a list would only seem to limit."""
    found = reader.find("manage")
    if found is None:
        return ()
    if reader.get("mode") == "apply" and reader.is_absent("mode"):
        hint = "write mode: observe to keep statetool from changing all others, or remove manage"
        reader.note("manage_without_observe", "manage says nothing in mode apply: everything is managed", hint, found)
    return tuple(str(name) for name in found.value)


def _find_endpoint(reader: SettingsReader, root: Path, region: str | None, offline: bool) -> tuple[str, Path | None]:
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
    problem = check_url(endpoint)
    if problem is not None:
        reader.note(*problem, found)
    return endpoint, None


def _region_of(reader: SettingsReader, endpoint: str) -> str | None:
    """The region that the platform's own host name holds."""
    region = region_of(endpoint)
    if region is not None:
        reader.origins["platform.region"] = reader.origins["platform.endpoint"]
    return region


def _find_iam_endpoint(reader: SettingsReader, endpoint: str, region: str | None) -> str:
    """IAM's address, as a variable says, with or without the path that other tools want; a served sandbox is its own
    IAM. No file of a project can name one."""
    for variable in IAM_VARIABLES:
        written = reader.environ.get(variable, "").strip()
        if written:
            address = written.rstrip("/").removesuffix("/v3").rstrip("/")
            if check_url(address) is not None:
                hint = "write https://iam.cn-north-4.myhuaweicloud.com/v3; plain http is for this machine only"
                reader.diagnostics.append(bad_variable(variable, "is not an address that can be used", hint))
            return address
    if is_loopback(endpoint):
        return endpoint
    return f"https://iam.{region}.{CLOUD_DOMAIN}" if region else ""


def _find_project_id(reader: SettingsReader, endpoint: str) -> str:
    """The project id, in the platform's lower case. A sandbox, in process or served, has one of its own."""
    found = reader.find("platform.project_id")
    if found is not None:
        return str(found.value).lower()
    if endpoint.startswith(_SANDBOX) or is_loopback(endpoint):
        return SANDBOX_PROJECT_ID
    return ""


def _find_max_plan_age(reader: SettingsReader) -> int:
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


def _find_split(reader: SettingsReader, name: str) -> tuple[float, dict[str, float]]:
    """A number for everything, or for what is not named, and the numbers of what is: of risks, or of verbs.

    A flag speaks for all of them.
    """
    everything: float = reader.get(name)
    if reader.origins[name] != "default":
        return everything, {}
    found: dict[str, float] = {key.rpartition(".")[2]: reader.get(key) for key in reader.names_under(name)}
    if "default" in found:
        reader.origins[name] = reader.origins.pop(f"{name}.default")
    return found.pop("default", everything), found


def _find_limit(reader: SettingsReader, name: str) -> int | None:
    """A limit that has no default: None means there is none."""
    found = reader.find(name)
    return int(found.value) if found else None


def _find_freeze(reader: SettingsReader, timezone: str | None) -> tuple[Window, ...]:
    reader.find("guards.freeze")  # for its origin
    node = reader.node("guards.freeze")
    windows, diagnostics = parse_windows(node, CONFIG_FILE, timezone) if node is not None else ((), [])
    reader.diagnostics.extend(diagnostics)
    return windows


def _find_timezone(reader: SettingsReader) -> str | None:
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


def _place(diagnostic: Diagnostic) -> tuple[int, int]:
    """What has no place in the file comes after what has one."""
    return (diagnostic.mark.line, diagnostic.mark.column) if diagnostic.mark else (2**31, 0)
