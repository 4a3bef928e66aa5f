"""Addresses for completion: those of the state, and never anything a shell would act on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from statetool.known_addresses import find_addresses


def keep(path: Path, *addresses: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"components": {address: {} for address in addresses}}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with three components in its state."""
    keep(tmp_path / ".statetool/state.json", "shop/pay", "shop/cart@prod", "blog/web")
    return tmp_path


def test_those_that_begin_so(folder: Path) -> None:
    """In order; everything where nothing was typed."""
    assert find_addresses(folder, "shop/") == ["shop/cart@prod", "shop/pay"]
    assert find_addresses(folder, "") == ["blog/web", "shop/cart@prod", "shop/pay"]
    assert find_addresses(folder, "nothing") == []


def test_the_state_is_where_the_configuration_says(folder: Path) -> None:
    """Other keys, right or wrong, play no part."""
    keep(folder / "kept/here.json", "other/one")
    (folder / "statetool.yaml").write_text("version: 7\nbogus: 1\nstate: {path: kept/here.json}\n")
    assert find_addresses(folder, "") == ["other/one"]
    (folder / "statetool.yaml").write_text("version: 1\n")
    assert len(find_addresses(folder, "")) == 3


@pytest.mark.parametrize(
    "evil", ["a/$(reboot)", "a/b;c", "a/`x`", "a/b c", "a/*", "a/b\nc", "a/b\x1b[31m", "a/'", "-a", "a", "a/b@c@d"]
)
def test_what_a_shell_would_act_on_is_not_offered(folder: Path, evil: str) -> None:
    """A name may come from the platform, and a completed word stands on the command line as it is."""
    keep(folder / ".statetool/state.json", evil, "shop/cart")
    assert find_addresses(folder, "") == ["shop/cart"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"components": []}', '{"components": null}', "[" * 100_000, "\udcff", "\0"]
)
def test_a_state_that_says_nothing(folder: Path, text: str) -> None:
    """Silence: whoever completes a word can't do anything about it."""
    (folder / ".statetool/state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert find_addresses(folder, "") == []


@pytest.mark.parametrize("text", ["", ":", "[1]", "state: 3", "state: {path: 3}", "state: {path: }", "a: *b", "\0"])
def test_a_configuration_that_says_nothing(folder: Path, text: str) -> None:
    """Then the state is where it is by default."""
    (folder / "statetool.yaml").write_text(text)
    assert len(find_addresses(folder, "")) == 3


def test_what_is_no_file(tmp_path: Path) -> None:
    """No state, a folder in its place, a pipe that nobody writes to, a path that can't be one."""
    assert find_addresses(tmp_path, "") == []
    (tmp_path / ".statetool/state.json").mkdir(parents=True)
    assert find_addresses(tmp_path, "") == []
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "statetool.yaml").write_text("state: {path: pipe}\n")
    assert find_addresses(tmp_path, "") == []
    (tmp_path / "statetool.yaml").write_text('state: {path: "a\\0b"}\n')
    assert find_addresses(tmp_path, "") == []
