"""Where the state may be kept: the section `state` of statetool.yaml, the environment, and whom credentials may reach.

Owns the places of all four backends with their credentials, which stand in the environment only, and the rule that no
file of a project decides alone where these are sent: whoever edits statetool.yaml in a pull request gets nothing.
It must not open a place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import unquote

from statetool.backends.places import BackendName, HttpPlace, LocalPlace, Place, PostgresPlace, S3Place
from statetool.config_reader import CONFIG_FILE, SettingsReader, bad_variable
from statetool.core.model import Secret
from statetool.endpoints import host_of, is_host, is_loopback_host
from statetool.errors import StateError

_NEEDED: Mapping[BackendName, str] = {
    "http": "address (or set TF_HTTP_ADDRESS in the environment, and no section is needed)",
    "postgres": "name, and url (or PGHOST and its like in the environment)",
    "s3": "bucket, key and region",
}
_OWN_HOSTS: Mapping[BackendName, tuple[str, ...]] = {
    "http": ("TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS", "CI_SERVER_HOST"),
    "postgres": ("PGHOST",),
    "s3": ("AWS_ENDPOINT_URL",),
}
"""Variables whose hosts the environment itself trusts with credentials of that backend."""
# Not all of amazonaws.com: names of machines and functions that anybody can rent are below it too.
_CLOUD_STORE = re.compile(
    r"s3(-fips)?(\.dualstack)?(\.[a-z]{2}(-[a-z]+)+-[0-9]{1,2})?\.amazonaws\.com(\.cn)?"
    r"|([a-z0-9-]+\.)+myhuaweicloud\.com"
)
# Narrower than a URL may be, so that no two parsers can disagree about the host.
_WEB_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(?P<path>(/[\w.~!$&'()*+,;=:%-]*)*)",
    re.ASCII,
)
_DATABASE = re.compile(
    r"postgres(ql)?://((?P<user>[^/@?#:\s\\]*)(:(?P<password>[^/@?#\s\\]*))?@)?(?P<hosts>[\w.,:%\[\]-]*)"
    r"(/[\w.~%-]*)?(\?(?P<query>[^#\s\\]*))?",
    re.ASCII,
)
_DATABASE_PARAMETERS = frozenset(
    {
        "application_name",
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "host",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "port",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
        "user",
    }
)
"""What may stand behind the `?`. Others could name another host, or another file with passwords."""


@dataclass(frozen=True, slots=True)
class StatePlaces:
    """The places that are known, and whose backend is in use.

    `refused` has, by backend, a host that only the file names and nobody trusts with credentials.
    """

    backend: BackendName
    places: Mapping[BackendName, Place]
    refused: Mapping[BackendName, str] = field(default_factory=dict)

    def place_of(self, name: BackendName) -> Place:
        """The place of that backend. Raises StateError where it is not configured, or must not have credentials."""
        if name not in self.places:
            raise StateError(
                f"the backend {name} is not configured",
                code="backend_not_configured",
                hint=f"write a section {name}: below state: in {CONFIG_FILE}, with {_NEEDED[name]}",
            )
        if name in self.refused:
            host = self.refused[name]
            raise StateError(
                f"credentials are not sent to {host}: only state.{name} in {CONFIG_FILE} names it, which anybody can "
                "edit who may propose a change",
                code="endpoint_refused",
                hint=f"where that host is to be trusted, set STATETOOL_ALLOW_ENDPOINTS={host} in the environment",
            )
        return self.places[name]


def find_places(reader: SettingsReader, root: Path, allowed: Collection[str]) -> StatePlaces:
    """Every place that file and environment describe whole; what is wrong with one is noted in the reader.

    `allowed` are hosts that may have credentials whatever the file says.
    """
    backend = reader.find("state.backend")
    chosen = cast(BackendName, backend.value if backend else "local")
    places: dict[BackendName, Place] = {"local": LocalPlace(root / str(reader.get("state.path")))}
    refused: dict[BackendName, str] = {}
    for name, find in _FINDERS.items():
        section = f"state.{name}"
        in_environment = name == "http" and bool(reader.environ.get("TF_HTTP_ADDRESS", "").strip())
        is_told = in_environment or reader.section(section) is not None
        if name != chosen and not is_told:
            reader.find(section)  # for its origin: it is not set
            continue
        place = find(reader)
        if place is not None:
            places[name] = place
            foreign = _find_foreign(place, name, reader.environ, allowed)
            refused |= {name: foreign} if foreign is not None else {}
        elif not is_told and reader.is_absent(section):
            message = f"backend {name} needs a section state.{name}"
            reader.note("missing_key", message, f"write it, with {_NEEDED[name]}", backend)
    return StatePlaces(chosen, places, refused)


# --- what each backend has to be told --------------------------------------------------------------------------------


def _find_http(reader: SettingsReader) -> HttpPlace | None:
    names = ("address", "lock_address", "unlock_address")
    address, lock_address, unlock_address = (_find_address(reader, f"state.http.{name}", "http") for name in names)
    lock_method, unlock_method, update_method = (
        str(reader.get(f"state.http.{name}_method")) for name in ("lock", "unlock", "update")
    )
    section = reader.section("state.http")
    if reader.origins["state.http.address"] == "default" and section and reader.is_absent("state.http.address"):
        hint = "write the state's address, or set TF_HTTP_ADDRESS"
        reader.note("missing_key", "state.http lacks the key address", hint, section)
    if address is None:
        return None
    return HttpPlace(
        address,
        lock_address,
        unlock_address,
        lock_method,
        unlock_method,
        update_method,
        username=_find_text(reader, "TF_HTTP_USERNAME"),
        password=_find_secret(reader, "TF_HTTP_PASSWORD"),
    )


def _find_postgres(reader: SettingsReader) -> PostgresPlace | None:
    name, schema, url = (reader.find(f"state.postgres.{key}") for key in ("name", "schema", "url"))
    assert schema is not None and url is not None  # they have defaults
    problem = _check_database(str(url.value))
    if problem is not None:
        reader.note(*problem, url)
    if name is None or problem is not None:
        return None
    return PostgresPlace(str(url.value), str(name.value), str(schema.value))


def _find_s3(reader: SettingsReader) -> S3Place | None:
    bucket, key, region = (reader.find(f"state.s3.{name}") for name in ("bucket", "key", "region"))
    endpoint = _find_address(reader, "state.s3.endpoint", "s3")
    if bucket is None or key is None:
        return None  # the schema says it
    if region is None:
        if reader.is_absent("state.s3.region"):
            reader.note("missing_key", "state.s3 lacks the key region", "write it, or set AWS_REGION", bucket)
        return None
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    access_key, secret_key = (_find_text(reader, variable) for variable in variables)
    if bool(access_key) != bool(secret_key):
        there, missing = variables if access_key else reversed(variables)
        reader.diagnostics.append(bad_variable(missing, f"is missing beside {there}", f"set {missing} too"))
    return S3Place(
        str(bucket.value),
        str(key.value),
        str(region.value),
        endpoint,
        access_key,
        Secret(secret_key) if secret_key else None,
        _find_secret(reader, "AWS_SESSION_TOKEN"),
    )


_FINDERS: Mapping[BackendName, Callable[[SettingsReader], Place | None]] = {
    "http": _find_http,
    "postgres": _find_postgres,
    "s3": _find_s3,
}


def _find_secret(reader: SettingsReader, variable: str) -> Secret | None:
    text = _find_text(reader, variable)
    return Secret(text) if text else None


def _find_text(reader: SettingsReader, variable: str) -> str | None:
    text = reader.environ.get(variable, "").strip()
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        hint = "set it again in a UTF-8 terminal"
        reader.diagnostics.append(bad_variable(variable, "holds bytes that are not UTF-8", hint))
        return None
    return text or None


def _find_address(reader: SettingsReader, name: str, backend: BackendName) -> str | None:
    found = reader.find(name)
    if found is None:
        return None
    address = str(found.value).rstrip("/")
    problem = _check_web_address(name, address, has_path=backend == "http")
    if problem is None:
        return address
    reader.note(*problem, found)
    return None


def _check_web_address(name: str, address: str, *, has_path: bool) -> tuple[str, str, str] | None:
    """Code, message and hint for an address that can't be used. What stands in it is not shown: it may be a secret."""
    if re.match(r"[^/]*//[^/]*@", address):
        variables = "TF_HTTP_USERNAME and TF_HTTP_PASSWORD" if has_path else "AWS_ACCESS_KEY_ID and its companions"
        return "password_in_url", f"{name} holds credentials", f"set {variables}, and change what stood in the file"
    match = _WEB_ADDRESS.fullmatch(address)
    shape = "write https://HOST/PATH" if has_path else "write https://HOST"
    if match is None or not is_host(host_of(address)) or (match["path"] and not has_path):
        return "bad_address", f"{name} is not an address that can be used", f"{shape}, without query or fragment"
    if match["scheme"] == "http" and not is_loopback_host(host_of(address)):
        return "plain_http", f"{name} is plain http: it would show credentials to everybody on the way", shape
    return None


def _check_database(url: str) -> tuple[str, str, str] | None:
    """The same for the URL of a database."""
    name, match = "state.postgres.url", _DATABASE.fullmatch(url)
    shape = "write postgresql://USER@HOST:PORT/DATABASE"
    if match is None:
        return "bad_address", f"{name} is not an address that can be used", shape
    parameters = dict(_parameters(match["query"]))
    if match["password"] or "password" in parameters:
        hint = "set PGPASSWORD, or name a file in PGPASSFILE, and change the password that stood in the file"
        return "password_in_url", f"{name} holds a password", hint
    unknown = sorted(parameters.keys() - _DATABASE_PARAMETERS)
    if unknown:
        hint = "known here: " + ", ".join(sorted(_DATABASE_PARAMETERS))
        return "bad_address", f"{name} holds the parameter {unknown[0][:50]!r}, which is not taken", hint
    if not all(_is_socket(host) or is_host(host) for host in _database_hosts(url)):
        return "bad_address", f"{name} names a host that is none", shape
    return None


def _parameters(query: str | None) -> Iterator[tuple[str, str]]:
    for pair in (query or "").split("&"):
        key, _, value = pair.partition("=")
        if key:
            yield unquote(key), unquote(value)


def _database_hosts(url: str) -> list[str]:
    """Every host that libpq could take from this URL, in lower case; a folder of sockets as it is written."""
    match = _DATABASE.fullmatch(url)
    assert match is not None
    written = [re.sub(r":[0-9]*$", "", unquote(part)) for part in match["hosts"].split(",")]
    written += [host for key, value in _parameters(match["query"]) if key == "host" for host in value.split(",")]
    return [host if _is_socket(host) else host.strip("[]").lower() for host in written if host]


def _is_socket(host: str) -> bool:
    return host.startswith("/")


# --- whom credentials may reach --------------------------------------------------------------------------------------


def _find_foreign(place: Place, name: BackendName, environ: Mapping[str, str], allowed: Collection[str]) -> str | None:
    """The first host that would get credentials and must not; None where all may have them."""
    trusted = {host.rstrip(".").lower() for host in (*allowed, *_own_hosts(name, environ))}
    for host in _hosts_of(place):
        bare = host.rstrip(".")
        is_store = name == "s3" and _CLOUD_STORE.fullmatch(bare) is not None
        if not (_is_socket(host) or is_loopback_host(bare) or bare in trusted or is_store):
            return host
    return None


def _hosts_of(place: Place) -> list[str]:
    if isinstance(place, HttpPlace) and (place.username or place.password):
        return [host_of(a) for a in (place.address, place.lock_address, place.unlock_address) if a]
    if isinstance(place, S3Place) and place.endpoint:
        return [host_of(place.endpoint)]
    # libpq finds passwords and certificates in places of its own: whether there are any can't be told from here.
    return _database_hosts(place.url) if isinstance(place, PostgresPlace) else []


def _own_hosts(name: BackendName, environ: Mapping[str, str]) -> Iterator[str]:
    for variable in _OWN_HOSTS[name]:
        for part in environ.get(variable, "").split(","):
            written = part.strip()
            host = host_of(written) if "//" in written else written
            if host:
                yield host
