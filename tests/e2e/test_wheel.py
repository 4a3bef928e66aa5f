"""The wheel works outside the clone: it carries the schemas and the example of the demo, and finds its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from e2e_project import CLONE, EXAMPLES

WORKS_ALONE = """
import sys
import statetool
from statetool.cli import main
assert statetool.__file__.startswith(sys.argv[1]), statetool.__file__
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what the clone has, so that nothing is left behind in it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("statetool", "schemas", "examples"):
        shutil.copytree(CLONE / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".statetool"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CLONE / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files in a folder of their own, as pip puts them; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_wheel_holds_what_it_needs_and_nothing_else(wheel: Path) -> None:
    """All modules, the schemas and the demo's example inside the package; no tests, no worlds, no state."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (CLONE / "statetool").rglob("*.py"):
        assert path.relative_to(CLONE).as_posix() in names
    for path in (CLONE / "schemas").iterdir():
        assert f"statetool/schemas/{path.name}" in names
    assert {"statetool/py.typed", "statetool/examples/quickstart/statetool.yaml"} <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top.partition("-")[0] for top in tops} == {"statetool"}
    assert not [name for name in names if ".statetool/" in name or "__pycache__" in name]


@pytest.mark.parametrize("arguments", [("schema", "manifest"), ("validate",), ("plan",)], ids=" ".join)
def test_the_package_of_the_wheel_works_alone(installed: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Far from the clone, and with the package of the wheel, not that of the clone: on an example that was copied."""
    project = tmp_path / "boutique"
    shutil.copytree(EXAMPLES / "online-boutique", project, ignore=shutil.ignore_patterns(".statetool"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", WORKS_ALONE, str(installed)]
    if arguments == ("plan",):
        subprocess.run([*command, "sandbox", "seed", "seed.yaml"], cwd=project, env=environment, check=True)
    done = subprocess.run(
        [*command, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if arguments[0] == "schema":
        assert json.loads(done.stdout) == json.loads((CLONE / "schemas/manifest.schema.json").read_text("utf-8"))
    else:
        assert "Valid: 11 components." in done.stdout or "8 actions" in done.stdout
