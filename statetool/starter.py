"""The first files of a project, as `statetool init` writes them.

Owns their text. They work as they stand, offline, on the sandbox in a file; what to write for a real project
stands beside it as comments. It must not overwrite anything.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from statetool.backends.files import explain
from statetool.errors import StatetoolError

_CONFIG = """\
# Settings of this project. Paths are relative to this file. Credentials never stand here: they come from the
# environment (HW_ACCESS_KEY and HW_SECRET_KEY, or HW_AUTH_TOKEN) or from ~/.huaweicloud/credentials.
# `statetool schema config` prints every key.
version: 1

platform:
  # A simulated ServiceStage in a file. For a real project remove this line and write those below it.
  endpoint: sandbox:.statetool/sandbox.db
  # endpoint: https://servicestage.cn-north-4.myhuaweicloud.com
  # region: cn-north-4                               # or HW_REGION_NAME
  # project_id: 0123456789abcdef0123456789abcdef     # or HW_PROJECT_ID; else looked up
  # auth: auto                                       # auto | aksk | token | password

# Files, or folders whose *.yaml and *.yml are read.
manifests: [manifests/]

# What was applied last, and what was seen: keep it where every run finds it, and out of Git.
state:
  path: .statetool/state.json

limits:
  parallelism: 10        # changing requests at once
  # reads_per_second: 20     # requests to the platform, at most; fewer where it answers that they are too many
  # writes_per_minute: 300
  max_failures: 5        # failed actions after which nothing new is started
  # retries: 1               # how often an action whose job failed is sent again
  job_timeout_s: 1200    # how long one job of the platform may take; or {default: 1200, upgrade: 3600}
  # quiet_period_s: 90       # how long a request whose answer is lost may still arrive
  poll_interval_s: 0.2   # the sandbox's jobs take a second; for the platform write 5

# What one plan may do, whatever the manifests say. `statetool plan --override CODE` lets one through, once.
guards:
  max_share: 30          # percent of the components (from ten on) that one plan may change or forget
  max_scale_down: 50     # percent of its instances that one plan may take from a component
  # min_replicas: 2
  # max_weight_step: 25      # percent of traffic added to a candidate at once
  # max_actions: 50
  # freeze:
  #   - {reason: weekend, from: 2026-01-02 17:00, to: 2026-01-05 08:00, timezone: Asia/Shanghai,
  #      repeat: FREQ=WEEKLY;BYDAY=FR}

# timezone: Asia/Shanghai    # how times are shown; default: this machine's
"""

_MANIFEST = """\
# What should run. A field that is left out is not managed: what runs stays as it is.
# `statetool schema manifest` prints every key.
application: shop
components:
  cart:
    version: 1.4.1       # the only version that serves; an earlier one rolls back, a new one is deployed
    replicas: 6
  search:
    version: 2.1.0       # the stable version of a gray release
    gray:
      version: 2.2.0     # its candidate; one that does not run yet is started
      weight: 20         # percent of the traffic; 100 promotes it
    depends_on: [cart]   # changed only after cart has been
  pay:
    replicas: 4
    # lifecycle: {drift: correct}    # put back by `statetool drift --correct` what somebody changed outside
"""

_SEED = """\
# What runs in the sandbox before the first plan. A real project needs no such file.
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.0, 1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      pay: {version: 3.0.1, replicas: 4}
"""

FILES = {"statetool.yaml": _CONFIG, "manifests/shop.yaml": _MANIFEST, "seed.yaml": _SEED}


def write_starter(directory: Path) -> list[Path]:
    """Write the files into a folder, which is made where it is missing. Raises StatetoolError; then it wrote none."""
    paths = {directory / name: text for name, text in FILES.items()}
    try:
        there = [path for path in paths if path.is_symlink() or path.exists()]
    except OSError as error:
        raise StatetoolError(f"{directory} can't be written: {explain(error)}", code="init_failed") from None
    if there:
        raise StatetoolError(
            f"{', '.join(map(str, there))} {'is' if len(there) == 1 else 'are'} there already; nothing was written",
            code="init_exists",
            hint="name another folder: statetool init DIR",
        )
    for path, text in paths.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise StatetoolError(f"{path} can't be written: {explain(error)}", code="init_failed") from None
    return list(paths)


def next_commands(directory: Path) -> list[str]:
    """What to type next, ready to be copied."""
    enter = [] if directory == Path() else [f"cd {shlex.quote(str(directory))}"]
    return [*enter, "statetool sandbox seed seed.yaml", "statetool plan", "statetool apply"]
