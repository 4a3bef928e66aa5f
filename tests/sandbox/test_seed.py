"""The seed format and its messages."""

import pytest

from statetool.sandbox import Sandbox, SandboxError, SeedSummary


def one(component):
    """A seed with one component."""
    return f"applications:\n  shop:\n    environment: prod\n    components:\n      cart: {{{component}}}\n"


def test_the_same_seed_gives_the_same_ids(make_world, shop_seed):
    """In another sandbox and after a disturbance, ids and job ids are the same again."""
    first, second = make_world(), make_world()
    assert first.get("/components") == second.get("/components")
    second.sandbox.disturb("shop/cart", replicas=9)
    assert second.sandbox.seed(shop_seed, "seed.yaml") == SeedSummary(applications=2, environments=2, components=6)
    assert first.get("/components") == second.get("/components")


def test_a_seed_replaces_world_log_and_switches(world):
    """Nothing of the old world is left, except how long jobs take."""
    world.act("shop/cart", "restart")
    world.sandbox.seed(one("version: 1.0.0"), "other.yaml")
    assert [row["name"] for row in world.get("/components")[1]["components"]] == ["cart"]
    assert world.sandbox.log() == []
    job_id = world.act("shop/cart", "restart")[1]
    assert world.status("shop/cart")[0] == "RUNNING"  # stale_ms is back at its default
    world.clock.tick(0.9)
    assert world.job(job_id) == "RUNNING"


def test_times_lie_in_the_past(world):
    """Create times increase in seed order, records end before now, an open gray release has no end."""
    rows = world.get("/components", order="asc")[1]["components"]
    created = [row["status"]["create_time"] for row in rows]
    assert created == sorted(set(created)) and created[-1] < world.clock.now * 1000
    assert world.records("shop/search")[0]["end_time"] is None
    assert all(record["end_time"] for record in world.records("shop/cart"))


def test_job_seconds_in_the_seed(make_world):
    """A seed may say how long jobs take."""
    world = make_world(switches="job_seconds: 0, stale_ms: 0")
    job_id = world.act("shop/cart", "restart")[1]
    assert world.job(job_id) == "SUCCEEDED" and world.status("shop/cart") == ("RUNNING", 4, 4)


def test_content_gray_release(make_world):
    """match and rules instead of a weight."""
    rules = "rules: [{type: header, key: x-user-tier, condition: in, value: 'beta,gold'}]"
    world = make_world(one(f"version: 1.0.0, replicas: 3, gray: {{version: 1.1.0, match: all, {rules}}}"))
    shown = world.detail("shop/cart")["deploy_strategy"]["gray_release"]
    assert (shown["type"], shown["rule_match_mode"], "first_batch_weight" in shown) == ("CONTENT", "all", False)
    assert shown["rules"] == [{"type": "header", "key": "x-user-tier", "condition": "in", "value": "beta,gold"}]
    with pytest.raises(SandboxError, match="no gray release with a weight"):
        world.sandbox.disturb("shop/cart", weight=3)


def test_not_ready(make_world):
    """A seeded PENDING has one instance that is not healthy."""
    assert make_world(one("version: 1.0.0, replicas: 3, status: PENDING")).status("shop/cart") == ("PENDING", 3, 2)


def runs_with(world, **query):
    """(image, variables by name, limit_cpu, request_cpu, replica) of the cart, of now or of a version."""
    detail = world.detail("shop/cart", **query)
    envs = {entry["name"]: entry["value"] for entry in detail["envs"] if not entry.get("inner")}
    return detail["source"]["url"], envs, detail["limit_cpu"], detail["request_cpu"], detail["replica"]


def test_image_variables_and_resources(make_world):
    """As the seed says them; what it leaves out follows from names as ever."""
    image = "swr.example/shop/cart:1.4.2"
    world = make_world(
        one(f"version: 1.4.2, image: '{image}', env: {{A: 'x y', B: ''}}, resources: {{limit_cpu: 2, request_cpu: 0}}")
    )
    assert runs_with(world) == (image, {"A": "x y", "B": ""}, 2, 0, 1)
    assert world.row("shop/cart")["source"]["url"] == world.row("shop/cart")["status"]["artifact"]["url"] == image
    bare = make_world(one("version: 1.4.2"))
    plain = bare.detail("shop/cart")
    assert {key: world.detail("shop/cart")[key] for key in ("limit_memory", "refer_resources", "runtime_stack")} == {
        key: plain[key] for key in ("limit_memory", "refer_resources", "runtime_stack")
    }
    assert runs_with(make_world(one("version: 1.4.2, env: {}")))[:2] == (plain["source"]["url"], {})


def test_history_and_candidate_have_what_the_version_in_use_has(make_world):
    """With the image's end replaced where that is the version; an entry of the history may say what was different."""
    history = "history: [1.4.0, {version: 1.4.1, replicas: 2, env: {B: '1'}, resources: {limit_cpu: 1}}]"
    own = "version: 1.4.2, replicas: 4, image: 'r/cart:v1.4.2', env: {A: '1'}, resources: {limit_cpu: 2}"
    world = make_world(one(f"{own}, {history}, gray: {{version: 1.5.0, weight: 5}}"))
    assert runs_with(world, version="1.4.0") == ("r/cart:v1.4.0", {"A": "1"}, 2, 0.25, 4)
    assert runs_with(world, version="1.4.1") == ("r/cart:v1.4.1", {"B": "1"}, 1, 0.25, 2)
    assert runs_with(world, version="1.4.2") == ("r/cart:v1.4.2", {"A": "1"}, 2, 0.25, 4)
    assert runs_with(world) == ("r/cart:v1.5.0", {"A": "1"}, 2, 0.25, 4)
    assert world.detail("shop/cart")["deploy_strategy"]["gray_release"]["first_batch_weight"] == 5
    assert [record["jobs"][0]["job_info"]["replica"] for record in world.records("shop/cart")] == [4, 4, 2, 4]


@pytest.mark.parametrize("image", ["r/cart:latest", "r/cart:11.4.2", "r/cart:0.1.4.2", "r/cart:1.4.2-a"])
def test_an_image_that_does_not_end_in_the_version(make_world, image):
    """Is that of every version, unless an entry of the history has its own."""
    old = "history: [1.4.0, {version: 1.4.1, image: 'r/old:1'}]"
    world = make_world(one(f"version: 1.4.2, image: '{image}', {old}"))
    assert [runs_with(world, version=version)[0] for version in ("1.4.0", "1.4.1")] == [image, "r/old:1"]


def test_a_seeded_configuration_is_deployed_over(make_world):
    """Like one that came by a request, and a rollback brings it back."""
    world = make_world(one("version: 1.4.2, image: 'r/cart:1.4.2', env: {A: '1'}"))
    world.deploy("shop/cart", "1.5.0", source={"kind": "image", "url": "r/cart:1.5.0"})
    world.clock.tick(1)
    assert runs_with(world)[:2] == ("r/cart:1.5.0", {"A": "1"})
    assert world.done("shop/cart", "rollback", version="1.4.2") == "SUCCEEDED"
    assert runs_with(world)[:2] == ("r/cart:1.4.2", {"A": "1"})


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("", "seed.yaml: must be a mapping"),
        ("[1]", "seed.yaml:1:1: must be a mapping"),
        ("sandbox: {}", "applications is missing"),
        ("applications: {shop: 3}", r"seed.yaml:1:22: applications.shop: must be a mapping"),
        ("applications:\n\tshop: {}", "seed.yaml:2:1: not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("\x00", "not YAML"),
        ("applications: {}\nworld: {}", "seed.yaml:2:8: world: unknown key"),
        ("applications: {}\nsandbox: {graying_show: stable}", "did you mean graying_shows"),
        ("applications: {}\nsandbox: {graying_shows: stabel}", "did you mean 'stable'"),
        ("applications: {}\nsandbox: {job_seconds: -1}", r"seed.yaml:2:24: sandbox.job_seconds: .*between 0"),
        ("applications: {}\nsandbox: {job_seconds: .nan}", "must be a number"),
        ("applications: {}\nsandbox: {stale_ms: 1.5}", "whole number"),
        ("applications: {shop: {components: {cart: {version: 1.0.0}}}}", "which environment"),
        ("applications: {a/b: {environment: x}}", "application name"),
        (one("version: 1.0.0").replace("cart:", "cart@prod: {version: 1.0.0}\n      cart:"), "there twice in prod"),
        (one("version: 1.0.0").replace("cart:", "cart: {}\n      cart:"), "this key is there twice"),
        (one("version: 1.0.0").replace("cart:", "1cart:"), "component name"),
        (one(""), r"seed.yaml:5:13: applications.shop.components.cart: version is missing"),
        (one("version: 1.10"), "A.B.C"),
        (one("version: 1.2.3, replica: 4"), "did you mean replicas"),
        (one("version: 1.2.3, replicas: '4'"), "whole number"),
        (one("version: 1.2.3, replicas: -4"), "whole number"),
        (one("version: 1.2.3, history: [1.2.3]"), "twice in version and history"),
        (one("version: 1.2.3, history: 1.2.2"), "must be a list"),
        (one("version: 1.2.3, history: [{version: 1.2.3}]"), "twice in version and history"),
        (one("version: 1.2.3, history: [1.2.2, {replicas: 1}]"), r"seed.yaml:5:47: .*history\[1\]: version is missing"),
        (one("version: 1.2.3, history: [{version: 1.2.2, history: []}]"), r"history\[0\].history: unknown key"),
        (one("version: 1.2.3, image: ''"), "cart.image: must be a text"),
        (one("version: 1.2.3, image: [a]"), "cart.image: must be a text"),
        (one("version: 1.2.3, env: [A]"), r"seed.yaml:5:35: .*cart.env: must be a mapping"),
        (one("version: 1.2.3, env: {A: [1]}"), "cart.env.A: must be a text"),
        (one("version: 1.2.3, env: {A: 1, A: 2}"), "cart.env.A: this key is there twice"),
        (one("version: 1.2.3, resources: {cpu_limit: 1}"), r"cart.resources.cpu_limit: unknown key"),
        (one("version: 1.2.3, resources: {limit_cpu: -1}"), "resources.limit_cpu: must be a number, 0 or more"),
        (one("version: 1.2.3, resources: {limit_cpu: '1'}"), "must be a number"),
        (one("version: 1.2.3, resources: {limit_cpu: true}"), "must be a number"),
        (one("version: 1.2.3, resources: {limit_cpu: .nan}"), "must be a number"),
        (one("version: 1.2.3, resources: {limit_cpu: [1]}"), "must be a number"),
        (one("version: 1.2.3, platform_type: ecs, image: a"), "runs packages, no images"),
        (one("version: 1.2.3, platform_type: ecs, history: [{version: 1.2.2, image: a}]"), "runs packages, no images"),
        (one("version: 1.2.3, status: stopped"), "word in capitals"),
        (one("version: 1.2.3, status: GRAYING"), "needs gray"),
        (one("version: 1.2.3, platform_type: moon"), "must be one of cce"),
        (one("version: 1.2.3, gray: {version: 1.3.0, weight: 1}"), "at least 2 replicas"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.2.3, weight: 1}"), "recorded already"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.3.0}"), "either weight or rules"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.3.0, rules: []}"), "at least one rule"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.3.0, weight: 101}"), "from 0 to 100"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.3.0, weight: 1, match: any}"), "goes with rules"),
        (one("version: 1.2.3, replicas: 2, gray: {version: 1.3.0, weight: 1, first_batch_replicas: 2}"), "from 1 to 1"),
        (one("version: 1.2.3, replicas: 2, status: STOPPED, gray: {version: 1.3.0, weight: 1}"), "GRAYING only"),
        (one("version: 1.2.3, replicas: 2, platform_type: ecs, gray: {version: 1.3.0, weight: 1}"), "virtual machine"),
    ],
)
def test_bad_seeds(world, seed, message):
    """Each names the file and, where there is one, line, column and path; the world stays as it was."""
    before = world.get("/components")
    with pytest.raises(SandboxError, match=message):
        world.sandbox.seed(seed, "seed.yaml")
    assert world.get("/components") == before


def test_a_large_seed(make_world):
    """15 applications with 200 components each are there at once."""
    components = "".join(f"      c{i:04d}: {{version: 1.0.0, replicas: 2}}\n" for i in range(200))
    text = "applications:\n" + "".join(
        f"  app{a}:\n    environment: prod\n    components:\n{components}" for a in range(15)
    )
    sandbox = Sandbox.open(None)
    assert sandbox.seed(text, "large.yaml").components == 3000
    sandbox.close()
