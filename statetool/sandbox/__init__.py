"""An independent simulator of the ServiceStage V3 API, for tests, the tutorial and the demo.

Owns the public names of the package and nothing else. It imports nothing of statetool outside this package, so
that its reading of the platform's facts stays independent of the client's. The web server and its friends are
loaded when first asked for: `import statetool.sandbox` alone must stay cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statetool.sandbox.access import Accounts
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.facade import Sandbox
from statetool.sandbox.fault_schedule import FaultCount
from statetool.sandbox.faults import Fault, FaultKind
from statetool.sandbox.model import LogEntry, SeedSummary

if TYPE_CHECKING:
    from statetool.sandbox.app import create_app
    from statetool.sandbox.control import ControlClient
    from statetool.sandbox.server import serve
    from statetool.sandbox.transport import SandboxTransport

__all__ = [
    "Accounts",
    "ControlClient",
    "Fault",
    "FaultCount",
    "FaultKind",
    "LogEntry",
    "Sandbox",
    "SandboxError",
    "SandboxTransport",
    "SeedSummary",
    "create_app",
    "serve",
]

_HOMES = {"create_app": "app", "serve": "server", "ControlClient": "control", "SandboxTransport": "transport"}


def __getattr__(name: str) -> Any:
    """Load the names that need starlette, uvicorn or httpx only when somebody uses them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
