"""Which verb a component takes in which status: section 5 of the semantics, written down a second time.

Nothing of the tool is asked here, nor of the sandbox: these are the words of the platform's documents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

SERVING = frozenset({"scale", "stop", "restart", "upgrade", "rollback", "check_gray_release"})
PAUSING = frozenset({"continue_deploy", "modify_gray_rule", "rollback", "rollback_current"})
BROKEN = frozenset({"rollback", "sync_workload"})
DEPLOYING = frozenset({"upgrade", "check_gray_release"})

TABLE: Mapping[str, frozenset[str]] = {
    "RUNNING": SERVING,
    "PENDING": SERVING,
    "GRAYING": PAUSING,
    "STOPPED": frozenset({"start"}),
    "FAILED": BROKEN,
    "PARTIALLY_FAILED": BROKEN,
    "UNKNOWN": BROKEN,
    "DOWN": BROKEN,
}
"""Every other word is one of a component that is busy."""


def allowed(status: str, overrides: Collection[str] = ()) -> frozenset[str]:
    """The verbs that a component in this status takes."""
    verbs = TABLE.get(status, frozenset())
    return verbs | DEPLOYING if verbs is BROKEN and "failed_component" in overrides else verbs


def status_after(verb: str, before: str, *, starts_gray: bool = False) -> str:
    """The status that a verb leaves behind, where all goes well."""
    if verb in ("check_gray_release", "sync_workload"):
        return before
    if verb == "stop":
        return "STOPPED"
    return "GRAYING" if verb == "modify_gray_rule" or starts_gray else "RUNNING"
