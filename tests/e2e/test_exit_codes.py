"""The exit code of every command and outcome, in text and JSON modes, as one table.

A row is prepared in a folder of its own and run twice from there: as a person types it, and with --json where the
command has that. JSON must be valid against its schema, and an error must be told in the mode that was asked for.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
import pytest
from e2e_loopback import Asked, Reply, loopback
from e2e_project import CLONE, PATIENCE_S, ProjectFolder
from jsonschema import Draft202012Validator

from statetool import surroundings
from statetool.backends.local import LocalBackend
from statetool.cli import COMMANDS, main, statetool
from statetool.errors import ExitCode

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.0, 1.4.1]}
      pay: {version: 3.0.1, replicas: 4}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
"""
SAME = "application: shop\ncomponents:\n  cart: {version: 1.4.2, replicas: 4}\n  pay: {replicas: 4}\n"
MORE = SAME.replace("replicas: 4}\n  pay", "replicas: 6}\n  pay")
PERMITTED = SAME.replace("pay: {replicas: 4}", "pay: {replicas: 4, lifecycle: {drift: correct}}")
FREEZE = """\
guards:
  freeze:
    - reason: all the time
      from: 2020-01-01 00:00
      to: 2020-01-02 00:00
      timezone: UTC
      repeat: FREQ=DAILY
      passes: []
"""
STRANGE = "  ghost: {replicas: 2}\n"
"""A component that the platform does not have: denied."""

Prepare = Callable[["Folder"], object]


class Terminal(io.StringIO):
    """Text typed at a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Folder:
    """A project, and commands run in it inside this process."""

    project: ProjectFolder

    def manifest(self, text: str) -> None:
        self.project.manifest(text)

    def apply(self, *arguments: str) -> int:
        return main(["apply", "--auto-approve", *arguments])

    def save_plan(self) -> int:
        return main(["plan", "--out", "saved.plan"])

    def damage_state(self) -> None:
        self.project.write(".statetool/state.json", "{")


def fresh(folder: Folder) -> None:
    """Nothing recorded; the manifest wants what runs."""
    folder.project.seed(SEED)
    folder.manifest(SAME)


def settled(folder: Folder) -> None:
    fresh(folder)
    folder.apply()


def edited(folder: Folder) -> None:
    """Recorded, and then the manifest was changed."""
    settled(folder)
    folder.manifest(MORE)


def frozen(folder: Folder) -> None:
    """A change that a freeze, which is on at any time, lets nobody make."""
    edited(folder)
    folder.project.configure(more=FREEZE)


def drifted(folder: Folder) -> None:
    settled(folder)
    folder.project.disturb("shop/pay", replicas=8)


def drifted_with_permission(folder: Folder) -> None:
    drifted(folder)
    folder.manifest(PERMITTED)


def drifted_half_permitted(folder: Folder) -> None:
    drifted_with_permission(folder)
    folder.project.disturb("shop/cart", replicas=8)


def failing(folder: Folder) -> None:
    edited(folder)
    folder.project.disturb("shop/cart", fail_next_job="quota exceeded")


def failing_correction(folder: Folder) -> None:
    drifted_with_permission(folder)
    folder.project.disturb("shop/pay", fail_next_job="quota exceeded")


def denied(folder: Folder) -> None:
    """A deny and nothing else."""
    settled(folder)
    folder.manifest(SAME + STRANGE)


def partly_denied(folder: Folder) -> None:
    settled(folder)
    folder.manifest(MORE + STRANGE)


def held_back(folder: Folder) -> None:
    """A gray release is running: the number of instances waits for its end."""
    settled(folder)
    folder.manifest(SAME + "  search: {replicas: 7}\n")


def saved(folder: Folder) -> None:
    edited(folder)
    folder.save_plan()


def saved_and_applied(folder: Folder) -> None:
    saved(folder)
    folder.apply()


def saved_and_moved(folder: Folder) -> None:
    """The component was changed after the plan was made."""
    saved(folder)
    folder.project.disturb("shop/cart", replicas=5)


def saved_then_frozen(folder: Folder) -> None:
    saved(folder)
    folder.project.configure(more=FREEZE)


def saved_and_spoilt(folder: Folder) -> None:
    saved(folder)
    path = folder.project.root / "saved.plan"
    path.write_text(path.read_text().replace('"replica": 6', '"replica": 60'))


def saved_for_elsewhere(folder: Folder) -> None:
    saved(folder)
    folder.project.configure("sandbox:elsewhere.db")


def rejected(folder: Folder) -> None:
    """Our own rollback rejects 1.4.2."""
    settled(folder)
    folder.manifest(SAME.replace("1.4.2", "1.4.1"))
    folder.apply()


def rejected_and_wished(folder: Folder) -> None:
    rejected(folder)
    folder.manifest(SAME)


def failing_release(folder: Folder) -> None:
    """The next job of a component that has a gray release open fails."""
    settled(folder)
    folder.project.disturb("shop/search", fail_next_job="quota exceeded")


def protected_release(folder: Folder) -> None:
    """Whatever is asked for by hand."""
    settled(folder)
    gray = "version: 2.1.0, gray: {version: 2.2.0, weight: 10}, lifecycle: {protected: true}"
    folder.manifest(f"{SAME}  search: {{{gray}}}\n")


def pulled(folder: Folder) -> None:
    """The state in a file, edited."""
    settled(folder)
    state = folder.project.state
    folder.project.write("edited.json", json.dumps({**state, "serial": state["serial"] + 1, "components": {}}))


def parked(folder: Folder) -> None:
    """The connection broke while a restart was sent: nobody can tell whether it ran."""
    folder.project.seed(SEED + "faults: [{kind: reset, method: POST, action: restart, times: 1}]\n")
    folder.manifest(SAME)
    folder.apply()
    folder.manifest(SAME.replace("pay: {", 'pay: {restart: "2", '))
    folder.apply()


PARKED = "shop/pay#1.1@2"
RESOLVE = f"state resolve {PARKED}"


def damaged(folder: Folder) -> None:
    settled(folder)
    folder.damage_state()


def bad_manifest(folder: Folder) -> None:
    settled(folder)
    folder.manifest(SAME.replace("replicas", "replica"))


def bad_config(folder: Folder) -> None:
    settled(folder)
    folder.project.write("statetool.yaml", "version: 1\nplatfrom: {}\n")


def no_project(folder: Folder) -> None:
    (folder.project.root / "statetool.yaml").unlink()


def no_credentials(folder: Folder) -> None:
    """A platform, and nothing that would open its door."""
    fresh(folder)
    folder.project.configure("http://127.0.0.1:9")


def no_world(folder: Folder) -> None:
    """The sandbox's file is no world."""
    fresh(folder)
    shutil.copy(folder.project.root / "statetool.yaml", folder.project.data)


def empty_folder(folder: Folder) -> None:
    """Where `init` starts."""
    (folder.project.root / "statetool.yaml").unlink()


def seed_file(folder: Folder) -> None:
    folder.project.write("seed.yaml", SEED)


def bad_seed_file(folder: Folder) -> None:
    folder.project.write("seed.yaml", "applications: {shop: {componets: {}}}\n")


@dataclass(frozen=True)
class Row:
    """`shape` says what --json prints where the command succeeds; None: the command has no --json."""

    command: str
    code: int
    prepare: Prepare = settled
    shape: str | None = "plan"
    typed: str | None = None
    locked: bool = False

    def __str__(self) -> str:
        how = " locked" if self.locked else f" typed={self.typed!r}" if self.typed is not None else ""
        return f"{self.command} after {self.prepare.__name__}{how} -> {self.code}"


ERROR = "diagnostics"
ROWS = [
    Row("plan", 0, fresh),
    Row("plan", 0, settled),
    Row("plan", 0, edited),
    Row("plan", 0, held_back),
    Row("plan", 4, frozen),
    Row("plan --detailed-exitcode --override freeze", 2, frozen),
    Row("plan --detailed-exitcode", 0, settled),
    Row("plan --detailed-exitcode", 0, drifted),
    Row("plan --detailed-exitcode", 2, fresh),
    Row("plan --detailed-exitcode", 2, edited),
    Row("plan --detailed-exitcode", 2, held_back),
    Row("plan --detailed-exitcode --correct-drift", 2, drifted),
    Row("plan --detailed-exitcode --exclude */cart", 0, edited),
    Row("plan --exclude *", 64, edited, ERROR),
    Row("plan --target shop/carrt", 64, edited, ERROR),
    Row("plan --detailed-exitcode --out new.plan", 2, edited),
    Row("plan", 4, denied),
    Row("plan", 4, partly_denied),
    Row("plan --detailed-exitcode", 4, partly_denied),
    Row("plan", 4, rejected_and_wished),
    Row("plan --override version_rejected", 0, rejected_and_wished),
    Row("plan", 1, bad_manifest, ERROR),
    Row("plan", 1, bad_config, ERROR),
    Row("plan", 1, no_project, ERROR),
    Row("plan", 1, no_credentials, ERROR),
    Row("plan", 1, no_world, ERROR),
    Row("plan", 1, damaged, ERROR),
    Row("plan --out missing/new.plan", 1, edited, ERROR),
    Row("plan --bogus", 64, shape=ERROR),
    Row("plan --override bogus", 64, shape=ERROR),
    Row("plan --out", 64, shape=None),
    Row("plan extra", 64, shape=ERROR),
    Row("--chdir nowhere plan", 64, shape=ERROR),
    Row("apply --auto-approve", 0, fresh, "events"),
    Row("apply --auto-approve", 0, settled, "events"),
    Row("apply --auto-approve", 0, edited, "events"),
    Row("apply --auto-approve", 0, drifted, "events"),
    Row("apply --auto-approve --correct-drift", 0, drifted, "events"),
    Row("apply --auto-approve --parallelism 1 --lock-timeout 1s", 0, edited, "events"),
    Row("apply --approve scale_up", 0, edited, "events"),
    Row("apply --approve traffic:10,revert", 3, edited, "events"),
    Row("apply --approve scale_up saved.plan", 0, saved, "events"),
    Row("apply --approve revert saved.plan", 3, saved, "events"),
    Row("apply --auto-approve", 4, frozen, "events"),
    Row("apply --auto-approve --override freeze", 0, frozen, "events"),
    Row("apply saved.plan", 4, saved_then_frozen, "events"),
    Row("apply", 0, edited, None, typed="yes\n"),
    Row("apply", 0, edited, None, typed="Y\nyes\n"),
    Row("apply saved.plan", 0, saved, "events"),
    Row("apply saved.plan", 0, saved_and_applied, "events"),
    Row("apply --auto-approve", 3, failing, "events"),
    Row("apply --auto-approve", 3, partly_denied, "events"),
    Row("apply --auto-approve", 3, held_back, "events"),
    Row("apply --auto-approve", 4, denied, "events"),
    Row("apply --auto-approve", 4, rejected_and_wished, "events"),
    Row("apply --auto-approve", 5, edited, ERROR, locked=True),
    Row("apply saved.plan", 5, saved, ERROR, locked=True),
    Row("apply saved.plan", 6, saved_and_moved, "events"),
    Row("apply", 7, edited, None, typed="no\n"),
    Row("apply", 7, edited, None, typed="y\nno\n"),
    Row("apply", 7, edited, None, typed="YES\n"),
    Row("apply", 7, edited, None, typed=""),
    Row("apply --auto-approve", 1, bad_manifest, ERROR),
    Row("apply --auto-approve", 1, no_project, ERROR),
    Row("apply --auto-approve", 1, no_credentials, ERROR),
    Row("apply --auto-approve", 1, damaged, ERROR),
    Row("apply missing.plan", 1, edited, ERROR),
    Row("apply saved.plan", 1, saved_and_spoilt, ERROR),
    Row("apply saved.plan", 1, saved_for_elsewhere, ERROR),
    Row("apply --resume", 0, edited, "events"),
    Row("apply --resume", 3, parked, "events"),
    Row("apply --resume", 5, edited, ERROR, locked=True),
    Row("apply --resume", 1, damaged, ERROR),
    Row("apply --resume saved.plan", 64, saved, ERROR),
    Row("apply --resume --target shop/* --correct-drift", 64, edited, ERROR),
    Row("apply --resume --approve scale_up", 64, edited, ERROR),
    Row("drift", 2, parked),
    Row("apply --auto-approve --on-failure stop", 3, failing, "events"),
    Row("apply --auto-approve --on-failure never", 64, edited, ERROR),
    Row("apply", 64, edited, ERROR),
    Row("apply --target shop/* saved.plan", 64, saved, ERROR),
    Row("apply --correct-drift saved.plan", 64, saved, ERROR),
    Row("apply --allow-empty saved.plan", 64, saved, ERROR),
    Row("apply --override protected saved.plan", 64, saved, ERROR),
    Row("apply --approve everything", 64, edited, ERROR),
    Row("apply --auto-approve --parallelism 0", 64, edited, ERROR),
    Row("apply --auto-approve --lock-timeout soon", 64, edited, ERROR),
    Row("apply --auto-approve --bogus", 64, edited, ERROR),
    Row("show saved.plan", 0, saved),
    Row("show saved.plan --format markdown", 0, saved, None),
    Row("show", 0, settled, "state"),
    Row("show --format markdown", 0, settled, None),
    Row("show", 1, fresh, ERROR),
    Row("show", 1, damaged, ERROR),
    Row("show missing.plan", 1, settled, ERROR),
    Row("show saved.plan", 1, saved_and_spoilt, ERROR),
    Row("show --format html", 64, settled, None),
    Row("explain shop/cart", 0, fresh, "explanation"),
    Row("explain shop/cart", 0, edited, "explanation"),
    Row("explain shop/cart", 0, edited, "explanation", locked=True),
    Row("explain shop/pay", 0, drifted, "explanation"),
    Row("explain shop/search", 0, held_back, "explanation"),
    Row("explain shop/search", 0, settled, "explanation"),  # nobody manages it
    Row("explain shop/ghost", 0, denied, "explanation"),
    Row("explain shop/nobody", 1, settled, ERROR),
    Row("explain shop/cart", 1, bad_manifest, ERROR),
    Row("explain shop/cart", 1, no_project, ERROR),
    Row("explain shop/cart", 1, no_credentials, ERROR),
    Row("explain shop/cart", 1, damaged, ERROR),
    Row("explain cart", 64, settled, ERROR),
    Row("explain", 64, settled, ERROR),
    Row("validate", 0, settled, ERROR),
    Row("validate", 1, bad_manifest, ERROR),
    Row("validate", 1, bad_config, ERROR),
    Row("validate extra", 64, settled, ERROR),
    Row("drift", 0, settled),
    Row("drift", 0, edited),
    Row("drift", 2, fresh),
    Row("drift", 2, drifted),
    Row("drift", 2, drifted_with_permission),
    Row("drift", 2, denied),
    Row("drift --target shop/cart", 0, drifted),
    Row("drift", 1, bad_manifest, ERROR),
    Row("drift", 1, no_credentials, ERROR),
    Row("drift --auto-approve", 64, drifted, ERROR),
    Row("drift --approve scale_down", 64, drifted, ERROR),
    Row("drift --correct --approve scale_down", 0, drifted_with_permission, "events"),
    Row("drift --correct --approve scale_up", 3, drifted_with_permission, "events"),
    Row("drift --correct --auto-approve", 0, settled, "events"),
    Row("drift --correct --auto-approve", 0, edited, "events"),
    Row("drift --correct --auto-approve", 0, drifted_with_permission, "events"),
    Row("drift --correct --auto-approve", 2, drifted, "events"),
    Row("drift --correct --auto-approve", 2, drifted_half_permitted, "events"),
    Row("drift --correct --auto-approve", 3, failing_correction, "events"),
    Row("drift --correct --auto-approve --on-failure continue", 3, failing_correction, "events"),
    Row("drift --on-failure continue", 64, drifted, ERROR),
    Row("drift --correct --auto-approve", 4, denied, "events"),
    Row("drift --correct --auto-approve", 5, drifted, ERROR, locked=True),
    Row("drift --correct", 7, drifted_with_permission, None, typed="no\n"),
    Row("drift --correct", 64, drifted, ERROR),
    Row("state list", 0, settled, "state"),
    Row("state list", 1, fresh, ERROR),
    Row("state list extra", 64, settled, ERROR),
    Row("state show shop/cart", 0, settled, "record"),
    Row("state show shop/nobody", 1, settled, ERROR),
    Row("state show cart", 64, settled, ERROR),
    Row("state pull", 0, settled, None),
    Row("state pull", 1, damaged, None),
    Row("state pull extra", 64, settled, None),
    Row("state pull --serial 1", 0, settled, None),
    Row("state pull --serial 99", 1, settled, None),
    Row("state pull --serial first", 64, settled, None),
    Row("state history", 0, settled, "history"),
    Row("state history", 1, fresh, ERROR),
    Row("state history extra", 64, settled, ERROR),
    Row("state push edited.json --auto-approve", 0, pulled, None),
    Row("state push edited.json", 7, pulled, None, typed="no\n"),
    Row("state push edited.json", 64, pulled, None),
    Row("state push edited.json --auto-approve", 5, pulled, None, locked=True),
    Row("state push missing.json --auto-approve", 1, pulled, None),
    Row("state rm shop/cart shop/pay", 0, settled, None),
    Row("state rm shop/nobody", 1, settled, None),
    Row("state rm shop/cart", 5, settled, None, locked=True),
    Row("state rm", 64, settled, None),
    Row("state mv shop/cart shop/basket", 0, settled, None),
    Row("state mv shop/cart shop/pay", 1, settled, None),
    Row("state mv shop/cart shop/basket", 5, settled, None, locked=True),
    Row("state mv shop/cart shop/cart", 64, settled, None),
    Row("state migrate --to http", 1, settled, None),
    Row("state migrate --to nowhere", 64, settled, None),
    Row("lock show", 0, settled, "lock"),
    Row("lock show", 0, fresh, "lock"),
    Row("lock show", 0, settled, "lock", locked=True),
    Row("lock show extra", 64, settled, ERROR),
    Row("force-unlock some-id --reason gone --auto-approve", 1, settled, None),
    Row("force-unlock some-id --auto-approve", 64, settled, None),
    Row(f"force-unlock some-id --reason {'x' * 1001} --auto-approve", 64, settled, None),
    Row(RESOLVE, 0, parked, "resolution", locked=True),
    Row(RESOLVE, 1, settled, ERROR),
    Row(f"{RESOLVE} --reason looked --auto-approve", 64, settled, ERROR),
    Row(f"{RESOLVE} --did-run --auto-approve", 0, parked, "resolution"),
    Row(f"{RESOLVE} --did-not --reason looked --auto-approve", 0, parked, "resolution"),
    Row(f"{RESOLVE} --did-not", 7, parked, None, typed="no\n"),
    Row(f"{RESOLVE} --did-run --auto-approve", 1, settled, ERROR),
    Row(f"{RESOLVE} --did-run --auto-approve", 5, parked, ERROR, locked=True),
    Row(f"{RESOLVE} --did-run", 64, parked, ERROR),
    Row(f"{RESOLVE} --did-run --did-not --auto-approve", 64, settled, ERROR),
    Row("rollout clear shop/cart 1.4.2 --reason tested", 0, rejected, None),
    Row("rollout clear shop/cart 9.9.9 --reason tested", 1, rejected, None),
    Row("rollout clear shop/cart 1.4.2 --reason tested", 1, fresh, None),
    Row("rollout clear shop/cart 1.4.2 --reason tested", 5, rejected, None, locked=True),
    Row("rollout clear shop/cart 1.4.2", 64, rejected, None),
    Row("rollout clear cart 1.4.2 --reason tested", 64, rejected, None),
    Row("rollout status shop/search", 0, settled, "rollout"),
    Row("rollout status shop/cart", 0, fresh, "rollout"),
    Row("rollout status shop/search", 0, settled, "rollout", locked=True),
    Row("rollout status shop/nobody", 1, settled, ERROR),
    Row("rollout status shop/search", 1, bad_manifest, ERROR),
    Row("rollout status shop/search", 1, damaged, ERROR),
    Row("rollout status shop/search", 1, no_credentials, ERROR),
    Row("rollout status search", 64, settled, ERROR),
    Row("rollout promote shop/search --auto-approve", 0, settled, "events"),
    Row("rollout promote shop/search --auto-approve", 3, failing_release, "events"),
    Row("rollout promote shop/search --auto-approve", 4, protected_release, "events"),
    Row("rollout promote shop/search --auto-approve", 5, settled, ERROR, locked=True),
    Row("rollout promote shop/search", 7, settled, None, typed="no\n"),
    Row("rollout promote shop/cart --auto-approve", 1, settled, ERROR),
    Row("rollout promote shop/search", 64, settled, ERROR),
    Row("rollout abort shop/search --auto-approve", 0, settled, "events"),
    Row("rollout abort shop/search --auto-approve", 4, protected_release, "events"),
    Row("rollout abort shop/search --auto-approve", 5, settled, ERROR, locked=True),
    Row("rollout abort shop/search", 7, settled, None, typed="no\n"),
    Row("rollout abort shop/cart --auto-approve", 1, settled, ERROR),
    Row("rollout abort shop/search --auto-approve", 1, bad_manifest, ERROR),
    Row("rollout abort search --auto-approve", 64, settled, ERROR),
    Row("rollout set-weight shop/search 40 --auto-approve", 0, settled, "events"),
    Row("rollout set-weight shop/search 10 --auto-approve", 0, settled, "events"),
    Row("rollout set-weight shop/cart 40 --auto-approve", 0, settled, "events"),
    Row("rollout set-weight shop/search 40 --auto-approve", 3, failing_release, "events"),
    Row("rollout set-weight shop/search 40 --auto-approve", 4, protected_release, "events"),
    Row("rollout set-weight shop/search 40 --auto-approve", 5, settled, ERROR, locked=True),
    Row("rollout set-weight shop/search 40", 7, settled, None, typed="no\n"),
    Row("rollout set-weight shop/nobody 40 --auto-approve", 1, settled, ERROR),
    Row("rollout set-weight shop/search 100 --auto-approve", 64, settled, ERROR),
    Row("rollout set-weight shop/search 0 --auto-approve", 64, settled, ERROR),
    Row("rollout set-weight shop/search half --auto-approve", 64, settled, ERROR),
    Row("init", 0, empty_folder, None),
    Row("init new/folder", 0, empty_folder, None),
    Row("init", 1, settled, None),
    Row("init one two", 64, empty_folder, None),
    Row("sandbox seed seed.yaml", 0, seed_file, None),
    Row("sandbox seed seed.yaml --data other.db", 0, seed_file, None),
    Row("sandbox seed seed.yaml", 1, bad_seed_file, None),
    Row("sandbox seed missing.yaml", 1, seed_file, None),
    Row("sandbox seed seed.yaml --endpoint http://127.0.0.1:9", 1, seed_file, None),
    Row("sandbox seed seed.yaml --endpoint https://servicestage.cn-north-4.myhuaweicloud.com", 1, seed_file, None),
    Row("sandbox seed", 64, seed_file, None),
    Row("sandbox seed seed.yaml --data other.db --endpoint http://127.0.0.1:9", 64, seed_file, None),
    Row("sandbox disturb shop/cart --replicas 9", 0, settled, None),
    Row("sandbox disturb shop/search --weight 50", 0, settled, None),
    Row("sandbox disturb shop/search --end-gray rollback", 0, settled, None),
    Row("sandbox disturb shop/cart --fail-next-job quota", 0, settled, None),
    Row("sandbox disturb shop/nobody --replicas 9", 1, settled, None),
    Row("sandbox disturb shop/cart", 1, settled, None),
    Row("sandbox disturb shop/cart --replicas many", 64, settled, None),
    Row("sandbox reset", 0, settled, None),
    Row("sandbox reset", 1, no_project, None),
    Row("sandbox reset extra", 64, settled, None),
    Row("sandbox serve", 1, no_world, None),
    Row("sandbox serve", 1, no_project, None),
    Row("sandbox serve --port 99999", 64, settled, None),
    Row("schema plan", 0, settled, None),
    Row("schema nonsense", 64, settled, None),
    Row("import shop", 0, settled, None),
    Row("import nobody", 1, settled, None),
    Row("import shop", 5, fresh, None, locked=True),
    Row("import", 64, settled, None),
    Row("refresh --auto-approve", 0, drifted, None),
    Row("refresh --auto-approve --sync-workload", 0, drifted, None),
    Row("refresh", 7, drifted, None, typed="no\n"),
    Row("refresh --auto-approve", 1, fresh, None),
    Row("refresh --auto-approve", 5, drifted, None, locked=True),
    Row("refresh --auto-approve --target shop/nobody", 64, drifted, None),
    Row("refresh", 64, drifted, None),
    Row("action scale shop/pay --replica 9 --auto-approve", 0, settled, "events"),
    Row("action scale shop/cart --replica 9 --auto-approve", 3, failing, "events"),
    Row("action rollback shop/pay --version 9.9.9 --auto-approve", 4, settled, "events"),
    Row("action scale shop/pay --replica 9", 7, settled, None, typed="no\n"),
    Row("action scale shop/nobody --replica 9 --auto-approve", 1, settled, ERROR),
    Row("action scale shop/pay --replica 9 --auto-approve", 5, settled, ERROR, locked=True),
    Row("action scale shop/pay --auto-approve", 64, settled, ERROR),
    Row("doctor", 0, settled, "doctor"),
    Row("doctor", 1, no_project, "doctor"),
    Row("doctor extra", 64, settled, ERROR),
    Row("config show", 0, settled, "settings"),
    Row("config show", 1, no_project, ERROR),
    Row("config show extra", 64, settled, ERROR),
    Row("completion bash", 0, no_project, None),
    Row("completion nonsense", 64, no_project, None),
    Row("version", 0, no_project, "version"),
    Row("version extra", 64, no_project, ERROR),
    Row("--version", 0, no_project, None),
    Row("--help", 0, no_project, None),
    Row("demo extra", 64, no_project, None),
    Row("frobnicate", 64, no_project, ERROR),
]
JSON_ROWS = [row for row in ROWS if row.shape is not None]


@pytest.fixture
def folder(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A project that is the working directory, in an environment that sets nothing."""
    monkeypatch.chdir(project.root)
    for name in os.environ:
        if name.startswith(("HW_", "HUAWEICLOUD_")) or name == "NO_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(project.root))  # where a file with credentials may be
    return Folder(project)


@contextmanager
def lock_held(project: ProjectFolder, *, held: bool) -> Iterator[None]:
    """The state's lock in somebody else's hands."""
    if not held:
        yield
        return
    backend = LocalBackend(project.root / ".statetool/state.json")
    info = surroundings.lock_info("apply", "a-run", "0.1.0", {})
    with backend.lock(info, 0, lambda _: None):
        yield


def run_row(row: Row, folder: Folder, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    typed = io.StringIO() if row.typed is None else Terminal(row.typed)
    monkeypatch.setattr(sys, "stdin", typed)
    with lock_held(folder.project, held=row.locked):
        return main([*row.command.split(), *more])


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_exit_code_in_text_mode(
    row: Row, folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of the row; an error is one on stderr with nothing on stdout, and never a traceback."""
    row.prepare(folder)
    capsys.readouterr()
    code = run_row(row, folder, monkeypatch)
    told = capsys.readouterr()
    assert code == row.code, told
    assert "Traceback" not in told.err
    assert "internal_error" not in told.err
    # What doctor finds is its report, also where something failed.
    if code in (ExitCode.ERROR, ExitCode.LOCKED, ExitCode.USAGE) and row.command != "doctor":
        assert "error[" in told.err
        assert told.out == ""
    else:
        assert "error[" not in told.err


@pytest.mark.parametrize("row", JSON_ROWS, ids=str)
def test_exit_code_in_json_mode(
    row: Row, folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same code as in text mode, and stdout is JSON of the row's shape and nothing else."""
    row.prepare(folder)
    capsys.readouterr()
    code = run_row(row, folder, monkeypatch, "--json")
    told = capsys.readouterr()
    assert code == row.code, told
    check_shape(row, told.out)


def check_shape(row: Row, out: str) -> None:
    if row.shape == "events":
        events = [json.loads(line) for line in out.splitlines()]
        for event in events:
            ensure_valid("event", event)
        assert events[0]["type"] == "version"
        assert events[-1]["type"] == "change_summary"
        # A correction is followed by a look at what remains, which a run itself knows nothing of.
        assert events[-1]["exit_code"] == row.code or (row.command.startswith("drift") and row.code == 2)
        return
    if row.shape == ERROR and row.code:
        # One line; the events of a run that began and then failed stand before it.
        *begun, out = out.splitlines()
        for line in begun:
            ensure_valid("event", json.loads(line))
    document = json.loads(out)
    if row.shape == ERROR:
        ensure_valid("diagnostics", document)
        assert document["errored"] is (row.code != 0)
    elif row.shape == "record":
        assert document["address"] == "shop/cart"
        assert document["wish"] == {"version": "1.4.2", "replicas": 4}
    elif row.shape == "version":
        assert document["tool_version"]
    else:
        ensure_valid(str(row.shape), document)


def ensure_valid(schema: str, document: Any) -> None:
    path = CLONE / "schemas" / f"{schema}.schema.json"
    Draft202012Validator(json.loads(path.read_text(encoding="utf-8"))).validate(document)


# --- interrupted -----------------------------------------------------------------------------------------------------

SIGNALS = [signal.SIGINT, signal.SIGTERM]
SLOW = "sandbox: {job_seconds: 600, stale_ms: 0}\n"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("command", ["plan", "plan --json", "drift", "apply --auto-approve"])
def test_a_command_that_waits_for_the_platform_is_interrupted(
    command: str, number: signal.Signals, project: ProjectFolder
) -> None:
    """130 and one line, whether a person or a scheduler ends it."""
    asked, over = threading.Event(), threading.Event()

    def never_answer(_: Asked) -> Reply | None:
        asked.set()
        over.wait(PATIENCE_S)
        return None

    project.manifest(SAME)
    with loopback(never_answer) as server:
        project.configure(server.endpoint)
        waiting = ProjectFolder(project.root, {"HW_AUTH_TOKEN": "sandbox-token"})
        with waiting.start(*command.split()) as running:
            assert asked.wait(PATIENCE_S)
            running.signal(number)
            done = running.end(130)
        over.set()
    if "--json" in command:
        ensure_valid("diagnostics", done.document)
    else:
        assert done.err.splitlines() == ["error[interrupted]: interrupted"]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_an_apply_that_waits_for_a_job_is_interrupted(number: signal.Signals, project: ProjectFolder) -> None:
    """130; events and summary say so, and the state is readable afterwards."""
    project.seed(SLOW + SEED)
    project.manifest(MORE)
    with project.start("apply", "--auto-approve", "--json") as running:
        running.wait_for_event("action_accepted")
        running.signal(number)
        events = running.end(130).events
    assert [event["signal"] for event in events if event["type"] == "stopping"] == [number.name]
    assert events[-1]["type"] == "change_summary"
    assert events[-1]["exit_code"] == 130
    assert "shop/cart" in project.run("state", "list").out


def test_serving_ends_well(project: ProjectFolder) -> None:
    """A served sandbox is meant to be stopped by a signal: exit 0."""
    project.seed(SEED)
    with project.start("sandbox", "serve") as running:
        running.wait_for_line("serving")
        running.signal(signal.SIGTERM)
        running.end(0)


# --- the table itself ------------------------------------------------------------------------------------------------

ELSEWHERE = {"demo", "state migrate", "force-unlock"}
"""Commands whose good end has a test file of its own."""


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from leaves(child, (*path, name))


def test_the_table_holds_every_command() -> None:
    """Each command with a good end and with a usage error; so a new one can't be forgotten."""
    for leaf in leaves(statetool, ()):
        codes = {row.code for row in ROWS if f"{row.command} ".startswith(f"{leaf} ")}
        assert ExitCode.USAGE in codes, leaf
        assert ExitCode.DONE in codes or leaf in ELSEWHERE or leaf == "sandbox serve", leaf
    assert set(COMMANDS) == {leaf.split()[0] for leaf in leaves(statetool, ())}


def test_the_table_holds_every_exit_code() -> None:
    """Also in JSON mode, except where a person is asked or a signal comes."""
    assert {row.code for row in ROWS} == set(ExitCode) - {ExitCode.INTERRUPTED}
    assert {row.code for row in JSON_ROWS} == set(ExitCode) - {ExitCode.INTERRUPTED, ExitCode.DECLINED}
