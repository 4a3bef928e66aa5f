"""Files that are there whole or not at all, readable by their owner only.

Owns the system calls that may fail while a file is replaced, gathered in one object so that a test can make any
of them fail, and the recipe built from them. It must not know what is in the files. Errors leave as OSError:
whoever calls knows what the file meant to a person, and says it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PRIVATE = 0o600
_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV})


class FileSystem:
    """The calls that change a disk or promise durability."""

    def create(self, path: Path, mode: int = PRIVATE) -> int:
        """A descriptor of a new file, by default of mode 0600. Never follows a link, never opens what is there already.

        The process' umask takes from `mode` what it forbids.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def open_at_end(self, path: Path) -> int:
        """A descriptor of a file that is there; every write adds to it. Never follows a link."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)

    def sync_data(self, descriptor: int) -> None:
        """Make content and length durable, but no times of the file: that saves a write of the disk."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def link(self, source: Path, target: Path) -> None:
        os.link(source, target, follow_symlinks=False)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Signature:
    """Tells whether a file is still the very file that was read or written. Replacing it changes the inode."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def signature_of(status: os.stat_result) -> Signature:
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def find_signature(path: Path) -> Signature | None:
    """The signature of a regular file; None where there is none, or anything else stands there."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return signature_of(status) if stat.S_ISREG(status.st_mode) else None


def read_file(path: Path, limit: int, *, follow_links: bool = False) -> tuple[bytes, Signature]:
    """The bytes of a regular file. Raises OSError, also for links, folders, pipes and files over `limit` bytes."""
    # Non-blocking, or opening a pipe that nobody writes to would hang.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit // 2**20} MiB", str(path))
    return data, signature_of(status)


def replace_file(files: FileSystem, path: Path, data: bytes) -> None:
    """Put `data` at `path`: whole and durable when this returns, the old content untouched where it raises OSError.

    Only a failure to make the *name* durable, at the very end, leaves the new content in place.
    """
    with temporary_file(files, path, data) as temporary:
        files.replace(temporary, path)
    files.sync_folder(path.parent)


def write_all(files: FileSystem, descriptor: int, data: bytes) -> None:
    """Write until everything is: a kernel may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[files.write(descriptor, bytes(rest)) :]


@contextlib.contextmanager
def temporary_file(files: FileSystem, path: Path, data: bytes, *, mode: int = PRIVATE) -> Iterator[Path]:
    """A durable file with `data` beside `path`, to be renamed within the block; what is left of it is removed."""
    temporary = temporary_name(path)
    descriptor = files.create(temporary, mode)
    try:
        try:
            write_all(files, descriptor, data)
            files.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        discard(temporary)


def rename_to_nothing(files: FileSystem, source: Path, target: Path) -> None:
    """Give the file a name that nothing has yet; `source` may stay as another one. Raises FileExistsError."""
    try:
        files.link(source, target)  # unlike a rename it never takes the place of anything
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        files.replace(source, target)


def keep_previous(files: FileSystem, path: Path, backup: Path) -> None:
    """Make `backup` the file that `path` is now, by a second name: `path` itself is there at every instant."""
    temporary = temporary_name(backup)
    try:
        files.link(path, temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Some file systems have no hard links; a copy serves as well, it only costs more.
        data, status = path.read_bytes(), path.stat()
        with temporary_file(files, backup, data) as copy:
            # Like a second name, the copy tells when its content was written.
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
            files.replace(copy, backup)
        return
    try:
        files.replace(temporary, backup)
    finally:
        # Renaming a name onto another name of the same file does nothing at all, says POSIX: both names stay.
        discard(temporary)


def temporary_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp-{secrets.token_hex(8)}")


def remove_temporaries(path: Path, companions: str) -> None:
    """Remove what killed writers of `path` left, and of its companion files (a pattern of their suffixes).

    Only for who holds the lock: a live writer's look the same.
    """
    left = re.compile(rf"{re.escape(path.name)}(\.({companions}))?\.tmp-[0-9a-f]{{16}}")
    with contextlib.suppress(OSError):
        for entry in list(path.parent.iterdir()):
            if left.fullmatch(entry.name):
                discard(entry)


def discard(path: Path) -> None:
    """Remove a file nobody needs; one that can't be removed harms nobody."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def explain(error: OSError) -> str:
    """The reason of a failed call in words."""
    if error.errno == errno.ELOOP:
        return "it is a symbolic link, which is refused"
    if error.errno == errno.EISDIR:
        return "it is a folder"
    reason = error.strerror or type(error).__name__
    return reason[0].lower() + reason[1:]
