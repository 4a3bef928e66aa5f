"""What goes along with a version: sent with a new one, held back without, and what the state learns (section 1, 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import codes, deployed, held, look, plan_one, record, see, steps, updates, verbs, want, wish

from statetool.core.canonical import variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, GrayStart, Release, Resources
from statetool.core.diff import needs_closer_look
from statetool.core.model import Deployed, Observed, Recorded
from statetool.core.plan import Action
from statetool.core.planner import ComponentPlan
from statetool.core.sent_along import deployed_by, is_recorded

V, BEFORE, C, NEW = "1.4.2", "1.4.1", "1.5.0", "2.0.0"
IMAGE = Artifact("image", f"swr/shop/cart:{V}")
CANDIDATE = Artifact("image", "swr/shop/cart:candidate")


def env(**variables: str) -> dict[str, str]:
    """Variables as a configuration holds them."""
    return {name: variable_digest({"value": text}) for name, text in variables.items()}


RUNS = Configuration(IMAGE, env(LOG="info", REGION="north"), Resources(limit_cpu=2), 4)


RAN_BEFORE = Configuration(Artifact("image", f"swr/shop/cart:{BEFORE}"), env(LOG="info"), Resources(), 4)


def serving() -> Observed:
    """1.4.2 with its configuration, 1.4.1 before it; the row names the image."""
    return replace(see(V, closer=look(V, BEFORE, image=IMAGE.url, configuration=RUNS)), artifact=IMAGE)


def sent(deploy: Deploy, version: str = V) -> Recorded:
    """A record of 1.4.2 that was sent with these variables and resources."""
    return record(replace(wish(V), deployed=deployed_by(deploy, version)))


def brought(planned: ComponentPlan) -> dict[str, str]:
    """What the last version change brings: path -> how."""
    [action] = [a for a in planned.actions if a.verb in ("upgrade", "rollback")][-1:]
    return {entry.path: entry.how for entry in action.brings}


DEPLOY = Deploy(env={"LOG": "debug", "REGION": "north"}, resources=Resources(limit_cpu=4, limit_memory=8))


def test_without_a_new_version_everything_that_differs_waits() -> None:
    """Each path by its own name; what is as it should be is not mentioned."""
    deploy = replace(DEPLOY, artifact=Artifact("image", "swr/shop/other"))
    planned = plan_one(want(V, deploy=deploy), record(wish(V)), serving())
    assert held(planned) == [
        ("image", "needs_new_version"),
        ("env.LOG", "needs_new_version"),
        ("resources.limits.cpu", "needs_new_version"),
        ("resources.limits.memory", "needs_new_version"),
    ]
    assert (planned.actions, updates(planned)) == ((), {})


def test_a_variable_that_is_not_there_yet_waits_too() -> None:
    planned = plan_one(want(V, deploy=Deploy(env={"NEW": "x"})), record(wish(V)), serving())
    assert held(planned) == [("env.NEW", "needs_new_version")]


@pytest.mark.parametrize(
    "deploy",
    [Deploy(env={"LOG": "info"}), Deploy(resources=Resources(limit_cpu=2)), Deploy(artifact=IMAGE)],
    ids=["variable", "resource", "image"],
)
def test_what_runs_already_waits_for_nothing(deploy: Deploy) -> None:
    assert held(plan_one(want(V, deploy=deploy), record(wish(V)), serving())) == []


def test_what_runs_already_is_learned_without_an_action() -> None:
    """The state learns that it was sent with the version that runs, so that nobody has to look again."""
    deploy = Deploy(env={"LOG": "info"}, resources=Resources(limit_cpu=2))
    planned = plan_one(want(V, deploy=deploy), record(wish(V)), serving())
    assert planned.change is not None
    [update] = planned.change.updates
    assert (update.field, update.value, update.after) == ("deployed", deployed_by(deploy, V), ())
    assert is_recorded(want(V, deploy=deploy), sent(deploy), V)


def test_what_the_state_says_was_sent_is_not_looked_at() -> None:
    """A variable that the platform shows in another form is no reason to deploy again."""
    planned = plan_one(want(V, deploy=DEPLOY), sent(DEPLOY), serving())
    assert (held(planned), planned.change) == ([], None)


def test_keys_that_go_are_forgotten() -> None:
    """Nothing is sent for them: the variables stay as they are, only the record of them goes."""
    planned = plan_one(want(V), sent(DEPLOY), serving())
    assert (held(planned), updates(planned)) == ([], {"deployed": Deployed()})


def test_mode_drift_neither_learns_nor_holds_back() -> None:
    """What was not sent yet is an edit, and an edit never leads to anything there."""
    for deploy in (DEPLOY, Deploy(env={"LOG": "info"})):
        planned = plan_one(want(V, deploy=deploy), record(wish(V)), serving(), mode="drift", correct=True)
        assert (held(planned), planned.change) == ([], None)


def test_an_upgrade_carries_what_the_manifest_writes() -> None:
    """Image, variables in order, resources, and how it is released; the state learns it when it is done."""
    deploy = Deploy(
        artifact=Artifact("image", "swr/shop/cart:new"),
        env={"b": "2", "a": "1"},
        resources=Resources(request_cpu=0.5),
        release=Release("rolling", 3),
    )
    planned = plan_one(want(NEW, deploy=deploy), record(wish(V)), serving())
    upgrade = planned.actions[0]
    assert upgrade.parameters == {
        "version": NEW,
        "image": "swr/shop/cart:new",
        "env": {"a": "1", "b": "2"},
        "resources": {"request_cpu": 0.5},
        "release": {"strategy": "rolling", "batches": 3},
    }
    assert list(upgrade.parameters["env"]) == ["a", "b"]
    assert planned.change is not None
    [update] = [u for u in planned.change.updates if u.field == "deployed"]
    assert (update.value, update.after) == (deployed_by(deploy, NEW), (upgrade.id,))


def test_an_upgrade_carries_nothing_that_is_not_written() -> None:
    """Read, modify, write: what the manifest leaves out stays as the platform has it."""
    planned = plan_one(want(NEW), record(wish(V)), serving())
    assert planned.actions[0].parameters == {"version": NEW, "image": f"swr/shop/cart:{NEW}"}
    assert set(updates(planned)) == {"version"}
    no_batches = plan_one(want(NEW, deploy=Deploy(release=Release("one_batch"))), record(wish(V)), serving())
    assert no_batches.actions[0].parameters["release"] == {"strategy": "one_batch"}


START = GrayStart("mirror", "microservice", 1, 2)


def test_a_gray_start_carries_its_own_parameters() -> None:
    """Rule and start parameters stand under gray; the way whole versions are released has nothing to do with it."""
    deploy = Deploy(candidate_artifact=CANDIDATE, release=Release("rolling", 3), gray=START)
    planned = plan_one(want(V, C, 30, deploy=deploy), record(wish(V)), serving())
    [start] = planned.actions
    assert start.parameters == {
        "version": C,
        "image": CANDIDATE.url,
        "gray": {
            "weight": 30,
            "mode": "mirror",
            "channel": "microservice",
            "first_batch_replicas": 1,
            "remaining_batches": 2,
        },
    }
    assert start.goal == {"status": "graying", "gray.version": C, "gray.weight": 30}
    assert (start.risk, start.precondition) == ("version_gray", {"status": "ready", "version": V})
    bare = plan_one(want(V, C, 30, deploy=Deploy(candidate_artifact=CANDIDATE)), record(wish(V)), serving())
    assert bare.actions[0].parameters["gray"] == {"weight": 30}


def test_a_check_before_a_gray_start_risks_nothing() -> None:
    deploy = Deploy(candidate_artifact=CANDIDATE, gray=GrayStart(precheck=True))
    planned = plan_one(want(V, C, deploy=deploy), record(wish(V)), serving())
    assert [(action.verb, action.risk) for action in planned.actions] == [
        ("check_gray_release", "none"),
        ("upgrade", "version_gray"),
    ]


def test_an_upgrade_risks_a_version_and_finds_version_and_number_unmoved() -> None:
    """Precondition of an action: the values this action changes."""
    planned = plan_one(want(NEW, replicas=4), record(wish(V, replicas=4)), serving())
    upgrade: Action = planned.actions[0]
    assert (upgrade.risk, upgrade.precondition) == ("version", {"status": "ready", "version": V, "replicas": 4})


@pytest.mark.parametrize(
    ("deploy", "recorded", "status", "looks"),
    [
        (Deploy(env={"LOG": "debug"}), record(wish(V)), "RUNNING", True),
        (Deploy(resources=Resources(limit_cpu=4)), record(wish(V)), "RUNNING", True),
        (Deploy(env={"LOG": "debug"}), record(wish(V)), "STOPPED", True),
        (Deploy(env={"LOG": "debug"}), record(wish(V)), "UPGRADING", False),
        (Deploy(env={"LOG": "debug"}), sent(Deploy(env={"LOG": "debug"})), "RUNNING", False),
        (Deploy(env={"LOG": "debug"}), sent(Deploy(env={"LOG": "debug"}), BEFORE), "RUNNING", True),
        (Deploy(), record(wish(V)), "RUNNING", False),
        (Deploy(), sent(Deploy(env={"LOG": "debug"})), "RUNNING", False),
    ],
    ids=["variables", "resources", "stopped", "busy", "sent", "sent with another version", "nothing", "keys that went"],
)
def test_a_closer_look_where_the_state_does_not_say_it_was_sent(
    deploy: Deploy, recorded: Recorded, status: str, looks: bool
) -> None:
    assert needs_closer_look(want(V, deploy=deploy), recorded, see(V, status=status)) is looks


# What a change of version brings


def test_a_rollback_brings_what_the_version_ran_with() -> None:
    """Against what runs: changed, added, removed, unchanged; replicas only where they differ."""
    past = Configuration(
        Artifact("image", f"swr/shop/cart:{BEFORE}"),
        env(LOG="info", OLD="x"),
        Resources(request_cpu=1, limit_cpu=2),
        4,
    )
    closer = look(V, BEFORE, image=IMAGE.url, configuration=RUNS, past={BEFORE: past})
    planned = plan_one(want(BEFORE), record(wish(V)), see(V, closer=closer))
    assert brought(planned) == {
        "image": "changed",
        "env.LOG": "unchanged",
        "env.OLD": "added",
        "env.REGION": "removed",
        "resources.requests.cpu": "added",
        "resources.limits.cpu": "unchanged",
    }
    other = look(V, BEFORE, image=IMAGE.url, configuration=RUNS, past={BEFORE: replace(past, replicas=2)})
    assert brought(plan_one(want(BEFORE), record(wish(V)), see(V, closer=other)))["replicas"] == "changed"


def test_an_upgrade_brings_what_it_names_and_keeps_the_rest() -> None:
    deploy = Deploy(env={"LOG": "debug", "NEW": "1"}, resources=Resources(limit_memory=8))
    assert brought(plan_one(want(NEW, deploy=deploy), record(wish(V)), serving())) == {
        "image": "changed",
        "env.LOG": "changed",
        "env.NEW": "added",
        "env.REGION": "unchanged",
        "resources.limits.cpu": "unchanged",
        "resources.limits.memory": "added",
    }


def test_nothing_is_claimed_of_what_was_not_read() -> None:
    """Without the configuration of one side there is no comparison."""
    planned = plan_one(want(BEFORE), record(wish(V)), serving())
    assert (steps(planned), brought(planned)) == (["rollback 1.4.1"], {})


# Start parameters edited too late


@pytest.mark.parametrize(
    ("desired", "was", "told"),
    [
        (GrayStart("mirror"), GrayStart("extra"), True),
        (GrayStart(channel="registry"), GrayStart(), True),
        (GrayStart(first_batch_replicas=1), GrayStart(), True),
        (GrayStart(), GrayStart(remaining_batches=2), True),
        (GrayStart("mirror"), GrayStart("mirror"), False),
        (GrayStart(precheck=True), GrayStart(), False),
    ],
    ids=["mode", "channel", "first batch", "batches", "the same", "a check is no part of it"],
)
def test_start_parameters_edited_while_graying_are_told(desired: GrayStart, was: GrayStart, told: bool) -> None:
    """They are used only when a gray release starts: a warning, no action."""
    graying = see(V, status="GRAYING", closer=look(deployed(C, "grayrelease"), deployed(V, current=True), rule=20))
    recorded = record(replace(wish(V, C), deployed=deployed_by(Deploy(gray=was), C)))
    planned = plan_one(want(V, C, deploy=Deploy(gray=desired)), recorded, graying)
    assert codes(planned) == (["start_only_field"] if told else [])
    assert verbs(planned) == []
    report = plan_one(want(V, C, deploy=Deploy(gray=desired)), recorded, graying, mode="drift")
    assert codes(report) == []


def test_the_image_of_the_candidate_is_a_start_parameter() -> None:
    graying = see(V, status="GRAYING", closer=look(deployed(C, "grayrelease"), deployed(V, current=True), rule=20))
    recorded = record(replace(wish(V, C), deployed=deployed_by(Deploy(candidate_artifact=CANDIDATE), C)))
    assert codes(plan_one(want(V, C, deploy=Deploy(candidate_artifact=CANDIDATE)), recorded, graying)) == []
    assert codes(plan_one(want(V, C), recorded, graying)) == ["start_only_field"]


def test_another_candidate_starts_with_its_own_parameters() -> None:
    """Nobody edits the start of a gray release that has yet to come."""
    graying = see(V, status="GRAYING", closer=look(deployed(C, "grayrelease"), deployed(V, current=True), rule=20))
    recorded = record(replace(wish(V, C), deployed=deployed_by(Deploy(gray=GrayStart("extra")), C)))
    deploy = Deploy(candidate_artifact=CANDIDATE, gray=GrayStart("mirror"))
    planned = plan_one(want(V, NEW, deploy=deploy), recorded, graying)
    assert (codes(planned), steps(planned)) == ([], ["rollback 1.4.2", "upgrade 2.0.0 gray"])


def test_resources_alone_are_tied_to_their_version_too() -> None:
    """With variables or without: what was sent with another version says nothing of this one."""
    deploy = Deploy(resources=Resources(limit_cpu=4))
    assert is_recorded(want(V, deploy=deploy), sent(deploy), V)
    assert not is_recorded(want(V, deploy=deploy), sent(deploy, BEFORE), V)
    assert not is_recorded(want(V, deploy=deploy), record(wish(V)), V)
    assert is_recorded(want(V), record(wish(V)), V)
    assert not is_recorded(want(V), sent(deploy), V)


def test_the_start_of_a_gray_release_is_kept_whatever_else_is_learned() -> None:
    """Its parameters were used when it started; an upgrade or a look at the variables says nothing of them."""
    start = deployed_by(Deploy(gray=GrayStart("mirror")), None)
    recorded = record(replace(wish(V), deployed=start))
    known = Deploy(env={"LOG": "info"})
    learned = updates(plan_one(want(V, deploy=known), recorded, serving()))["deployed"]
    assert learned == replace(deployed_by(known, V), start=start.start)
    upgraded = updates(plan_one(want(NEW, deploy=known), recorded, serving()))["deployed"]
    assert upgraded == replace(deployed_by(known, NEW), start=start.start)


def test_a_rollback_learns_what_the_version_ran_with() -> None:
    """After it the earlier version runs with what it had: only where that is what the manifest writes it is known."""
    past = replace(RAN_BEFORE, env=env(LOG="debug"))
    closer = look(V, BEFORE, image=IMAGE.url, configuration=RUNS, past={BEFORE: past})
    observed = see(V, closer=closer)
    same, other = Deploy(env={"LOG": "debug"}), Deploy(env={"LOG": "info"})
    planned = plan_one(want(BEFORE, deploy=same), record(wish(V)), observed)
    assert (updates(planned)["deployed"], held(planned)) == (deployed_by(same, BEFORE), [])
    waiting = plan_one(want(BEFORE, deploy=other), record(wish(V)), observed)
    assert held(waiting) == [("env.LOG", "needs_new_version")]
    assert "deployed" not in updates(waiting)


def test_of_a_version_left_alone_nobody_expects_what_the_manifest_sends() -> None:
    """Another version runs than the manifest names: what it runs with is not what waits."""
    closer = look("1.4.3", V, image="swr/shop/cart:1.4.3", configuration=RUNS)
    planned = plan_one(want(V, deploy=Deploy(env={"LOG": "debug"})), record(wish(V)), see("1.4.3", closer=closer))
    assert (held(planned), [entry.path for entry in planned.left_alone]) == ([], ["version"])
