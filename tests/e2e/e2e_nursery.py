"""`statetool` processes that start at once: forked from one that has loaded everything already.

Each is a process of its own, with its own folder, environment, streams and exit code, as any other; only the loading,
which is most of a short command, is done once. What a cold start does is for tests that start one
(`ProjectFolder.start`, `test_wheel.py`, `test_start_up.py`).

    statetool (a few lines, in PATH) ── Unix socket: words, folder, environment, three streams ──> nursery ── fork
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

HERE = Path(__file__)
_PRELOADED = ("httpx", "rich.progress", "jsonschema", "deepdiff", "yaml", "starlette.applications", "dateutil.rrule")

_STUB = """\
#!{python} -IS
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({path!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [b"%8d" % len(asked)], [0, 1, 2])
line.sendall(asked)
ended = line.recv(16)
os._exit(int(ended) if ended else 70)
"""


@cache
def program_folder() -> Path:
    """A folder for PATH whose `statetool` starts at once. One nursery for each process of the test run."""
    folder = Path(tempfile.mkdtemp(prefix="st-"))
    path = str(folder / "line")
    ready, told = os.pipe()
    nursery = subprocess.Popen(
        [sys.executable, str(HERE), path, str(told)],
        pass_fds=(told,),
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
    )
    os.close(told)
    assert os.read(ready, 1) == b"!", "the nursery did not start"
    os.close(ready)
    stub = folder / "statetool"
    stub.write_text(_STUB.format(python=sys.executable, path=path))
    stub.chmod(0o755)
    atexit.register(nursery.kill)
    return folder


def _serve(path: str, told: int) -> None:
    import importlib

    for name in _PRELOADED:
        importlib.import_module(name)
    for source in sorted((HERE.parents[2] / "statetool").rglob("*.py")):
        name = ".".join(source.relative_to(HERE.parents[2]).with_suffix("").parts)
        if not name.endswith(("__main__", "__init__", "backends.s3", "s3_objects", "s3_journal", "s3_register")):
            importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    os.write(told, b"!")
    os.close(told)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(_attend(line))
        line.close()


def _attend(line: socket.socket) -> int:
    """One command: in a child of ours, so that its end can be told."""
    head, streams, *_ = socket.recv_fds(line, 8, 3)
    asked = b""
    while len(asked) < int(head):
        asked += line.recv(2**20)
    child = os.fork()
    if child == 0:
        line.close()
        _run(*json.loads(asked), streams)
    for stream in streams:
        os.close(stream)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    line.sendall(str(code % 256).encode())
    return 0


def _run(words: list[str], folder: str, environ: dict[str, str], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["statetool", *words]
    # The nursery's own streams know the files that they were opened on.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a stream, for as long as we live
    sys.stdout, sys.stderr = (
        open(number, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115 - likewise
        for number in (1, 2)
    )
    code: int | str | None = 70
    try:
        from statetool.__main__ import run

        run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
