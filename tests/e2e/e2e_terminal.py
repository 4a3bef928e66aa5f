"""A command on a terminal of its own, as a person sits before it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from e2e_project import PATIENCE_S, ProjectFolder


@dataclass
class Screen:
    """A child on a terminal of its own."""

    child: subprocess.Popen[bytes]
    terminal: int
    shown: str = ""

    def until(self, text: str) -> None:
        """Read on until `text` was shown."""
        while text not in self.shown:
            assert self._read(), f"ended before {text!r}:\n{self.shown}"

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        return self.child.wait(PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], PATIENCE_S)
        assert ready, f"nothing more is shown:\n{self.shown}"
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the way Linux says that the other side has closed
            return False
        self.shown += data.decode()
        return bool(data)


@contextmanager
def on_terminal(project: ProjectFolder, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Screen]:
    """`statetool` with stdin, stdout and stderr on one terminal, as a session leader that Ctrl-C reaches."""
    master, slave = pty.openpty()
    environment = {**project.environment, "TERM": "xterm", **(environ or {})}
    with subprocess.Popen(
        [sys.executable, "-m", "statetool", *arguments],
        cwd=project.root,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as child:
        os.close(slave)
        try:
            yield Screen(child, master)
        finally:
            child.kill()
            os.close(master)
