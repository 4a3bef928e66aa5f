"""Work on the state itself through the real command line: push, rm, mv, history, migrate, lock and force-unlock.

The other backend is a server of Terraform's protocol on this machine.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from e2e_project import QUICK, ProjectFolder

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))  # for http_state_server

from http_state_server import USER, StateServer, serving

from statetool import surroundings
from statetool.backends import Backend
from statetool.backends.http import HttpBackend
from statetool.backends.lease import Lease
from statetool.backends.local import LocalBackend
from statetool.backends.places import HttpPlace
from statetool.core.journal import (
    Baseline,
    Entry,
    EntryType,
    Intent,
    RunNote,
    closing_entry,
    entry_to_json,
    intent_entry,
    known_component,
    run_entry,
)
from statetool.core.model import Address, Secret
from statetool.core.plan import Action, Risk, Verb

SEED = """\
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 4}
"""
MANIFEST = "application: shop\ncomponents:\n  cart: {version: 1.4.2, replicas: 4}\n  pay: {replicas: 4}\n"
AT = "2026-11-23T08:00:00Z"
CART = Address("shop", "cart")
PASSWORD = "correct-horse"
names = (f"state-{n}" for n in itertools.count())


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project whose manifests are recorded."""
    project.seed(QUICK + SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


@pytest.fixture(scope="session")
def server() -> Iterator[StateServer]:
    with serving("gitlab", PASSWORD) as running:
        yield running


@pytest.fixture
def shared(shop: ProjectFolder, server: StateServer) -> ProjectFolder:
    """The same project, which could keep its state at a server too."""
    address = f"{server.address}/{next(names)}"
    lock = f"lock_address: {address}/lock, unlock_address: {address}/lock, lock_method: POST, unlock_method: DELETE"
    shop.configure(more=f"state:\n  backend: local\n  http: {{address: {address}, {lock}}}\n")
    return replace(shop, environ={"TF_HTTP_USERNAME": USER, "TF_HTTP_PASSWORD": PASSWORD})


def use(project: ProjectFolder, old: str, new: str) -> None:
    project.edit("statetool.yaml", f"backend: {old}", f"backend: {new}")


def http_backend(project: ProjectFolder) -> HttpBackend:
    text = (project.root / "statetool.yaml").read_text()
    address = text.partition("address: ")[2].partition(",")[0]
    lock = f"{address}/lock"
    return HttpBackend(
        HttpPlace(address, lock, lock, "POST", "DELETE", "POST", username=USER, password=Secret(PASSWORD))
    )


@contextmanager
def held(backend: Backend, operation: str = "apply") -> Iterator[Lease]:
    """The lock in the hands of run-7."""
    info = replace(surroundings.lock_info(operation, "run-7", "0.1.0", {}), id="lock-7", who="mei@builder", created=AT)
    with backend.lock(info, 0, lambda _: None) as lease:
        yield lease


def journal(project: ProjectFolder, *entries: Entry) -> None:
    """Entries that a run left behind."""
    backend = LocalBackend(project.root / ".statetool/state.json")
    with held(backend) as lease:
        backend.append([entry_to_json(entry) for entry in entries], lease)


def intent(project: ProjectFolder) -> Entry:
    """A scale of shop/cart whose end nobody knows."""
    component = project.state["components"]["shop/cart"]
    action = Action("shop/cart#1", CART, Verb.SCALE, {"replica": 6}, "wished", Risk.SCALE_UP, (), {}, {}, 30)
    known = known_component(CART, component["component_id"], component["application_id"], component["environment_id"])
    return intent_entry(
        Intent("shop/cart#1/1/2", "run-7", 2, AT, action, known, Baseline("RUNNING", 4, None, None, {}))
    )


def pulled(project: ProjectFolder, **changes: Any) -> Path:
    """The state as it is pulled, with some of its keys changed, in a file."""
    document = {**project.call("state", "pull").document, **changes}
    return project.write("pulled.json", json.dumps(document))


# --- push ------------------------------------------------------------------------------------------------------------


def test_a_pulled_state_is_pushed_back_with_a_higher_serial(shop: ProjectFolder) -> None:
    """It is told what comes, changes and goes; the history holds what was there, and brings it back."""
    document = shop.call("state", "pull").document
    serial = document["serial"]
    components = {"shop/cart": {**document["components"]["shop/cart"], "wish": {"replicas": 5}}}
    pulled(shop, serial=serial + 3, components=components)
    told = shop.call("state", "push", "pulled.json", "--auto-approve").out
    assert "0 added, 1 changed, 1 removed" in told
    assert "shop/pay" in told
    assert shop.state["serial"] == serial + 3
    history = shop.call("state", "history", "--json").document["serials"]
    assert [entry["serial"] for entry in history][:2] == [serial + 3, serial]
    assert shop.call("state", "pull", "--serial", str(serial)).document == document
    assert shop.call("state", "history").out.splitlines()[0].split()[0] == str(serial + 3)
    assert "no_such_serial" in shop.call("state", "pull", "--serial", "99", code=1).err


def test_the_same_content_is_nothing_to_do(shop: ProjectFolder) -> None:
    """Whatever its serial: nobody is asked, and nothing is written."""
    before = shop.state
    pulled(shop, serial=before["serial"] + 1)
    assert "Nothing to do" in shop.call("state", "push", "pulled.json", "--auto-approve").out
    assert shop.state == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lineage": "another"}, "other_lineage"),
        ({"serial": 0}, "older_serial"),
        ({"components": {}}, "same_serial"),
        ({"components": {}, "serial": 2**53 - 1}, "serial_too_high"),
        ({"moved_to": "s3 s3://x/y"}, "state_moved"),
        ({"components": 5}, "state_unreadable"),
    ],
)
def test_a_push_that_would_lose_something_is_refused(shop: ProjectFolder, changes: dict[str, Any], code: str) -> None:
    """As in Terraform: another history, an older one, or another content under the same number."""
    before = shop.state
    pulled(shop, **changes)
    assert f"error[{code}]" in shop.call("state", "push", "pulled.json", "--auto-approve", code=1).err
    assert shop.state == before


def test_a_rescue_is_taken_over_by_the_command_that_is_told(shop: ProjectFolder) -> None:
    """Nothing goes on before that; afterwards the rescue is gone."""
    rescue = f".statetool/state.json.rescue-{shop.state['serial'] + 1}"
    components = {"shop/cart": shop.state["components"]["shop/cart"]}
    shop.write(rescue, json.dumps({**shop.state, "serial": shop.state["serial"] + 1, "components": components}))
    refused = shop.call("apply", "--auto-approve", code=1).err
    command = refused.partition("take it over: statetool ")[2].partition(" - or")[0]
    shop.call(*command.split(), "--auto-approve")
    assert not (shop.root / rescue).exists()
    assert list(shop.state["components"]) == ["shop/cart"]
    shop.call("apply", "--auto-approve")


# --- rm, mv ----------------------------------------------------------------------------------------------------------


def test_a_forgotten_component_goes_on_running(shop: ProjectFolder) -> None:
    """All of them or none; nothing is sent, and a manifest adopts it again."""
    sent = shop.log()
    assert "not_recorded" in shop.call("state", "rm", "shop/cart", "shop/nobody", code=1).err
    assert "shop/cart" in shop.state["components"]
    assert "Forgot shop/cart." in shop.call("state", "rm", "shop/cart").out
    assert list(shop.state["components"]) == ["shop/pay"]
    assert shop.log() == sent
    assert [change["kind"] for change in shop.plan()["changes"]] == ["adopt"]


def test_a_record_gets_another_address(shop: ProjectFolder) -> None:
    """What is known of it comes along; an address that is taken stays."""
    before = shop.state["components"]["shop/cart"]
    assert "already_recorded" in shop.call("state", "mv", "shop/cart", "shop/pay", code=1).err
    shop.call("state", "mv", "shop/cart", "shop/cart@prod")
    assert shop.state["components"]["shop/cart@prod"] == before
    assert "shop/cart" not in shop.state["components"]


@pytest.mark.parametrize("command", ["rm shop/cart", "mv shop/cart shop/basket", "migrate --to http"])
def test_an_open_operation_keeps_its_component_where_it_is(shared: ProjectFolder, command: str) -> None:
    """Nobody knows yet what became of it, and its outcome would find no record; others may go."""
    journal(shared, run_entry(RunNote("run-7", "apply", 2, AT, 1)), intent(shared))
    before = shared.state
    refused = shared.call("state", *command.split(), code=1).err
    assert "error[operation_open]" in refused
    assert "statetool apply --resume" in refused
    assert shared.state == before
    shared.call("state", "rm", "shop/pay")


def test_what_only_the_journal_knows_is_read_and_kept(shop: ProjectFolder) -> None:
    """A run that was killed before it saved: its outcome is shown, and no later command loses or undoes it."""
    backend = LocalBackend(shop.root / ".statetool/state.json")
    stored = backend.read()
    assert stored is not None
    record = replace(stored.components[CART], run_id="run-7")
    journal(shop, intent(shop), closing_entry(EntryType.DONE, "shop/cart#1/1/2", AT, 2, records=(record,)))
    assert "run-7" in shop.call("state", "show", "shop/cart").out
    assert shop.state["components"]["shop/cart"]["run_id"] != "run-7"
    shop.call("state", "mv", "shop/cart", "shop/basket")
    assert shop.state["components"]["shop/basket"]["run_id"] == "run-7"
    assert backend.read_journal() == ()


# --- migrate ---------------------------------------------------------------------------------------------------------


def test_a_state_moves_to_a_server_and_back(shared: ProjectFolder) -> None:
    """Lineage and serial come along; what stays behind only leads to where it is, for every command."""
    before = shared.call("state", "pull").document
    told = shared.call("state", "migrate", "--to", "http").out
    assert "Moved 2 components" in told
    assert "backend: http" in told
    for command in (
        ("plan",),
        ("drift",),
        ("state", "list"),
        ("state", "rm", "shop/cart"),
        ("apply", "--auto-approve"),
    ):
        refused = shared.call(*command, code=1).err
        assert "error[state_moved]" in refused
        assert "`backend: http`" in refused
    use(shared, "local", "http")
    after = shared.call("state", "pull").document
    assert {**after, "fence": before["fence"]} == before
    checks = {check["topic"]: check for check in shared.call("doctor", "--json").document["checks"]}
    assert (checks["state"]["facts"]["backend"], checks["lock"]["code"]) == ("http", "lock_not_shown")
    assert "no_history" in shared.call("state", "history", code=1).err
    shared.call("apply", "--auto-approve")
    shared.call("state", "rm", "shop/pay")
    assert "backend: local" in shared.call("state", "migrate", "--to", "local").out
    use(shared, "http", "local")
    assert list(shared.call("state", "pull").document["components"]) == ["shop/cart"]
    assert shared.state["serial"] > after["serial"]


def test_a_move_that_was_cut_off_is_completed(shared: ProjectFolder) -> None:
    """The new place was written and the old one not yet marked: the same command again does the rest."""
    unmarked = (shared.root / ".statetool/state.json").read_bytes()
    shared.call("state", "migrate", "--to", "http")
    shared.write(".statetool/state.json", unmarked)
    shared.call("state", "list")
    shared.call("state", "migrate", "--to", "http")
    assert "state_moved" in shared.call("state", "list", code=1).err
    assert "state_moved" in shared.call("state", "migrate", "--to", "http", code=1).err


def test_a_move_never_overwrites_what_is_newer_or_foreign(shared: ProjectFolder) -> None:
    """Somebody went on over there, or it is the state of another project."""
    unmarked = (shared.root / ".statetool/state.json").read_bytes()
    shared.call("state", "migrate", "--to", "http")
    use(shared, "local", "http")
    shared.call("state", "rm", "shop/pay")
    use(shared, "http", "local")
    shared.write(".statetool/state.json", unmarked)
    assert "newer_there" in shared.call("state", "migrate", "--to", "http", code=1).err
    shared.write(".statetool/state.json", unmarked.replace(shared.state["lineage"].encode(), b"another"))
    assert "other_lineage" in shared.call("state", "migrate", "--to", "http", code=1).err
    assert "backend_not_configured" in shared.call("state", "migrate", "--to", "s3", code=1).err
    assert shared.call("state", "migrate", "--to", "local", code=64).err


# --- the lock --------------------------------------------------------------------------------------------------------


def test_whoever_meets_a_lock_is_told_how_far_its_holder_is(shop: ProjectFolder) -> None:
    """`lock show`, and the refusal of a run that did not wait."""
    assert "is not locked" in shop.call("lock", "show").out
    backend = LocalBackend(shop.root / ".statetool/state.json")
    with held(backend) as lease:
        note = RunNote("run-7", "apply", lease.fence, AT, actions=40, ended=12)
        backend.append([entry_to_json(run_entry(note)), entry_to_json(intent(shop))], lease)
        shown = shop.call("lock", "show")
        document = shop.call("lock", "show", "--json").document
        refused = shop.call("apply", "--auto-approve", code=5).err
        nothing = shop.call("force-unlock", "lock-7", "--reason", "gone", "--auto-approve", code=1).err
        other = shop.call("force-unlock", "lock-8", "--reason", "gone", "--auto-approve", code=1).err
    assert "mei@builder" in shown.out
    assert "12 of 40 actions ended" in shown.out
    assert "1 operation open:" in shown.out
    assert (document["locked"], document["holder"]["id"], document["run"]["ended"]) == (True, "lock-7", 12)
    assert [operation["address"] for operation in document["operations"]] == ["shop/cart"]
    assert "12 of 40 actions ended" in refused
    assert "error[nothing_to_force]" in nothing
    assert "error[lock_moved]" in other
    left = shop.call("lock", "show").out
    assert "is not locked" in left
    assert "for `statetool apply --resume` to take up" in left


def test_a_lock_without_an_expiry_is_broken_by_its_id(shared: ProjectFolder) -> None:
    """A server that shows no holder: who it was is told by the refusal, before anything is forced."""
    shared.call("state", "migrate", "--to", "http")
    use(shared, "local", "http")
    assert "can't be seen" in shared.call("lock", "show").out
    assert shared.call("lock", "show", "--json").document["locked"] is None
    assert "not_locked" in shared.call("force-unlock", "lock-7", "--reason", "gone", "--auto-approve", code=1).err
    lock = http_backend(shared).lock(
        replace(surroundings.lock_info("apply", "run-7", "0.1.0", {}), id="lock-7", who="mei@builder"),
        0,
        lambda _: None,
    )
    lock.__enter__()  # and its holder is never heard of again
    assert "lock-7" in shared.call("state", "rm", "shop/pay", code=5).err
    told = shared.call("force-unlock", "lock-7", "--reason", "the runner is gone", "--auto-approve").out
    assert "lock-7" in told
    shared.call("state", "rm", "shop/pay")


# --- warnings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["apply --auto-approve", "drift --correct --auto-approve"])
def test_a_state_that_ends_with_the_ci_job_is_warned_of(shop: ProjectFolder, command: str) -> None:
    """By what writes it, on stderr; elsewhere, and with another backend, there is nothing to say."""
    told = replace(shop, environ={"CI": "true"}).call(*command.split())
    assert told.err.count("warning[ephemeral_state]") == 1
    assert "state migrate --to http" in told.err
    assert "ephemeral_state" not in shop.call(*command.split()).err


def test_a_store_without_locks_takes_a_flag_and_a_warning(shared: ProjectFolder, server: StateServer) -> None:
    """A server that grants every lock is refused; the flag lets it be used, loudly, for that command."""
    address = http_backend(shared).location
    server.state(address.rpartition("/")[2]).switches.grants_all = True
    assert "error[no_lock]" in shared.call("state", "migrate", "--to", "http", code=1).err
    told = shared.call("state", "migrate", "--to", "http", "--unsafe-no-lock")
    assert "warning[unsafe_no_lock]" in told.err
    assert "--correct" in shared.call("drift", "--unsafe-no-lock", code=64).err


def test_a_host_that_only_the_file_names_gets_no_password(shared: ProjectFolder) -> None:
    """Nothing is sent, whatever the command; doctor and config show say which place it would be."""
    shared.configure(more="state: {backend: http, http: {address: 'https://evil.example/state'}}\n")
    for command in (("plan",), ("apply", "--auto-approve"), ("state", "list"), ("lock", "show")):
        refused = shared.call(*command, code=1).err
        assert "error[endpoint_refused]" in refused
        assert "STATETOOL_ALLOW_ENDPOINTS=evil.example" in refused
        assert PASSWORD not in refused
    assert "not sent to evil.example" in shared.call("doctor", code=1).out
    assert "https://evil.example/state" in shared.call("config", "show").out
