"""Which files are manifests: order, links, what is hidden, what is missing, what lies outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from statetool.errors import Diagnostic
from statetool.manifest.encoding import MAX_FILE_BYTES
from statetool.manifest.files import ManifestFile, find_files, read_file


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def shown(root: Path, *locations: str) -> list[str]:
    files, found = find_files(root, [Path(location) for location in locations])
    assert found == []
    return [file.shown for file in files]


def codes(root: Path, *locations: str) -> list[str]:
    return [d.code for d in find_files(root, [Path(location) for location in locations])[1]]


def test_folders_are_read_recursively_in_sorted_order(tmp_path: Path) -> None:
    """Hidden files and folders, and other endings, are no manifests."""
    touch(
        tmp_path, "m/b.yaml", "m/a/z.yml", "m/a.yaml", "m/notes.md", "m/.hidden.yaml", "m/.git/x.yaml", "m/c.yaml.new"
    )
    assert shown(tmp_path, "m/") == ["m/a.yaml", "m/a/z.yml", "m/b.yaml"]


def test_a_named_file_is_read_whatever_its_ending_and_only_once(tmp_path: Path) -> None:
    """Naming a file and its folder is no repetition."""
    touch(tmp_path, "m/a.yaml", "m/extra.txt")
    assert shown(tmp_path, "m", "m/a.yaml", "m/extra.txt", "./m/../m/a.yaml") == ["m/a.yaml", "m/extra.txt"]


def test_a_location_may_be_the_project_itself(tmp_path: Path) -> None:
    """`manifests: [.]`."""
    touch(tmp_path, "a.yaml")
    assert shown(tmp_path, ".") == ["a.yaml"]


def test_a_missing_location_is_named(tmp_path: Path) -> None:
    """Every missing one."""
    found = find_files(tmp_path, [Path("nowhere"), Path("also/not")])[1]
    assert [(d.code, d.message.split()[3]) for d in found] == [
        ("manifests_not_found", "nowhere"),
        ("manifests_not_found", "also/not"),
    ]


@pytest.mark.parametrize("location", ["..", "../other", "/etc", "m/../../x"])
def test_a_location_outside_the_project_is_refused(tmp_path: Path, location: str) -> None:
    """Whether it exists or not, so that nothing can be learnt of the machine."""
    root = tmp_path / "project"
    root.mkdir()
    assert codes(root, location) == ["outside_project"]


@pytest.mark.parametrize("target", ["secret.yaml", "folder"])
def test_links_that_lead_outside_are_refused(tmp_path: Path, target: str) -> None:
    """A pull request may add a link; it must not make the tool read and print files of the machine."""
    touch(tmp_path, "secret.yaml", "folder/x.yaml")
    root = tmp_path / "project"
    (root / "m").mkdir(parents=True)
    (root / "m" / "link.yaml").symlink_to(tmp_path / target)
    assert codes(root, "m") == ["outside_project"]


def test_links_inside_the_project_are_followed_once(tmp_path: Path) -> None:
    """A loop of links ends; a file reached twice is one file."""
    touch(tmp_path, "shared/a.yaml")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "shared").symlink_to(tmp_path / "shared")
    (tmp_path / "m" / "loop").symlink_to(tmp_path / "m")
    assert shown(tmp_path, "m", "shared") == ["m/shared/a.yaml"]


def test_a_project_behind_a_link_is_read(tmp_path: Path) -> None:
    """The project folder itself may be a link."""
    touch(tmp_path, "real/m/a.yaml")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert shown(tmp_path / "link", "m") == ["m/a.yaml"]


def test_a_broken_link_is_unreadable_not_ignored(tmp_path: Path) -> None:
    """Its author meant something."""
    (tmp_path / "a.yaml").symlink_to(tmp_path / "gone.yaml")
    ((file,), found) = find_files(tmp_path, [Path()])
    assert found == []
    result = read_file(file)
    assert isinstance(result, Diagnostic)
    assert result.code == "unreadable_file"


def test_a_pipe_does_not_make_the_tool_wait(tmp_path: Path) -> None:
    """Opening a named pipe would block until somebody writes."""
    os.mkfifo(tmp_path / "a.yaml")
    result = read_file(ManifestFile(tmp_path / "a.yaml", "a.yaml"))
    assert isinstance(result, Diagnostic)
    assert result.code == "unreadable_file"


def test_no_more_than_the_limit_is_read_into_memory(tmp_path: Path) -> None:
    """One byte more tells the reader that the file is too large."""
    path = tmp_path / "a.yaml"
    with path.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES * 100)
    data = read_file(ManifestFile(path, "a.yaml"))
    assert isinstance(data, bytes)
    assert len(data) == MAX_FILE_BYTES + 1


def test_names_that_are_no_text_can_be_shown(tmp_path: Path) -> None:
    """Else printing the diagnostic would be the traceback."""
    (tmp_path / os.fsdecode(b"\xff.yaml")).touch()
    assert shown(tmp_path, ".") == ["\\xff.yaml"]
