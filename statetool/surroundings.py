"""Where and by whom a command runs: clock, user, host, git commit, CI job.

Owns every look at the machine around the tool except configuration and credentials, so that the rest gets them
handed in. It must never fail a command: what can't be told is None.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import subprocess
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from statetool.backends import LockInfo
from statetool.core.model import AppliedFrom

_GIT_TIMEOUT_S = 5
_CREDENTIAL_PREFIXES = ("HW_", "HUAWEICLOUD_", "OS_", "TF_HTTP_", "AWS_", "PG")
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TF_BUILD")
_LOCAL_TIME = Path("/etc/localtime")
_LONGEST_URL = 2000  # it stands in every lock, whose readers have their limits
_CREDENTIALS_IN_URL = re.compile(r"//[^/@]*@")


def utc_now() -> datetime:
    """This instant, with time zone."""
    return datetime.now(UTC)


def now() -> str:
    """This instant in UTC, RFC 3339 to the second."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id() -> str:
    return str(uuid.uuid4())


def user_at_host() -> str:
    """`user@host` for people who meet a lock or a rejection."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def lock_info(operation: str, run_id: str, tool_version: str, environ: Mapping[str, str]) -> LockInfo:
    return LockInfo(
        id=new_id(),
        operation=operation,
        who=user_at_host(),
        host=socket.gethostname(),
        pid=os.getpid(),
        tool_version=tool_version,
        created=now(),
        run_id=run_id,
        ci_url=ci_url(environ),
    )


def ci_url(environ: Mapping[str, str]) -> str | None:
    """Address of the CI job this runs in: GitLab names it, GitHub gives its parts."""
    if environ.get("CI_JOB_URL"):
        return _without_credentials(environ["CI_JOB_URL"])
    parts = [environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if all(parts):
        return _without_credentials(f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}")
    return None


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of a CI system: every usual one sets one of these variables."""
    told = (environ.get(name, "").strip().lower() for name in _CI_VARIABLES)
    return any(value not in ("", "0", "false") for value in told)


def applied_from(root: Path, environ: Mapping[str, str]) -> AppliedFrom:
    """Commit of the project folder and whether it differs from it; all None outside git."""
    commit = _git(root, "rev-parse", "--short=7", "HEAD")
    changed = _git(root, "status", "--porcelain", "--", ".") if commit else None
    dirty = None if changed is None else bool(changed)
    return AppliedFrom(commit=commit, dirty=dirty, run_url=ci_url(environ))


def _git(root: Path, *arguments: str) -> str | None:
    # A repository's own configuration can name programs to run: they get no hook to run by, and no credentials.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(root), *arguments]
    harmless = {name: value for name, value in os.environ.items() if not name.startswith(_CREDENTIAL_PREFIXES)}
    try:
        # LC_ALL: nothing here reads messages, but a broken locale must not matter either.
        done = subprocess.run(  # noqa: S603 - a fixed program with fixed arguments; the path is one argument
            command,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env={**harmless, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _without_credentials(url: str) -> str:
    return _CREDENTIALS_IN_URL.sub("//", url)[:_LONGEST_URL]


def timezone(name: str | None, environ: Mapping[str, str]) -> ZoneInfo | None:
    """The zone in which times are shown: `name`, else the system's. None, which views take for UTC, without one."""
    wanted = name or environ.get("TZ", "").removeprefix(":")
    with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
        if wanted:
            return ZoneInfo(wanted)
        with _LOCAL_TIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    return None
