"""Commands load what they need and no more: the quick ones are asked for at every prompt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import statetool

HEAVY = ("yaml", "httpx", "rich", "deepdiff", "jsonschema", "starlette", "uvicorn", "asyncio", "sqlite3")

SCRIPT = """
import json, sys
from statetool.cli import main
code = main(sys.argv[1:])
sys.stderr.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def loaded_by(folder: Path, *arguments: str, code: int = 0, environ: Mapping[str, str] | None = None) -> set[str]:
    """The heavy modules that a fresh process has loaded when the command is done."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(Path(statetool.__file__).parents[1]), **(environ or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == code
    return set(HEAVY) & set(report["modules"])


@pytest.mark.parametrize(
    "arguments",
    [("version",), ("version", "--json"), ("--version",), ("--help",)],
    ids=" ".join,
)
def test_quick_commands_load_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Neither the network, nor YAML, nor anything for looks."""
    assert loaded_by(tmp_path, *arguments) == set()


def test_what_is_offline_loads_no_network(tmp_path: Path) -> None:
    """`validate` reads YAML; it talks to nobody and draws nothing."""
    (tmp_path / "statetool.yaml").write_text("version: 1\nplatform: {endpoint: 'sandbox:world.db'}\n")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "a.yaml").write_text("application: shop\ncomponents: {cart: {replicas: 1}}\n")
    loaded = loaded_by(tmp_path, "validate")
    assert loaded >= {"yaml"}
    assert not loaded & {"httpx", "starlette", "uvicorn", "sqlite3", "rich", "deepdiff"}


def asked(words: str) -> dict[str, str]:
    """The variables of a shell that completes the last of these words."""
    return {"_STATETOOL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


@pytest.mark.parametrize("words", ["statetool ", "statetool st", "statetool --", "statetool completion "])
def test_completing_a_command_loads_nothing_heavy(tmp_path: Path, words: str) -> None:
    """It happens at a key press; the commands themselves stay unloaded."""
    assert loaded_by(tmp_path, environ=asked(words)) == set()


@pytest.mark.parametrize("words", ["statetool plan --", "statetool state show ", "statetool rollout clear "])
def test_completing_within_a_command_loads_no_more_than_its_options_take(tmp_path: Path, words: str) -> None:
    """Neither the network, nor the check of a configuration, nor anything for looks."""
    (tmp_path / "statetool.yaml").write_text("version: 1\nstate: {path: kept.json}\n")
    (tmp_path / "kept.json").write_text('{"components": {"shop/cart": {}}}')
    assert loaded_by(tmp_path, environ=asked(words)) <= {"yaml", "asyncio"}
