"""Which image or package a version runs from, where it follows from the one that runs now.

Owns that one rule. An artifact is never guessed: where its address does not end in the version, nobody knows.
"""

from __future__ import annotations

from dataclasses import replace

from statetool.core.deploy import Artifact
from statetool.core.model import Observed


def artifact_of_version(observed: Observed, running: str | None, wanted: str) -> Artifact | None:
    """The artifact of `wanted`: the address of the one that runs, with its last part replaced. None where it does not
    end in the version that runs, or was not read."""
    artifact = observed.closer.artifact if observed.closer else None
    return None if artifact is None or running is None else follow_version(artifact, running, wanted)


def follow_version(artifact: Artifact, running: str, wanted: str) -> Artifact | None:
    """The same artifact with the version at the end of its address replaced; None where it does not end in it."""
    if not artifact.url.endswith(running):
        return None
    before = artifact.url.removesuffix(running)
    # 11.4.2 also ends in 1.4.2: what stands before must part the version from the rest. So does the v of v1.4.2.
    parting = before.removesuffix("v")
    if parting and (parting[-1].isalnum() or parting[-1] == "."):
        return None
    return replace(artifact, url=before + wanted)
