"""The program: `statetool`, or `python -m statetool`. Owns the moments before the command line is loaded."""

from __future__ import annotations

import signal
import sys


def run() -> None:
    """Load the command line and run it. Ctrl-C while it loads ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from statetool.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())


if __name__ == "__main__":
    run()
