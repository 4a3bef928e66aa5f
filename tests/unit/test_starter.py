"""The first files of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from statetool.config import load_settings
from statetool.errors import StatetoolError
from statetool.manifest.loader import load_manifests
from statetool.starter import FILES, next_commands, write_starter


def test_the_files_are_valid(tmp_path: Path) -> None:
    """Settings and manifest load without a word from the environment, and stay on the sandbox."""
    written = write_starter(tmp_path / "a" / "b")
    assert [path.relative_to(tmp_path / "a" / "b").as_posix() for path in written] == list(FILES)
    settings = load_settings(tmp_path / "a" / "b", {}, {})
    assert settings.sandbox_path is not None
    desired = load_manifests(settings.root, settings.manifests).components
    assert [str(entry.address) for entry in desired] == ["shop/cart", "shop/pay", "shop/search"]


@pytest.mark.parametrize("name", list(FILES))
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """One file that is there, whatever it is, and none is written."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("nowhere")
    with pytest.raises(StatetoolError, match="nothing was written") as caught:
        write_starter(tmp_path)
    assert caught.value.code == "init_exists"
    assert [found for found in tmp_path.rglob("*") if not found.is_dir()] == [path]


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    """A sentence with the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StatetoolError, match=r"statetool\.yaml can't be written: ") as caught:
        write_starter(tmp_path / "file" / "shop")
    assert caught.value.code == "init_failed"


def test_commands_can_be_copied() -> None:
    """A folder with blanks is quoted; no `cd` where one is there already."""
    assert next_commands(Path("my shop"))[0] == "cd 'my shop'"
    assert next_commands(Path())[0].startswith("statetool ")
