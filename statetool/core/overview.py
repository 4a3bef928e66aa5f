"""What a project is set to, as values: every setting with where it came from. Nothing here shows a secret.

Owns the shape only. Putting it together is `overview.py`, showing it `render/settings.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from statetool.core.model import Json


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting by its name in statetool.yaml. `value` None: there is none, and `origin` says what that means."""

    name: str
    value: Json
    origin: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All settings of the project in the folder `root`.

    `iam_endpoint` is where tokens and project ids are asked for; `credentials` has their kind as its value.
    `allowed_hosts` may have credentials beside the platform's own hosts. `state_location` is where the backend keeps
    the state, and `state_credentials` has the kind of what it is given there.
    """

    root: str
    settings: Sequence[Setting]
    iam_endpoint: Setting
    credentials: Setting
    allowed_hosts: Setting
    state_location: str
    state_credentials: Setting
