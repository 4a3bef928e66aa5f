"""The README is the front door: every command of its tutorial runs, and what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from e2e_nursery import program_folder

from statetool.cli import COMMANDS
from statetool.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text from a heading to the next of its level."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert match is not None, f"README has no section {title}"
    return match[1]


def tutorial_commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", section("Ten minutes"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def run_in_clone(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where the clone's examples are, with an `activate` that finds this interpreter's statetool."""
    (folder / "examples").symlink_to(ROOT / "examples")
    activate = folder / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'PATH="{program_folder()}:{Path(sys.executable).parent}:$PATH"\n')
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=120,
        check=False,
    )


def test_every_command_of_the_tutorial_runs(tmp_path: Path) -> None:
    """In order, in one shell, exactly as written; the outputs are what the text around them says."""
    commands = tutorial_commands()
    script = "\n".join(f"echo '@@{n}'\n{command}" for n, command in enumerate(commands))
    done = run_in_clone(tmp_path, script)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"^@@\d+\n", done.stdout, flags=re.MULTILINE)[1:]
    outputs = list(zip(commands, parts, strict=True))
    plans = [output for command, output in outputs if command == "statetool plan"]
    assert plans[0].startswith("statetool will perform the following actions:")
    assert plans[1].startswith("No changes.")
    assert "Changed outside, left alone (1):" in plans[2]
    assert plans[3].startswith("No changes.")
    assert "fold_needed" in plans[4]
    assert any("#1 upgrade  version=3.1.0 weight=5" in output for _, output in outputs)
    assert plans[5].startswith("No changes.")
    refused = next(output for command, output in outputs if "exit code" in command)
    assert "version_rejected" in refused
    assert refused.endswith(f"exit code {ExitCode.DENIED.value}\n")


def test_the_plan_at_the_top_is_the_plan_of_the_quickstart(tmp_path: Path) -> None:
    """What the first screen shows is what the tool prints, to the letter."""
    script = (
        ". .venv/bin/activate; cp -r examples/quickstart shop; cd shop;"
        "statetool sandbox seed seed.yaml >/dev/null; statetool plan"
    )
    assert run_in_clone(tmp_path, script).stdout == README.split("```")[1].removeprefix("\n")


def test_the_manifest_of_the_reference_is_one(tmp_path: Path) -> None:
    """Every field that it shows is known, and stands together with the others as it may."""
    manifest = section("Manifest").split("```yaml\n")[1].partition("```")[0]
    script = (
        ". .venv/bin/activate; cp -r examples/quickstart shop; cd shop;"
        f"cat > manifests/shop.yaml <<'END'\n{manifest}\nEND\n statetool validate"
    )
    done = run_in_clone(tmp_path, script)
    assert done.stdout.startswith("Valid"), done.stdout + done.stderr


def test_every_command_and_exit_code_is_in_the_reference() -> None:
    """A command or code that is added has to be explained."""
    commands = section("Commands")
    for name in COMMANDS:
        assert f"`{name}" in commands, name
    for code in ExitCode:
        assert f"| {code.value} |" in commands, code


def test_links_lead_somewhere() -> None:
    """Links inside the repository point at files that exist."""
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / target).exists(), target
