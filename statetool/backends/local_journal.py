"""The journal of a local state: a file that only grows, until it is replaced whole.

Owns its lines and what of them counts after a crash. One line is one append, all of it or nothing:

    CRC32 LENGTH {"format_version": "1.0", "entries": [...]}

LENGTH is that of the JSON in bytes, CRC32 eight hexadecimal digits over all behind it. That finds what a dying disk
or writer does to a line, not what a person does on purpose. A last line that is not whole was never confirmed to
anybody: it does not count, and the next append cuts it off first. Any other is damage. It must not know what an entry
says, nor who may write.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.backends import JournalEntry
from statetool.backends.files import (
    FileSystem,
    Signature,
    explain,
    find_signature,
    read_file,
    replace_file,
    signature_of,
    write_all,
)
from statetool.core.document import DocumentError, Fields, ensure_format, parse_document
from statetool.core.model import Json
from statetool.errors import StateError, StateUnreadable

MAX_BYTES = 64 * 2**20
"""Between two checkpoints there are at most some thousand entries of a few KiB each."""

_FORMAT_VERSION = "1.0"
_FORMAT_MAJOR = 1
_HEAD = re.compile(rb"([0-9a-f]{8}) (([0-9]{1,9}) )")


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds: `end` is where its last whole line ends, `size` where the file does."""

    entries: tuple[JournalEntry, ...] = ()
    end: int = 0
    size: int = 0


class LocalJournal:
    """The journal at `path`, of `limit` bytes at most. Everything but `read` is for the holder of the lock."""

    def __init__(self, path: Path, files: FileSystem, *, limit: int = MAX_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._files = files
        self._known: Signature | None = None
        self._doubtful_from: int | None = None

    def begin(self) -> None:
        """The lock was taken: others may have written since."""
        self._known = self._doubtful_from = None

    def read(self) -> tuple[JournalEntry, ...]:
        """Raises StateUnreadable naming file and line."""
        return self._read_content().entries

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Add one line, durably. Raises StateError: then nothing was added that any later append would leave there."""
        if not entries:
            return
        line = _render_line(entries)
        try:
            end = self._prepare()
            if end + len(line) > self._limit:
                raise self._not_saved(
                    f"it would be larger than {self._limit // 2**20} MiB", "apply again: it shortens it"
                )
            self._add(line, end)
        except OSError as error:
            raise self._not_saved(explain(error)) from None

    def replace(self, entries: Sequence[JournalEntry]) -> None:
        """Let it hold these only. Raises StateError: then it holds what it held, or these."""
        before, self._known = find_signature(self.path), None
        try:
            replace_file(self._files, self.path, _render_line(entries) if entries else b"")
        except OSError as error:
            if find_signature(self.path) != before:
                self._doubtful_from = None
            raise self._not_saved(explain(error)) from None
        # Another file stands there now: what was wrong with the old one is over.
        self._doubtful_from = None
        self._known = find_signature(self.path)

    def _prepare(self) -> int:
        """Make sure of a durable file whose last line is whole; its size. Reads it only where it is not as we left it.

        Raises OSError, StateUnreadable, StateError.
        """
        known, self._known = self._known, None
        if self._doubtful_from is not None:
            # Not to be read: the kernel may show bytes that it could not bring to the disk, and never tries to again.
            self._cut(self._doubtful_from)
            end = self._doubtful_from
        elif known is not None:
            if find_signature(self.path) != known:
                raise self._not_saved("somebody else changed it, although this run has the lock")
            self._known = known
            return known.size
        else:
            end = self._repair()
        # Whoever made it may have died before its name was durable.
        self._files.sync_folder(self.path.parent)
        self._doubtful_from = None
        return end

    def _repair(self) -> int:
        """Make the file where there is none, and cut off what a writer that died left."""
        if not os.path.lexists(self.path):
            os.close(self._files.create(self.path))
            return 0
        content = self._read_content()
        if content.end < content.size:
            self._cut(content.end)
        return content.end

    def _cut(self, end: int) -> None:
        descriptor = self._files.open_at_end(self.path)
        try:
            self._files.truncate(descriptor, end)
            self._files.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _add(self, line: bytes, end: int) -> None:
        """Write behind `end`. The descriptor is a new one each time, so a failed one is never asked again."""
        try:
            descriptor = self._files.open_at_end(self.path)
            try:
                write_all(self._files, descriptor, line)
                self._files.sync_data(descriptor)
                self._known = signature_of(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        except OSError:
            self._known, self._doubtful_from = None, end
            # At once, so that a reader does not meet what was refused; else the next append has to.
            with contextlib.suppress(OSError):
                self._cut(end)
                self._doubtful_from = None
            raise

    def _read_content(self) -> _Content:
        try:
            data = read_file(self.path, self._limit)[0]
        except FileNotFoundError:
            return _Content()
        except OSError as error:
            raise StateUnreadable(f"the journal {self.path} can't be read: {explain(error)}") from None
        entries: list[JournalEntry] = []
        end = 0
        for number, line in enumerate(_split(data), 1):
            try:
                found = _parse_line(line)
            except DocumentError as error:
                raise self._damaged(number, error.message, error.hint) from None
            if found is None:
                if end + len(line) < len(data) or _swallowed_another(line):
                    raise self._damaged(number, "its checksum does not fit")
                break
            entries += found
            end += len(line)
        return _Content(tuple(entries), end, len(data))

    def _damaged(self, line: int, reason: str, hint: str | None = None) -> StateUnreadable:
        return StateUnreadable(
            f"the journal is damaged: {self.path}:{line}: {reason}",
            hint=hint
            or f"restore {self.path}; or keep a copy and take line {line} out, and look up on the platform what became "
            "of what it speaks of",
        )

    def _not_saved(self, reason: str, hint: str | None = None) -> StateError:
        return StateError(
            f"the journal {self.path} could not be written: {reason}",
            code="journal_not_saved",
            hint=hint
            or "make room or repair the cause, then apply again: it first finds out what became of what was sent",
        )


def _render_line(entries: Sequence[JournalEntry]) -> bytes:
    document: dict[str, Json] = {"format_version": _FORMAT_VERSION, "entries": [dict(entry) for entry in entries]}
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    checked = b"%d %s" % (len(text), text)
    return b"%08x %s\n" % (zlib.crc32(checked), checked)


def _split(data: bytes) -> Iterator[bytes]:
    """The lines, each with its end; only the last may lack it."""
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start) + 1 or len(data)
        yield data[start:stop]
        start = stop


def _parse_line(line: bytes) -> list[Mapping[str, Json]] | None:
    """The entries of a line, None where it is not as it was written. Raises DocumentError for what is not ours."""
    text = _find_text(line)
    if text is None or line[text.stop :] != b"\n":
        return None
    document = parse_document(line[text])
    ensure_format(document, major=_FORMAT_MAJOR)
    # Fields tells what is wrong with an entry that is no object.
    list(Fields(document).children("entries"))
    entries = document["entries"]
    assert isinstance(entries, list)
    return [entry for entry in entries if isinstance(entry, dict)]


def _find_text(line: bytes) -> slice | None:
    """Where the JSON of a line stands by its head; None where that is not what was written."""
    head = _HEAD.match(line)
    if head is None:
        return None
    end = head.end() + int(head[3])
    if zlib.crc32(line[head.start(2) : end]) != int(head[1], 16):
        return None
    return slice(head.end(), end)


def _swallowed_another(line: bytes) -> bool:
    """Whether more stands behind a whole line, for the end of it was damaged: then the last line is not all of it."""
    text = _find_text(line)
    return text is not None and len(line) > text.stop + 1
