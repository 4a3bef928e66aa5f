"""All checks of the contract, in the order in which a reader would ask."""

from __future__ import annotations

import checks_of_journals
import checks_of_locks
import checks_of_state
from contract_kit import Check

CHECKS: tuple[Check, ...] = (*checks_of_state.CHECKS, *checks_of_locks.CHECKS, *checks_of_journals.CHECKS)
