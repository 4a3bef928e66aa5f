"""Which image or package a version runs from, where it follows from the one that runs now.

Owns that one rule. An artifact is never guessed: where its address does not end in the version, nobody knows.
"""

from __future__ import annotations

from dataclasses import replace

from statetool.core.model import Artifact, Observed


def artifact_of_version(observed: Observed, running: str | None, wanted: str) -> Artifact | None:
    """The artifact of `wanted`: the address of the one that runs, with its last part replaced. None where it does not
    end in the version that runs, or was not read."""
    artifact = observed.closer.artifact if observed.closer else None
    if artifact is None or running is None or not artifact.url.endswith(running):
        return None
    before = artifact.url.removesuffix(running)
    # 11.4.2 also ends in 1.4.2: what stands before must part the version from the rest.
    if before and (before[-1].isalnum() or before[-1] == "."):
        return None
    return replace(artifact, url=before + wanted)
