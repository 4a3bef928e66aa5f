"""Looking at one component by its address, for commands that speak of one, with or without manifests.

Owns that look only: what the address means is `core/locating.py`, what is done with the component is the command's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from statetool.core.locating import find_one
from statetool.core.model import Address, Desired, Observed, StatusClass
from statetool.session import Project, Session
from statetool.workflow import Request, load_desired, wait_for

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


def load_desired_if_any(project: Project, request: Request) -> tuple[Desired, ...]:
    """The manifests, which whoever must act does not need; but those that are there must be readable, for they may
    protect a component. Raises InvalidInput."""
    has_manifests = any(location.exists() for location in project.settings.manifests)
    return load_desired(project, replace(request, allow_empty=True)) if has_manifests else ()


async def fetch_one(platform: ServiceStage, address: Address) -> Observed:
    """The one component an address names, with its `closer`. Raises StatetoolError for none and for several."""
    [observed] = await platform.fetch_closer_looks([await _fetch_row(platform, address)])
    return observed


async def fetch_one_idle(session: Session, platform: ServiceStage, address: Address) -> Observed:
    """The same once no job moves it, or the wait for that has been long enough."""
    observed = await _fetch_row(platform, address)
    if observed.status_class is StatusClass.BUSY:
        await wait_for(session, platform, [observed])
        observed = await platform.fetch_component(observed)
    [observed] = await platform.fetch_closer_looks([observed])
    return observed


async def _fetch_row(platform: ServiceStage, address: Address) -> Observed:
    applications = [a for a in await platform.fetch_applications() if address.application in (a.name, a.id)]
    return find_one(address, await platform.fetch_components_of(applications))
