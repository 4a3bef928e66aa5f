"""The two ways the sandbox says no.

Owns `SandboxError` (the operator of the sandbox did something impossible) and `Refusal` (the simulated platform
answers a request with an error). Must not know about HTTP frameworks, files or the world.
"""

from __future__ import annotations

_MISSING = {
    "application": "SVCSTG.00100403",
    "component": "SVCSTG.00100404",
    "environment": "SVCSTG.00100411",
}


class SandboxError(Exception):
    """Something about the sandbox itself is wrong; `str()` is one sentence fit for a terminal."""


class Refusal(Exception):
    """An error answer of the simulated platform: HTTP status, error code, message (body of section 10.1)."""

    def __init__(self, status_code: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """400, the parameter is invalid [06_0162]."""
    return Refusal(400, "SVCSTG.00100400", message)


def conflict(message: str, style: str = "409") -> Refusal:
    """Busy or in the wrong state. SIM: neither status nor code of the platform is known (section 13.5).

    Style "409" (default) answers 409 with an invented code, style "400" the documented one for a bad parameter.
    """
    return invalid(message) if style == "400" else Refusal(409, "SVCSTG.00100409", message)


def unknown_action(action: str) -> Refusal:
    """400, component instance action not defined [06_0162]."""
    return Refusal(400, "SVCSTG.00100418", f"action not defined: {action[:64]}")


def unknown_job() -> Refusal:
    """404, job not found [06_0162]."""
    return Refusal(404, "SVCSTG.00100429", "job not found")


def unknown_version(version: str) -> Refusal:
    """404, snapshot not found [06_0162]: the closest documented code for a version that is not recorded."""
    return Refusal(404, "SVCSTG.00100436", f"snapshot not found: version {version[:64]}")


def unknown_api() -> Refusal:
    """404 of the API gateway: no such path or method [SIGN]."""
    return Refusal(404, "APIGW.0101", "the API does not exist or has not been published in the environment")


def unauthenticated(reason: str) -> Refusal:
    """401 of the API gateway: wrong, missing or expired credentials of any kind [SIGN]."""
    return Refusal(401, "APIGW.0301", f"incorrect IAM authentication information: {reason}")


def clock_skew() -> Refusal:
    """401 of the API gateway: signed more than 15 minutes ago, or ahead [SIGN]."""
    return Refusal(401, "APIGW.0303", "incorrect app authentication information: the signature has expired")


def used_version(version: str) -> Refusal:
    """409, instance version already used [api_0026]; the status is inferred."""
    return Refusal(409, "SVCSTG.00100441", f"instance version already used: {version[:64]}")


def taken_name(kind: str, name: str) -> Refusal:
    """An application or environment of this name exists [06_0162, FAQ]; for components the code is not known (SIM)."""
    status, code = {
        "application": (409, "SVCSTG.00100458"),
        "environment": (400, "SVCSTG.00100449"),
        "component": (409, "SVCSTG.00100409"),
    }[kind]
    return Refusal(status, code, f"{kind} name already used: {name[:64]}")


def missing(kind: str, style: str) -> Refusal:
    """An application, component or environment that does not exist or is not visible.

    Style "401" (default) answers 401 SVCSTG.00100401, which is what the terraform provider meets [TF]; style "404"
    answers the documented 404 codes [06_0162].
    """
    message = f"{kind} does not exist"
    if style == "404":
        return Refusal(404, _MISSING[kind], message)
    return Refusal(401, "SVCSTG.00100401", message)
