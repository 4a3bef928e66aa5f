"""Plans as files: whole or not at all, for their owner only, and refused where they no longer fit."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from statetool.backends.files import FileSystem
from statetool.core.model import Address
from statetool.core.plan import Change, Kind, Plan
from statetool.core.state import new_state
from statetool.errors import PlanFileError
from statetool.planfile import MAX_BYTES, ensure_plan_fits, read_plan, write_plan

PLAN = Plan(
    mode="normal",
    created_at="2026-11-23T08:00:00Z",
    endpoint="http://127.0.0.1:9000",
    project_id="p1",
    lineage="6f9c",
    serial=12,
    tool_version="0.1.0",
    changes=(Change(Address("shop", "cart"), "c1", "a1", None, Kind.ADOPT, None),),
)


class FullDisk(FileSystem):
    """A disk without room."""

    def write(self, descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_plan_comes_back_and_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600, also where the umask would allow more, and nothing else in the folder."""
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    path.chmod(0o644)
    write_plan(path, PLAN)
    assert read_plan(path) == PLAN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_plan_takes_no_other_file_s_place(tmp_path: Path) -> None:
    """A state, a configuration or a device behind --out stays what it is; an empty file may be filled."""
    state, pipe, empty = tmp_path / "state.json", tmp_path / "pipe", tmp_path / "empty"
    state.write_text('{"format_version": "1.0", "lineage": "6f9c"}')
    os.mkfifo(pipe)
    empty.touch()
    for path, why in ((state, "not a saved plan"), (pipe, "not a plain file"), (tmp_path, "a folder")):
        with pytest.raises(PlanFileError, match=why):
            write_plan(path, PLAN)
    assert "lineage" in state.read_text()
    assert pipe.is_fifo()
    write_plan(empty, PLAN)
    assert read_plan(empty) == PLAN


def test_a_plan_that_can_not_be_saved_leaves_the_old_one(tmp_path: Path) -> None:
    """And says why in words."""
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    before = path.read_bytes()
    with pytest.raises(PlanFileError, match="no space left on device"):
        write_plan(path, PLAN, files=FullDisk())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_a_folder_and_a_link_are_refused(tmp_path: Path) -> None:
    """Each with its reason; the link's target stays as it was."""
    target = tmp_path / "target"
    target.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(target)
    for path, says in (
        (tmp_path / "no" / "plan.json", "no such file or directory"),
        (tmp_path, "it is a folder"),
        (link, "it is a symbolic link"),
    ):
        with pytest.raises(PlanFileError, match=says):
            write_plan(path, PLAN)
    assert target.read_text() == "mine"


def test_a_plan_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Every truncation but that of the last line end, with the way out."""
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PlanFileError) as caught:
            read_plan(path)
        assert caught.value.hint == "make a new one: statetool plan --out FILE"


def test_an_edited_plan_is_refused(tmp_path: Path) -> None:
    """The checksum covers the whole document."""
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    path.write_bytes(path.read_bytes().replace(b"127.0.0.1", b"127.0.0.2"))
    with pytest.raises(PlanFileError, match=r"plan\.json can't be applied: checksum does not fit"):
        read_plan(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"\x00\x01", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[]", "must be an object"),
        (b"{}", "format_version must be text"),
        (b'{"format_version": "1.0"}', "checksum must be text, not missing"),
        (b'{"format_version": "2.0", "checksum": 1}', "format version 2.0 is newer"),
        (b'{"format_version": "1.0", "format_version": "1.0"}', "stands twice"),
        (b'{"a":' * 200_000, "nested deeper"),
    ],
)
def test_what_is_not_a_plan_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """Any bytes give one sentence with the file's name."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanFileError, match=says) as caught:
        read_plan(path)
    assert str(path) in caught.value.message


def test_a_file_beyond_the_limit_is_not_even_parsed(tmp_path: Path) -> None:
    """The limit is on bytes; the file here has a hole of that size."""
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(PlanFileError, match="larger than 64 MiB"):
        read_plan(path)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """Absent, a folder, and a pipe nobody writes to, which must not hang."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, says in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "it is a folder"),
        (pipe, "not a regular file"),
    ):
        with pytest.raises(PlanFileError, match=says):
            read_plan(path)


def fits(**other: Any) -> None:
    """Check PLAN against where it was made, ten minutes later, unless told otherwise."""
    values: dict[str, Any] = {
        "endpoint": PLAN.endpoint,
        "project_id": PLAN.project_id,
        "state": None,
        "now": "2026-11-23T08:10:00Z",
        "max_age_s": 86_400,
    }
    ensure_plan_fits(PLAN, **{**values, **other})


def test_a_plan_fits_where_it_was_made() -> None:
    """Without a state its lineage is the new one; with one it must be the same, whatever the serial."""
    fits()
    fits(state=new_state("6f9c", "0.1.0"))
    fits(now="2026-11-24T08:00:00Z")


@pytest.mark.parametrize(
    ("other", "code", "says"),
    [
        ({"endpoint": "https://x"}, "plan_other_endpoint", "made for http://127.0.0.1:9000, but .* https://x"),
        ({"project_id": "p2"}, "plan_other_project", "made for project p1, but .* p2"),
        ({"state": new_state("aaaa", "0.1.0")}, "plan_foreign_lineage", "lineage 6f9c, but this one's is aaaa"),
        ({"now": "2026-11-24T08:01:00Z"}, "plan_too_old", "24 h 1 min old .* allows 24 h"),
        ({"max_age_s": 30}, "plan_too_old", "10 min old .* allows 30 s"),
        ({"now": "2026-11-23T07:50:00Z"}, "plan_from_future", "made in the future"),
    ],
)
def test_a_plan_made_for_something_else_is_refused(other: dict[str, Any], code: str, says: str) -> None:
    """Each with both values and the way to a new plan."""
    with pytest.raises(PlanFileError, match=says) as caught:
        fits(**other)
    assert caught.value.code == code
    assert caught.value.exit_code == 1
    assert "statetool plan --out FILE" in (caught.value.hint or "")


def test_a_plan_file_is_json_of_one_document(tmp_path: Path) -> None:
    """Other tools read it as it is."""
    path = tmp_path / "plan.json"
    write_plan(path, PLAN)
    assert json.loads(path.read_text())["changes"][0]["kind"] == "adopt"
