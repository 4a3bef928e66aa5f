"""Files that are damaged, foreign, too new, too large or not files at all: an exit code, a sentence, no traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_project import Done, ProjectFolder

from statetool.planfile import read_plan, write_plan

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      pay: {version: 3.0.1, replicas: 2}
"""
MANIFEST = "application: shop\ncomponents:\n  cart: {replicas: 6}\n  pay: {replicas: 3}\n"
READING = (("plan",), ("drift",), ("show",), ("state", "list"), ("state", "pull"), ("state", "show", "shop/cart"))
WRITING = (("apply", "--auto-approve"), ("rollout", "clear", "shop/cart", "1.4.2", "--reason", "x"))


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A shop with two components to scale."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    return project


@pytest.fixture
def applied(shop: ProjectFolder) -> ProjectFolder:
    """The same, applied: there is a state, and nothing to do."""
    shop.call("apply", "--auto-approve")
    return shop


def state_path(project: ProjectFolder) -> Path:
    return project.root / ".statetool/state.json"


def identity(path: Path) -> tuple[int, int, int, int]:
    """Which file stands there, and when it was last written; links are not followed."""
    entry = path.lstat()
    return entry.st_ino, entry.st_mode, entry.st_size, entry.st_mtime_ns


def ensure_refused(refused: Done, code: str, *parts: str) -> None:
    """One error with this code and these words, a hint below it, and nothing on stdout."""
    assert f"error[{code}]" in refused.err
    assert refused.out == ""
    for part in parts:
        assert part in refused.err


# State


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _binary(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 500)


def _other_json(path: Path) -> None:
    path.write_text('{"version": 4, "terraform_version": "1.9.0", "serial": 3}', encoding="utf-8")


def _newer_major(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"format_version": "1.0"', '"format_version": "2.0"'))


def _deep(path: Path) -> None:
    path.write_text("[" * 200_000)


def _wrong_type(path: Path) -> None:
    path.write_text(re.sub(r'"serial": \d+', '"serial": "seven"', path.read_text(encoding="utf-8")))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _symlink(path: Path) -> None:
    path.rename(path.with_name("real.json"))
    path.symlink_to("real.json")


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = (
    _truncate,
    _empty,
    _binary,
    _other_json,
    _newer_major,
    _deep,
    _wrong_type,
    _folder,
    _symlink,
    _loop,
    _pipe,
)


@pytest.mark.parametrize("change", DAMAGES, ids=lambda change: change.__name__.strip("_"))
def test_a_state_that_is_none_is_refused_by_every_command(
    applied: ProjectFolder, change: Callable[[Path], None]
) -> None:
    """Exit 1 everywhere, naming the file; nothing is sent, and the file stays as it is for a person to look at."""
    change(state_path(applied))
    before = identity(state_path(applied))
    sent = applied.log()
    for command in (*READING, *WRITING):
        ensure_refused(applied.call(*command, code=1), "state_unreadable", str(state_path(applied)))
    assert applied.call("plan", "--json", code=1).codes == ["state_unreadable"]
    assert applied.log() == sent
    assert identity(state_path(applied)) == before


def test_the_previous_serial_repairs_a_damaged_state(applied: ProjectFolder) -> None:
    """The hint names it; with it in place the next apply converges."""
    applied.edit("manifests/shop.yaml", "cart: {replicas: 6}", "cart: {replicas: 5}")
    applied.call("apply", "--auto-approve")
    _truncate(state_path(applied))
    refused = applied.run("plan", code=1)
    backup = state_path(applied).with_name("state.json.backup")
    assert str(backup) in refused.err
    backup.rename(state_path(applied))
    applied.run("apply", "--auto-approve")
    applied.ensure_settled()


def test_a_rescue_file_has_to_be_dealt_with(applied: ProjectFolder) -> None:
    """What writes the state refuses to go on, with the command that takes it over; that command helps."""
    newer = applied.state
    newer["serial"] += 1
    rescue = applied.write(f".statetool/state.json.rescue-{newer['serial']}", json.dumps(newer))
    sent = applied.log()
    refused = applied.run("apply", "--auto-approve", code=1)
    ensure_refused(refused, "rescue_pending", str(rescue), "statetool state push ")
    assert applied.log() == sent
    state_path(applied).write_bytes(rescue.read_bytes())
    applied.run("apply", "--auto-approve")
    applied.ensure_settled()


def test_no_state_is_told_by_what_needs_one(shop: ProjectFolder) -> None:
    """`plan` needs none."""
    for command in (("show",), ("state", "list"), ("state", "pull"), ("state", "show", "shop/cart")):
        ensure_refused(shop.call(*command, code=1), "no_state", "statetool apply")
    shop.run("plan", "--detailed-exitcode", code=2)


# Saved plans


@pytest.fixture
def saved(shop: ProjectFolder) -> ProjectFolder:
    """A shop with a saved plan, `shop.plan`."""
    shop.call("plan", "--out", "shop.plan")
    return shop


def rewrite(project: ProjectFolder, **values: Any) -> None:
    """The same plan with other values of its head, and a checksum that fits: as another run would have made it."""
    path = project.root / "shop.plan"
    write_plan(path, dataclasses.replace(read_plan(path), **values))


def ensure_plan_refused(project: ProjectFolder, code: str, *parts: str) -> None:
    """Nothing is sent and no state is made; in JSON it is the same code."""
    ensure_refused(project.call("apply", "shop.plan", code=1), code, "hint:", *parts)
    in_json = project.call("apply", "--json", "shop.plan", code=1)
    assert in_json.codes == [code]
    assert project.log() == []
    assert not state_path(project).exists()


def test_an_edited_plan_is_refused(saved: ProjectFolder) -> None:
    """One number changed: the checksum no longer fits."""
    path = saved.root / "shop.plan"
    path.write_text(path.read_text(encoding="utf-8").replace('"replica": 6', '"replica": 60', 1), encoding="utf-8")
    saved.run("apply", "shop.plan", code=1)
    ensure_plan_refused(saved, "plan_file", "checksum")


@pytest.mark.parametrize("change", DAMAGES[:-4], ids=lambda change: change.__name__.strip("_"))
def test_a_damaged_plan_is_refused(saved: ProjectFolder, change: Callable[[Path], None]) -> None:
    """Truncated, empty, binary, another document, newer, nested."""
    change(saved.root / "shop.plan")
    ensure_plan_refused(saved, "plan_file", "shop.plan")
    saved.call("show", "shop.plan", code=1)


@pytest.mark.parametrize("change", [_folder, _loop, _pipe], ids=["folder", "loop", "pipe"])
def test_a_plan_that_is_no_file_is_refused(saved: ProjectFolder, change: Callable[[Path], None]) -> None:
    """Also where reading it would never end."""
    change(saved.root / "shop.plan")
    ensure_plan_refused(saved, "plan_file", "shop.plan")


def test_a_plan_that_is_not_there(saved: ProjectFolder) -> None:
    """The command that makes one is named."""
    (saved.root / "shop.plan").unlink()
    ensure_plan_refused(saved, "plan_file", "statetool plan --out")


def test_a_plan_for_another_endpoint(saved: ProjectFolder) -> None:
    """Both are named."""
    saved.edit("statetool.yaml", "sandbox:.statetool/sandbox.db", "sandbox:.statetool/other.db")
    ensure_plan_refused(saved, "plan_other_endpoint", "sandbox.db", "other.db")


def test_a_plan_for_another_project(saved: ProjectFolder) -> None:
    """Both are named."""
    rewrite(saved, project_id="f" * 32)
    ensure_plan_refused(saved, "plan_other_project", "f" * 32)


def test_a_plan_of_a_foreign_lineage(saved: ProjectFolder) -> None:
    """A plan made without state would make one; here somebody has made another meanwhile."""
    saved.call("apply", "--auto-approve", "--target", "shop/pay")
    state, sent = state_path(saved).read_bytes(), saved.log()
    ensure_refused(saved.run("apply", "shop.plan", code=1), "plan_foreign_lineage", "lineage")
    assert saved.log() == sent
    assert state_path(saved).read_bytes() == state


def test_a_plan_that_is_too_old(saved: ProjectFolder) -> None:
    """Older than `guards.max_plan_age`: both ages are told. A longer allowance lets the same plan through."""
    rewrite(saved, created_at="2025-01-01T00:00:00Z")
    ensure_plan_refused(saved, "plan_too_old", "24 h", "2025-01-01")
    saved.configure(more="guards: {max_plan_age: 3650d}\n")
    saved.run("apply", "shop.plan")
    saved.ensure_settled()


def test_a_plan_is_not_saved_over_what_is_no_file(shop: ProjectFolder) -> None:
    """A folder and a link are refused, and a folder that does not exist is named."""
    (shop.root / "folder").mkdir()
    (shop.root / "link").symlink_to("statetool.yaml")
    config = (shop.root / "statetool.yaml").read_bytes()
    for out in ("folder", "link", "nowhere/shop.plan"):
        refused = shop.call("plan", "--out", out, code=1)
        assert "error[plan_file]" in refused.err
        assert out in refused.err
    assert (shop.root / "statetool.yaml").read_bytes() == config


# Manifests, configuration, seeds, worlds


def _unreadable_bytes(path: Path) -> None:
    path.write_bytes(b"application: \xc9\xcc\xb5\xea\n")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 * 2**20)


@pytest.mark.parametrize("name", ["manifests/shop.yaml", "statetool.yaml"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_unreadable_bytes, "not_utf8"),
        (_binary, "not_utf8"),
        (_huge, "file_too_large"),
        (_pipe, "unreadable_file"),
        (_loop, "unreadable_file"),
    ],
    ids=["other encoding", "binary", "huge", "pipe", "loop"],
)
def test_a_file_that_can_not_be_read(shop: ProjectFolder, change: Callable[[Path], None], code: str, name: str) -> None:
    """Named with its code and a hint by every command that needs it; never read to the end where it has none."""
    change(shop.root / name)
    ensure_refused(shop.call("validate", code=1), code, name, "hint:")
    for command in (("plan",), ("drift",), ("apply", "--auto-approve")):
        ensure_refused(shop.call(*command, code=1), code, name)
    assert shop.call("validate", "--json", code=1).codes == [code]
    assert shop.log() == []


def test_a_configuration_that_is_a_folder(shop: ProjectFolder) -> None:
    """The same; a folder among manifests is looked into instead."""
    _folder(shop.root / "statetool.yaml")
    ensure_refused(shop.run("plan", code=1), "unreadable_file", "statetool.yaml")


def test_a_manifest_nobody_may_read(shop: ProjectFolder) -> None:
    """A dangling link stands for it, because tests may run as root."""
    path = shop.root / "manifests/shop.yaml"
    path.unlink()
    path.symlink_to("gone.yaml")
    assert "manifests/shop.yaml" in shop.run("plan", code=1).err


def test_a_manifest_outside_the_project(shop: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link that leads out of the folder is refused: a pull request must not read other files."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.yaml"
    elsewhere.write_text("password: hunter2\n", encoding="utf-8")
    (shop.root / "manifests/out.yaml").symlink_to(elsewhere)
    refused = shop.run("plan", code=1)
    assert "manifests/out.yaml" in refused.err
    assert "hunter2" not in refused.all


def test_a_sandbox_that_is_none(shop: ProjectFolder) -> None:
    """Text, another program's database, a folder: named, exit 1, and left as it is."""
    shop.write("notes.db", "notes " * 1000)
    with sqlite3.connect(shop.root / "other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    (shop.root / "folder.db").mkdir()
    for name in ("notes.db", "other.db", "folder.db"):
        shop.configure(f"sandbox:{name}")
        ensure_refused(shop.call("plan", code=1), "sandbox", name)
        shop.call("sandbox", "disturb", "shop/cart", "--replicas", "1", code=1)
    assert (shop.root / "notes.db").read_text(encoding="utf-8") == "notes " * 1000


def test_a_seed_that_is_none(shop: ProjectFolder) -> None:
    """Missing, a folder, not UTF-8, not YAML, another document: the world stays as it was."""
    before = shop.look("cart")
    (shop.root / "folder.yaml").mkdir()
    shop.write("latin.yaml", b"applications: {caf\xe9: 1}")
    shop.write("broken.yaml", "applications: {")
    shop.write("other.yaml", "application: shop\ncomponents: {}\n")
    for name in ("gone.yaml", "folder.yaml", "latin.yaml", "broken.yaml", "other.yaml"):
        refused = shop.call("sandbox", "seed", name, code=1)
        assert name in refused.err
        assert "error[" in refused.err
    assert shop.look("cart") == before


@pytest.mark.parametrize("command", ["plan", "apply", "validate", "show"])
def test_a_folder_that_is_no_project(tmp_path: Path, command: str) -> None:
    """Without statetool.yaml: what to do about it."""
    nowhere = ProjectFolder(tmp_path)
    refused = nowhere.call(command, *(["--auto-approve"] if command == "apply" else []), code=1)
    ensure_refused(refused, "config_missing", "statetool init")


def test_a_state_folder_that_can_not_be_made(shop: ProjectFolder) -> None:
    """A file stands where the folder should be: nothing is sent."""
    shop.write("blocked", "")
    shop.configure(more="state: {path: blocked/state.json}\n")
    refused = shop.run("apply", "--auto-approve", code=1)
    assert "blocked" in refused.err
    assert "error[state" in refused.err or "error[lock" in refused.err
    assert shop.log() == []
