"""Golden errors: each folder under errors/ holds a project that is refused, and what a person then reads.

    manifests/           the files, as a person would write them
    options.yaml         optional: environ and variables (maps of name to text), files (a list, in the folder)
    expected.txt         all diagnostics, as `validate` prints them

Expected files are written anew with STATETOOL_UPDATE_GOLDEN=1; what changes by that is to be read aloud before it is
kept: does it say what, where, why and what to do?
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from statetool.errors import InvalidInput
from statetool.manifest.loader import load_manifests
from statetool.manifest.variables import Variables, load_variables
from statetool.render.diagnostics import render_diagnostics

ERRORS = Path(__file__).parent / "errors"
FOLDERS = sorted(path for path in ERRORS.iterdir() if path.is_dir())
UPDATE = os.environ.get("STATETOOL_UPDATE_GOLDEN") == "1"
PLACE = "/the/project"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is, to the letter, what the folder says."""
    monkeypatch.chdir(folder)
    options: dict[str, Any] = {}
    if Path("options.yaml").exists():
        options = yaml.safe_load(Path("options.yaml").read_text(encoding="utf-8"))
    assert {path.name for path in folder.iterdir()} - set(options.get("files", ())) <= {
        "manifests",
        "options.yaml",
        "expected.txt",
    }
    with pytest.raises(InvalidInput) as caught:
        load_manifests(folder, [Path("manifests")], variables=_variables(options))
    text = render_diagnostics(caught.value.diagnostics, color=False).replace(str(folder), PLACE) + "\n"
    expected = folder / "expected.txt"
    if UPDATE:
        expected.write_text(text, encoding="utf-8")
    wanted = expected.read_text(encoding="utf-8")
    if text != wanted:
        lines = difflib.unified_diff(wanted.splitlines(), text.splitlines(), f"{folder.name}/expected.txt", "now", n=2)
        pytest.fail("\n".join(lines), pytrace=False)


def _variables(options: dict[str, Any]) -> Variables:
    environ = {f"STATETOOL_VAR_{name}": text for name, text in options.get("environ", {}).items()}
    files = [Path(name) for name in options.get("files", ())]
    return load_variables(environ, files, list(options.get("variables", {}).items()))


def test_every_kind_of_error_of_bases_variables_and_deployments_is_shown() -> None:
    """A new one needs a text that somebody has read."""
    shown = "".join((folder / "expected.txt").read_text(encoding="utf-8") for folder in FOLDERS)
    for code in (
        *("base_not_found", "not_a_manifest", "outside_project", "empty_base", "several_documents", "extends_cycle"),
        *("extends_too_deep", "variable_in_extends", "duplicate_component", "weight_and_rules", "null_value"),
        *("undefined_variable", "bad_reference", "variable_in_key", "unused_variable", "unquoted_text", "line_break"),
        *("control_character", "full_width_character", "unreadable_file", "bad_name", "integer_too_large"),
        *("min_above_max", "field_without_version", "image_and_package", "bad_artifact", "bad_quantity"),
        *("request_above_limit", "batches_without_rolling", "batches_of_mirror", "rules_over_elb"),
        *("first_batch_too_large", "gray_needs_two_replicas", "out_of_range", "missing_key"),
    ):
        assert f"error[{code}]" in shown, code
