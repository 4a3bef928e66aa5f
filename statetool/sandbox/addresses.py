"""Components by the address people write: app/component or app/component@env.

Owns the look-up and its messages, and changing a component found that way. Must not know HTTP, SQL or rules.
"""

from __future__ import annotations

import difflib
import uuid

from statetool.sandbox.disturb import Disturbance, disturbed
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.tables import Tables


def resolve(tables: Tables, address: str, now_ms: int) -> str:
    """The id of the one component an address names. Raises SandboxError for none (with near names) or several."""
    address = address.encode("utf-8", "replace").decode()  # a database takes no lone surrogates
    names, _, environment = address.partition("@")
    application, _, component = names.partition("/")
    found = tables.addresses(now_ms, application, component) if application and component else []
    found = [row for row in found if not environment or row[2] == environment]
    if len(found) == 1:
        return found[0][3]
    if found:
        choices = ", ".join(f"{row[0]}/{row[1]}@{row[2]}" for row in found)
        raise SandboxError(f"{address!r} names several components: {choices}")
    known = tables.addresses(now_ms)
    texts = {f"{row[0]}/{row[1]}" for row in known}
    if environment:
        texts = {f"{row[0]}/{row[1]}@{row[2]}" for row in known}
    near = difflib.get_close_matches(address, sorted(texts), n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else f"; it holds {len(known)} components"
    raise SandboxError(f"no component {address!r} in the sandbox{hint}")


def addresses_of(tables: Tables, component_id: str) -> frozenset[str]:
    """Every address that names a component; none where there is no such id."""
    names = tables.names(component_id) if component_id.isascii() else None
    if names is None:
        return frozenset()
    application, component, environment = names
    return frozenset({f"{application}/{component}", f"{application}/{component}@{environment}"})


def disturb(tables: Tables, address: str, change: Disturbance, now_ms: int) -> None:
    """Change a component behind the tool's back, and add the job this leaves. Raises SandboxError."""
    component = tables.component(resolve(tables, address, now_ms))
    if component is None:
        raise SandboxError(f"no component {address!r} in the sandbox")
    keep_newer = tables.switches().newer_records == "kept"
    changed, job = disturbed(component, change, now_ms, f"JOB{uuid.uuid4()}", keep_newer=keep_newer)
    tables.put_component(changed)
    if job is not None:
        tables.add_job(job)
