"""`python -m statetool`. Owns nothing but the call."""

from __future__ import annotations

import sys

from statetool.cli import main

if __name__ == "__main__":
    sys.exit(main())
