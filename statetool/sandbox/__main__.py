"""`python -m statetool.sandbox`: serve a sandbox from the command line.

Owns the arguments and the exit code (0 after a signal, 1 with one sentence on stderr). Must not do anything else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from statetool.sandbox.errors import SandboxError
from statetool.sandbox.server import serve


def main() -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m statetool.sandbox", description="Serve a simulated ServiceStage.")
    parser.add_argument("--data", type=Path, required=True, help="file of the world; made where it does not exist")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--job-seconds", type=float, help="how long a job takes (default: what the world says, or 1)")
    arguments = parser.parse_args()
    try:
        serve(arguments.data, port=arguments.port, job_seconds=arguments.job_seconds)
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
