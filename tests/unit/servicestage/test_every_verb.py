"""Every verb that the vendor's SDK knows can be asked for here, so that a new one can't be forgotten."""

from __future__ import annotations

from typing import Any

from huaweicloudsdkservicestage.v3 import model as vendor

from statetool.core.raw_action import TAKES

DOCUMENTED_ONLY = {"sync_workload"}
"""In the documents since 2025, in no SDK yet [4.3]."""

NO_ACTIONS = {"upgrade"}
"""A PUT of the whole component, which the platform does not call an action [endpoint 16]."""

LEFT_OUT = {"sync_import"}
"""Compares a workload before and after an import; what it takes and answers nobody says, and nothing here imports
workloads into the platform [4.3]."""


def vendor_verbs() -> set[str]:
    """The values of the SDK's enum of component actions."""
    enum: Any = vendor.ComponentActionType
    return {str(getattr(enum, name)) for name in vars(enum) if name.isupper()}


def test_the_sdk_still_shows_its_verbs_where_they_are_looked_for() -> None:
    """Else an empty enum would prove anything."""
    assert {"start", "stop", "restart", "scale", "rollback"} <= vendor_verbs()


def test_every_verb_of_the_vendor_can_be_asked_for() -> None:
    """By `statetool action`; most of them follow from manifests too."""
    assert {str(verb) for verb in TAKES} == vendor_verbs() - LEFT_OUT | DOCUMENTED_ONLY | NO_ACTIONS
