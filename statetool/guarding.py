"""Which guards hold now: the limits of a project, and the freezes that are on at this hour.

Owns putting the two together. What a guard refuses is `core/guards.py`, when a freeze is on `freeze.py`.
"""

from __future__ import annotations

from datetime import datetime

from statetool.config import Settings
from statetool.core.guards import Guards
from statetool.freeze import freezes_at, load_shared_freezes


def guards_at(settings: Settings, now: datetime) -> Guards:
    """The guards of a project at an instant with time zone. Reads the shared freeze file, where there is one."""
    shared = load_shared_freezes(settings.freeze_from, settings.timezone, now) if settings.freeze_from else ()
    return Guards(
        max_share=settings.max_share,
        max_scale_down=settings.max_scale_down,
        min_replicas=settings.min_replicas,
        max_weight_step=settings.max_weight_step,
        max_actions=settings.max_actions,
        freezes=(*freezes_at(settings.freeze, now), *shared),
    )
