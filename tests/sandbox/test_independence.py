"""The sandbox reads the platform's facts on its own: it knows nothing of the rest of statetool."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import statetool.sandbox

FILES = sorted(Path(statetool.sandbox.__file__).parent.glob("**/*.py"))


def imported(path):
    """The full names of all modules a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only, so that this test sees them"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_nothing_of_statetool(path):
    """Inside the package only; and the heavy libraries where they belong."""
    homes = {
        "yaml": {"seedfile.py"},
        "httpx": {"control.py", "transport.py"},
        "starlette": {"app.py"},
        "uvicorn": {"server.py"},
    }
    for name in imported(path):
        top = name.partition(".")[0]
        assert top != "statetool" or name.startswith("statetool.sandbox")
        assert path.name in homes.get(top, {path.name})


def test_importing_it_is_cheap():
    """No web server, HTTP client or YAML until one is needed."""
    code = "import sys, statetool.sandbox; print({'yaml', 'httpx', 'starlette', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
