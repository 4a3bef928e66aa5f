"""Where written manifests go: never over a person's bytes, never outside the project, never half."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from statetool.backends.files import FileSystem
from statetool.errors import StatetoolError
from statetool.placing import MARK, choose_place, find_folder, place

OWN = f"# {MARK} at some time\napplication: shop\n".encode()


class Disk(FileSystem):
    """Fails at one call, or does something to the target just before it."""

    def __init__(self, fail: str = "", error: int = errno.EIO) -> None:
        self.fail, self.error = fail, error

    def _step(self, name: str) -> None:
        if name == self.fail:
            raise OSError(self.error, os.strerror(self.error))

    def create(self, path: Path, mode: int = 0o600) -> int:
        self._step("create")
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        self._step("write")
        return super().write(descriptor, data[:3])

    def fsync(self, descriptor: int) -> None:
        self._step("fsync")
        super().fsync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        self._step("link")
        super().link(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace")
        super().replace(source, target)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "manifests"
    path.mkdir()
    return path


def refuse(code: str, *arguments: Path | str) -> StatetoolError:
    with pytest.raises(StatetoolError) as caught:
        choose_place(*arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Which folder


def test_the_first_folder_takes_them(tmp_path: Path, folder: Path) -> None:
    """Files among the locations are somebody's own; a folder that is missing will be made."""
    assert find_folder(tmp_path, [tmp_path / "a.yaml", folder, tmp_path / "more"]) == folder
    assert find_folder(tmp_path, [tmp_path / "a.yaml", tmp_path / "not-yet"]) == tmp_path / "not-yet"
    with pytest.raises(StatetoolError, match="names no folder") as caught:
        find_folder(tmp_path, [tmp_path / "a.yaml", tmp_path / "b.yml"])
    assert caught.value.code == "no_manifest_folder"


def test_a_folder_outside_the_project_is_refused(tmp_path: Path) -> None:
    """However it is spelled."""
    root = tmp_path / "project"
    for location in (tmp_path / "elsewhere", root / ".." / "elsewhere"):
        with pytest.raises(StatetoolError) as caught:
            find_folder(root, [location])
        assert caught.value.code == "outside_project"


def test_no_folder_is_reached_through_a_link(tmp_path: Path) -> None:
    """Not even one that leads back inside: what is a link today may lead elsewhere tomorrow."""
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    for location in (tmp_path / "link", tmp_path / "link" / "below", tmp_path / "link" / "new"):
        with pytest.raises(StatetoolError) as caught:
            find_folder(tmp_path, [location])
        assert caught.value.code == "linked_folder"


def test_the_project_itself_may_be_behind_a_link(tmp_path: Path) -> None:
    """That one the person went through on purpose."""
    (tmp_path / "real" / "manifests").mkdir(parents=True)
    root = tmp_path / "link"
    root.symlink_to("real")
    assert find_folder(root, [root / "manifests"]) == root / "manifests"


# Which file


def test_a_new_file_is_called_like_its_application(tmp_path: Path, folder: Path) -> None:
    """As far as a file can be."""
    for name, shown in [
        ("shop", "shop.yaml"),
        ("店铺", "店铺.yaml"),
        ("..", "_..yaml"),
        (".hidden", "_hidden.yaml"),
        ("-rf", "_rf.yaml"),
        ("a b*?", "a_b__.yaml"),
        ("x\n\x1b", "x__.yaml"),
        ("y" * 300, "y" * 64 + ".yaml"),
        ("", "_.yaml"),
    ]:
        chosen = choose_place(tmp_path, folder, name)
        assert (chosen.shown, chosen.before, chosen.path.parent) == (f"manifests/{shown}", None, folder)


def test_a_file_of_an_import_takes_more(tmp_path: Path, folder: Path) -> None:
    """It is known by its first line."""
    (folder / "shop.yaml").write_bytes(OWN)
    chosen = choose_place(tmp_path, folder, "shop")
    assert (chosen.shown, chosen.before) == ("manifests/shop.yaml", OWN)


@pytest.mark.parametrize("kind", ["text", "link", "dangling link", "folder", "pipe"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, folder: Path, kind: str) -> None:
    """A second name is taken instead; where that is taken too, it is refused."""
    (tmp_path / "own.yaml").write_bytes(OWN)

    def make(path: Path) -> None:
        if kind == "text":
            path.write_text("application: shop\n")
        elif kind == "link":
            path.symlink_to(tmp_path / "own.yaml")
        elif kind == "dangling link":
            path.symlink_to("nowhere")
        elif kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)

    make(folder / "shop.yaml")
    assert choose_place(tmp_path, folder, "shop").shown == "manifests/shop.imported.yaml"
    (folder / "shop.imported.yaml").write_bytes(OWN)
    assert choose_place(tmp_path, folder, "shop").before == OWN
    (folder / "shop.imported.yaml").unlink()
    make(folder / "shop.imported.yaml")
    refuse("foreign_manifest", tmp_path, folder, "shop")


# How they get there


def test_a_new_file_is_made_like_any_other(tmp_path: Path) -> None:
    """With its folder, and readable as the umask lets files be."""
    before = os.umask(0o027)
    try:
        place(tmp_path, choose_place(tmp_path, tmp_path / "a" / "b", "shop"), OWN)
    finally:
        os.umask(before)
    path = tmp_path / "a" / "b" / "shop.yaml"
    assert path.read_bytes() == OWN
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(path.parent) == ["shop.yaml"]


def test_more_is_added_to_a_file_that_keeps_its_mode(tmp_path: Path, folder: Path) -> None:
    """Whoever could read it still can."""
    path = folder / "shop.yaml"
    path.write_bytes(OWN)
    path.chmod(0o604)
    place(tmp_path, choose_place(tmp_path, folder, "shop"), OWN + b"more\n")
    assert path.read_bytes() == OWN + b"more\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize("step", ["create", "write", "fsync", "link", "replace"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "more"])
def test_a_disk_that_fails_leaves_what_stood_there(tmp_path: Path, folder: Path, step: str, there: bool) -> None:
    """At any step, with the reason and without litter."""
    if there:
        (folder / "shop.yaml").write_bytes(OWN)
    target = choose_place(tmp_path, folder, "shop")
    try:
        place(tmp_path, target, OWN + b"more\n", files=Disk(step))
    except StatetoolError as error:
        assert error.code == "import_failed"
        assert names(folder) == (["shop.yaml"] if there else [])
        assert not there or (folder / "shop.yaml").read_bytes() == OWN
    else:
        assert step == ("link" if there else "replace")


def test_a_disk_without_links(tmp_path: Path, folder: Path) -> None:
    """Renaming does; and nothing is replaced that came meanwhile."""
    target = choose_place(tmp_path, folder, "shop")
    place(tmp_path, target, OWN, files=Disk("link", errno.EPERM))
    assert names(folder) == ["shop.yaml"]
    with pytest.raises(StatetoolError) as caught:
        place(tmp_path, target, b"other", files=Disk("link", errno.EPERM))
    assert caught.value.code == "manifest_moved"
    assert (folder / "shop.yaml").read_bytes() == OWN


@pytest.mark.parametrize("there", [False, True], ids=["new", "more"])
def test_what_somebody_wrote_meanwhile_stays(tmp_path: Path, folder: Path, there: bool) -> None:
    """Between the choice and the writing an editor saved."""
    path = folder / "shop.yaml"
    if there:
        path.write_bytes(OWN)
    target = choose_place(tmp_path, folder, "shop")
    path.write_bytes(b"mine\n")
    with pytest.raises(StatetoolError) as caught:
        place(tmp_path, target, b"ours\n")
    assert caught.value.code == "manifest_moved"
    assert path.read_bytes() == b"mine\n"
    assert names(folder) == ["shop.yaml"]


def test_a_folder_that_became_a_link_is_refused(tmp_path: Path, folder: Path) -> None:
    """Also after it was chosen."""
    target = choose_place(tmp_path, folder, "shop")
    (tmp_path / "elsewhere").mkdir()
    folder.rmdir()
    folder.symlink_to("elsewhere")
    with pytest.raises(StatetoolError) as caught:
        place(tmp_path, target, OWN)
    assert caught.value.code == "linked_folder"
    assert names(tmp_path / "elsewhere") == []
