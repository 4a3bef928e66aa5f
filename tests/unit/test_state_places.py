"""Where a state may be kept: what each backend has to be told, by whom, and who may have its credentials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from statetool.backends.places import BackendName, HttpPlace, PostgresPlace, S3Place, location_of
from statetool.config import Settings, inspect_settings, load_settings
from statetool.errors import Diagnostic, InvalidInput, StateError
from statetool.overview import build_overview
from statetool.render.settings import overview_to_document, render_overview

BARE = "version: 1\nplatform: {endpoint: 'sandbox:w'}\n"
GITLAB = {
    "TF_HTTP_ADDRESS": "https://git.example/api/v4/projects/42/terraform/state/shop",
    "TF_HTTP_LOCK_ADDRESS": "https://git.example/api/v4/projects/42/terraform/state/shop/lock",
    "TF_HTTP_UNLOCK_ADDRESS": "https://git.example/api/v4/projects/42/terraform/state/shop/lock",
    "TF_HTTP_LOCK_METHOD": "POST",
    "TF_HTTP_UNLOCK_METHOD": "DELETE",
    "TF_HTTP_USERNAME": "gitlab-ci-token",
    "TF_HTTP_PASSWORD": "glcbt-4711",
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "sk-4711", "AWS_SESSION_TOKEN": "st-4711"}
HTTP = "state: {backend: http, http: {address: 'https://git.example/s'}}\n"
S3 = "state: {backend: s3, s3: {bucket: team, key: shop, region: eu-central-1, endpoint: 'https://s3.example'}}\n"
POSTGRES = "state: {backend: postgres, postgres: {name: shop, url: 'postgresql://mei@db.example/team'}}\n"


def load(folder: Path, state: str, environ: Mapping[str, str] | None = None) -> Settings:
    return load_settings(folder, environ or {}, {}, text=BARE + state)


def refuse(folder: Path, state: str, environ: Mapping[str, str] | None = None) -> list[Diagnostic]:
    with pytest.raises(InvalidInput) as caught:
        load(folder, state, environ)
    return list(caught.value.diagnostics)


def test_gitlab_tells_everything_in_the_environment(tmp_path: Path) -> None:
    """The job template's variables are enough: only the backend's name stands in the file."""
    settings = load(tmp_path, "state: {backend: http}\n", GITLAB)
    place = settings.place_of(settings.state.backend)
    assert isinstance(place, HttpPlace)
    assert place.password is not None and place.password.reveal() == "glcbt-4711"
    assert (place.address, place.lock_address, place.unlock_address) == (
        GITLAB["TF_HTTP_ADDRESS"],
        GITLAB["TF_HTTP_LOCK_ADDRESS"],
        GITLAB["TF_HTTP_UNLOCK_ADDRESS"],
    )
    assert (place.lock_method, place.unlock_method, place.update_method) == ("POST", "DELETE", "POST")
    assert place.username == "gitlab-ci-token"
    assert settings.origins["state.http.address"] == "environment TF_HTTP_ADDRESS"
    assert settings.origins["state.http.update_method"] == "default"


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    """As for every other setting."""
    settings = load(tmp_path, S3, {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:8333/", **KEYS})
    place = settings.place_of("s3")
    assert isinstance(place, S3Place)
    assert (place.region, place.endpoint, place.access_key) == ("eu-west-1", "http://127.0.0.1:8333", "AKIA")
    assert place.session_token is not None and place.session_token.reveal() == "st-4711"
    assert settings.origins["state.s3.bucket"] == "statetool.yaml:3:35"


def test_other_places_may_stand_there_for_a_migration(tmp_path: Path) -> None:
    """Whatever is in use: they are checked as well, and one that is not described has no place."""
    settings = load(tmp_path, "state: {postgres: {name: shop}}\n")
    assert settings.state.backend == "local"
    assert settings.place_of("postgres") == PostgresPlace("postgresql://", "shop", "statetool")
    with pytest.raises(StateError) as caught:
        settings.place_of("s3")
    assert caught.value.code == "backend_not_configured"
    assert caught.value.hint is not None and "bucket, key and region" in caught.value.hint


@pytest.mark.parametrize(
    ("state", "code", "place"),
    [
        ("state: {backend: http}\n", "missing_key", "3:18"),
        ("state: {backend: postgres}\n", "missing_key", "3:18"),
        ("state: {backend: s3}\n", "missing_key", "3:18"),
        ("state: {backend: s3, s3: {key: shop, region: r}}\n", "missing_key", "3:26"),
        ("state: {backend: s3, s3: {bucket: team, key: shop}}\n", "missing_key", "3:35"),
        ("state: {s3: {bucket: team, key: shop}}\n", "missing_key", "3:22"),
        ("state: {backend: http, http: {}}\n", "missing_key", "3:30"),
        ("state: {http: {lock_method: lock, address: 'https://g.example'}}\n", "bad_method", "3:29"),
        ("state: {s3: {bucket: Team, key: shop, region: r}}\n", "bad_name", "3:22"),
        ("state: {s3: {bucket: team, key: ../shop/, region: r}}\n", "bad_name", "3:33"),
        ("state: {s3: {bucket: team, key: shop, region: evil.example/}}\n", "bad_region", "3:47"),
        ("state: {http: {address: 'https://u:pw-4711@git.example/s'}}\n", "password_in_url", "3:25"),
        ("state: {http: {address: 'http://git.example/s'}}\n", "plain_http", "3:25"),
        ("state: {http: {address: 'https://git.example/s?token=pw-4711'}}\n", "bad_address", "3:25"),
        ("state: {http: {address: 'https://git.example#@evil.example/'}}\n", "password_in_url", "3:25"),
        ("state: {http: {address: 'https://git.example\\@evil.example/'}}\n", "password_in_url", "3:25"),
        ("state: {s3: {bucket: team, key: k, region: r, endpoint: 'https://s3.example/x'}}\n", "bad_address", "3:57"),
        ("state: {postgres: {name: s, url: 'postgresql://m:pw-4711@db/t'}}\n", "password_in_url", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://db/t?password=pw-4711'}}\n", "password_in_url", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://db/t?p%61ssword=pw-4711'}}\n", "password_in_url", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://db/t?hostaddr=192.0.2.1'}}\n", "bad_address", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://db/t?service=pw-4711'}}\n", "bad_address", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://evil.example#@localhost/t'}}\n", "bad_address", "3:34"),
        ("state: {postgres: {name: s, url: 'postgresql://localhost%2Cevil.example/t'}}\n", "bad_address", "3:34"),
        ("state: {postgres: {name: s, url: 'host=db password=pw-4711'}}\n", "bad_address", "3:34"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, state: str, code: str, place: str) -> None:
    """One diagnostic, and never what stands in an address: it may be a secret."""
    found = refuse(tmp_path, state)
    assert [(d.code, str(d.mark)) for d in found] == [(code, f"statetool.yaml:{place}")]
    assert all(d.hint and "4711" not in d.message + d.hint for d in found)


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({**GITLAB, "TF_HTTP_ADDRESS": "https://u:pw-4711@git.example/s"}, "password_in_url"),
        ({**GITLAB, "TF_HTTP_LOCK_METHOD": "post!"}, "bad_environment"),
        ({**GITLAB, "TF_HTTP_PASSWORD": "\udcff"}, "bad_environment"),
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "bad_environment"),
    ],
)
def test_what_is_wrong_in_the_environment(tmp_path: Path, environ: dict[str, str], code: str) -> None:
    """Said of the variable, without its value."""
    found = refuse(tmp_path, HTTP if "TF_HTTP_ADDRESS" in environ else S3, environ)
    assert [d.code for d in found] == [code]
    assert "4711" not in found[0].message


TRUSTED: list[tuple[BackendName, str, dict[str, str]]] = [
    ("http", HTTP, {}),  # nothing is sent along
    ("http", HTTP, {"TF_HTTP_PASSWORD": "x", "STATETOOL_ALLOW_ENDPOINTS": "git.example"}),
    ("http", HTTP, {"TF_HTTP_PASSWORD": "x", "CI_SERVER_HOST": "git.example"}),
    ("http", HTTP.replace("git.example", "127.0.0.1:8080"), {"TF_HTTP_PASSWORD": "x"}),
    ("http", "state: {backend: http}\n", GITLAB),
    ("s3", S3, {**KEYS, "STATETOOL_ALLOW_ENDPOINTS": "other.example, s3.example"}),
    ("s3", S3, {**KEYS, "AWS_ENDPOINT_URL": "https://s3.example:9000"}),
    ("s3", S3.replace(", endpoint: 'https://s3.example'", ""), KEYS),
    ("s3", S3.replace("s3.example", "s3.eu-central-1.amazonaws.com"), KEYS),
    ("s3", S3.replace("s3.example", "obs.cn-north-4.myhuaweicloud.com"), KEYS),
    ("s3", S3.replace("s3.example", "localhost"), KEYS),
    ("postgres", POSTGRES, {"PGHOST": "other.example,db.example"}),
    ("postgres", POSTGRES, {"STATETOOL_ALLOW_ENDPOINTS": "db.example"}),
    ("postgres", POSTGRES.replace("mei@db.example/team", ""), {}),
    ("postgres", POSTGRES.replace("mei@db.example/team", "mei:@/t?host=/run/postgresql"), {}),
    ("postgres", POSTGRES.replace("mei@db.example/team", "mei@%2Frun%2Fpostgresql/t"), {}),
    ("postgres", POSTGRES.replace("mei@db.example/team", "mei@[::1]:5432/t"), {}),
]


@pytest.mark.parametrize(("name", "state", "environ"), TRUSTED)
def test_who_may_have_credentials(tmp_path: Path, name: BackendName, state: str, environ: dict[str, str]) -> None:
    """This machine, whom the environment itself names, and the stores of the two clouds."""
    assert location_of(load(tmp_path, state, environ).place_of(name))


FOREIGN: list[tuple[BackendName, str, dict[str, str], str]] = [
    ("http", HTTP, {"TF_HTTP_PASSWORD": "x"}, "git.example"),
    ("http", HTTP, {"TF_HTTP_USERNAME": "x", "STATETOOL_ALLOW_ENDPOINTS": "evil-git.example"}, "git.example"),
    (
        "http",
        "state: {backend: http, http: {address: 'https://127.0.0.1/s', lock_address: 'https://evil.example/s'}}\n",
        {"TF_HTTP_PASSWORD": "x"},
        "evil.example",
    ),
    ("s3", S3, KEYS, "s3.example"),
    ("s3", S3, {**KEYS, "CI_SERVER_HOST": "s3.example"}, "s3.example"),
    ("s3", S3.replace("s3.example", "evil-myhuaweicloud.com"), KEYS, "evil-myhuaweicloud.com"),
    (
        "s3",
        S3.replace("s3.example", "s3abc.execute-api.eu-central-1.amazonaws.com"),
        KEYS,
        "s3abc.execute-api.eu-central-1.amazonaws.com",
    ),
    ("postgres", POSTGRES, {"PGPASSWORD": "x"}, "db.example"),
    ("postgres", POSTGRES, {"PGHOST": "other.example"}, "db.example"),
    ("postgres", POSTGRES.replace("db.example", "127.0.0.1,evil.example"), {}, "evil.example"),
    ("postgres", POSTGRES.replace("db.example/team", "localhost/t?host=evil.example"), {}, "evil.example"),
]


@pytest.mark.parametrize(("name", "state", "environ", "host"), FOREIGN)
def test_a_proposed_change_gets_no_credentials(
    tmp_path: Path, name: BackendName, state: str, environ: dict[str, str], host: str
) -> None:
    """A host that stands in the file only is refused before anything is opened; the hint says how to trust it."""
    settings = load(tmp_path, state, environ)
    with pytest.raises(StateError) as caught:
        settings.place_of(name)
    assert caught.value.code == "endpoint_refused"
    assert host in caught.value.message
    assert caught.value.hint is not None and f"STATETOOL_ALLOW_ENDPOINTS={host}" in caught.value.hint


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Not of the environment of three backends, in no view of the settings, nor in their repr."""
    text = BARE + "state:\n  backend: s3\n  s3: {bucket: team, key: shop, region: r}\n  postgres: {name: shop}\n"
    (tmp_path / "statetool.yaml").write_text(text)
    environ = {**GITLAB, **KEYS, "PGPASSWORD": "pg-4711"}
    overview = build_overview(tmp_path, environ)
    shown = f"{overview} {render_overview(overview)} {overview_to_document(overview, '0.1.0')}"
    shown += repr(load_settings(tmp_path, environ, {}))
    assert "4711" not in shown
    rows = {row.name: (row.value, row.origin) for row in overview.settings}
    assert rows["state.s3.endpoint"] == (None, "from state.s3.region")
    assert rows["state.http.address"] == (GITLAB["TF_HTTP_ADDRESS"], "environment TF_HTTP_ADDRESS")
    assert rows["state.postgres.schema"] == ("statetool", "default")
    assert (overview.state_credentials.value, overview.state_location) == ("temporary_access_key", "s3://team/shop")


def test_settings_that_are_wrong_elsewhere_keep_their_place(tmp_path: Path) -> None:
    """For whoever looks for what is wrong: a bad limit says nothing about the state."""
    (tmp_path / "statetool.yaml").write_text(BARE + "limits: {parallelism: 0}\nstate: {postgres: {name: shop}}\n")
    inspection = inspect_settings(tmp_path, {})
    assert inspection.settings is not None
    assert set(inspection.settings.state.places) == {"local", "postgres"}
