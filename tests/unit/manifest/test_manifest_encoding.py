"""Bytes that are not UTF-8, and limits that are met before YAML is."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from statetool.manifest.encoding import MAX_CHARACTER_ERRORS, MAX_FILE_BYTES, decode

if TYPE_CHECKING:
    from conftest import Project

CHINESE = "application: shop # 购物车服务，由支付团队维护\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CHINESE.encode("gbk"), "GBK"),
        ("application: shop # 镕\n购物车".encode("gbk"), "GBK"),
        ((CHINESE + "# 㐀\n").encode("gb18030"), "GB18030"),
        (CHINESE.encode("utf-16"), "UTF-16"),
    ],
)
def test_chinese_encodings_are_named_with_the_command_that_converts(data: bytes, encoding: str) -> None:
    """The name is the one iconv knows."""
    text, (found,) = decode(data, "manifests/my shop.yaml")
    assert text is None
    assert found.code == "not_utf8"
    assert encoding in found.message
    assert f"iconv -f {encoding} -t UTF-8 'manifests/my shop.yaml' > 'manifests/my shop.yaml.new'" in (found.hint or "")


def test_the_command_of_the_hint_repairs_the_file(project: Project) -> None:
    """A person may paste it as it stands."""
    path = project.write((CHINESE + "components: {cart: {labels: {team: 支付}}}\n").encode("gbk"), "my shop.yaml")
    (found,) = project.refuse()
    command = (found.hint or "").partition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=project.root, check=True)
    assert path.read_text(encoding="utf-8").startswith(CHINESE)
    assert project.load().components[0].labels == {"team": "支付"}


@pytest.mark.parametrize(
    "data", ["application: café\n".encode("latin-1"), b"a: \x80\xff\xfe", "Müller".encode("cp1252")]
)
def test_western_text_and_rubbish_are_not_taken_for_chinese(data: bytes) -> None:
    """A wrong command would destroy the file."""
    _, (found,) = decode(data, "f.yaml")
    assert found.code == "not_utf8"
    assert "iconv" not in (found.hint or "")


def test_the_first_byte_that_is_not_utf8_is_the_place() -> None:
    """Columns count characters, not bytes."""
    _, (found,) = decode("# 购\r\nteam: é".encode() + "é".encode("latin-1"), "f.yaml")
    assert str(found.mark) == "f.yaml:2:8"


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    """4 MiB is the limit, both ends of it."""
    text, found = decode(b"#" * MAX_FILE_BYTES, "f.yaml")
    assert text is not None
    assert found == []
    text, (too_large,) = decode(b"#" * (MAX_FILE_BYTES + 1), "f.yaml")
    assert text is None
    assert (too_large.code, too_large.hint is not None) == ("file_too_large", True)


def test_a_file_full_of_control_characters_gives_a_bounded_list() -> None:
    """Millions of diagnostics would help nobody and take minutes."""
    _, found = decode(b"\x01" * MAX_FILE_BYTES, "f.yaml")
    assert len(found) == MAX_CHARACTER_ERRORS


@pytest.mark.parametrize(
    "text",
    [
        "a: b # a tab\there\n",
        "#\tcomment\n",
        "a: 你好 # ，：４ “words”\n",
        "a: b # \U0001f468\u200d\U0001f4bb writes\n",
    ],
)
def test_comments_are_free(text: str) -> None:
    """Only what could mislead a reader of the comment is refused there: bidirectional controls."""
    decoded, found = decode(text.encode(), "f.yaml")
    assert decoded == text
    assert found == []


def test_every_line_with_a_tab_is_listed() -> None:
    """One place a line; all of them, so that one pass repairs the file."""
    _, found = decode(b"a:\n\tb: 1\n \t\tc: 2 # \t\n", "f.yaml")
    assert [(d.code, str(d.mark)) for d in found] == [("tab_character", "f.yaml:2:1"), ("tab_character", "f.yaml:3:2")]
