"""The first statetool.yaml of a project that takes over: all that is needed to find the platform, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from statetool.config import load_settings
from statetool.errors import InvalidInput, UsageError
from statetool.takeover import build_config

PROJECT = "00112233445566778899aabbccddeeff"
SERVED = "http://127.0.0.1:9000"
OTHER = "https://servicestage.example.com"
REGION = {"HW_REGION_NAME": "cn-north-4"}
SECRETS = {
    "HW_ACCESS_KEY": "ak-4711",
    "HW_SECRET_KEY": "sk-4711",
    "HW_AUTH_TOKEN": "token-4711",
    "HW_USER_PASSWORD": "word-4711",
}


@pytest.mark.parametrize(
    ("endpoint", "environ", "lines"),
    [
        (None, REGION, ["region: cn-north-4"]),
        (None, {**REGION, "HW_PROJECT_ID": PROJECT}, ["region: cn-north-4", f'project_id: "{PROJECT}"']),
        (OTHER, REGION, [f'endpoint: "{OTHER}"', "region: cn-north-4"]),
        (OTHER, {}, [f'endpoint: "{OTHER}"']),
        (SERVED, REGION, [f'endpoint: "{SERVED}"']),
        ("sandbox:world.db", REGION, ['endpoint: "sandbox:world.db"']),
        ('sandbox:a"b: c\\', {}, ['endpoint: "sandbox:a\\"b: c\\\\"']),
    ],
)
def test_what_is_needed_to_find_the_platform(
    tmp_path: Path, endpoint: str | None, environ: Mapping[str, str], lines: list[str]
) -> None:
    """The next run may come from another environment; what a sandbox does not need is left out."""
    text, settings = build_config(tmp_path, endpoint, {**environ, **SECRETS})
    platform = text.partition("platform:\n")[2].partition("\n\n")[0]
    assert platform.splitlines() == [f"  {line}" for line in lines]
    assert "4711" not in text
    (tmp_path / "statetool.yaml").write_text(text, encoding="utf-8")
    alone = load_settings(tmp_path, {}, {})
    assert (alone.endpoint, alone.sandbox_path, alone.managed) == (
        settings.endpoint,
        settings.sandbox_path,
        frozenset(),
    )
    assert alone.project_id == settings.project_id


def test_a_platform_that_nobody_names(tmp_path: Path) -> None:
    """Asked for before anything is written; and what is named badly is refused in the words of the configuration."""
    with pytest.raises(UsageError, match="which platform"):
        build_config(tmp_path, None, {})
    for endpoint in ("ftp://x", "http://example.com", "sandbox:"):
        with pytest.raises(InvalidInput):
            build_config(tmp_path, endpoint, {})
    assert list(tmp_path.iterdir()) == []
