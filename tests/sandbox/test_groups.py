"""Applications and environments: made, changed, deleted (rows 1 to 11 of section 2)."""

import pytest


def named(world, kind, name):
    """The application or environment of a name."""
    return next(item for item in world.get(f"/{kind}")[1][kind] if item["name"] == name)


def test_an_application(world):
    """Made with all it was given, changed by what is mentioned, deleted with an empty 204."""
    labels = [{"key": "team", "value": "a"}]
    code, made = world.send("POST", "/applications", {"name": "fresh", "description": "x", "labels": labels})
    assert (code, made["name"], made["description"], made["labels"]) == (200, "fresh", "x", labels)
    assert made["enterprise_project_id"] == "0" and made["component_count"] == 0
    assert world.get(f"/applications/{made['id']}")[1] == made
    world.clock.tick(1)
    code, changed = world.send("PUT", f"/applications/{made['id']}", {"description": "y"})
    assert (changed["name"], changed["description"], changed["labels"]) == ("fresh", "y", labels)
    assert changed["update_time"] == made["update_time"] + 1000
    assert world.send("DELETE", f"/applications/{made['id']}") == (204, {})
    assert world.get(f"/applications/{made['id']}")[1]["error_code"] == "SVCSTG.00100401"


def test_an_environment(world):
    """The same, with its resources."""
    body = {"name": "stage", "vpc_id": "v1", "deploy_mode": "container"}
    code, made = world.send("POST", "/environments", body)
    assert (code, made["vpc_id"], made["deploy_mode"]) == (200, "v1", "container")
    resources = [{"id": "c1", "type": "cce", "name": "cluster"}]
    path = f"/environments/{made['id']}"
    assert world.send("PUT", f"{path}/resources", {"resources": resources}) == (200, {"resources": resources})
    assert world.get(f"{path}/resources")[1] == {"resources": resources}
    changed = world.send("PUT", path, {"name": "staging", "description": "y"})[1]
    assert (changed["name"], changed["vpc_id"], changed["resources"]) == ("staging", "v1", resources)
    assert world.get(path)[1] == changed
    moved = {"name": "staging", "vpc_id": "v2", "deploy_mode": "mixed", "enterprise_project_id": "7"}
    assert world.send("PUT", path, moved)[1] == changed, "only name, description and labels can be changed"
    assert world.send("DELETE", path) == (204, {})
    assert world.get(path)[0] == 401


def test_environments_of_an_enterprise_project(world):
    """Those made in it; all others are in the default one."""
    world.send("POST", "/environments", {"name": "stage", "vpc_id": "v1", "enterprise_project_id": "7"})
    for project, names in (("7", ["stage"]), ("0", ["prod", "test"]), ("8", [])):
        answer = world.get("/environments", enterprise_project_id=project)[1]
        assert sorted(item["name"] for item in answer["environments"]) == names
        assert answer["count"] == len(names)


def test_names_are_taken(world):
    """By the documented codes; one's own name is none."""
    assert world.send("POST", "/applications", {"name": "shop"})[1]["error_code"] == "SVCSTG.00100458"
    answer = world.send("POST", "/environments", {"name": "prod", "vpc_id": "v"})
    assert (answer[0], answer[1]["error_code"]) == (400, "SVCSTG.00100449")
    shop = named(world, "applications", "shop")["id"]
    assert world.send("PUT", f"/applications/{shop}", {"name": "bank"})[0] == 409
    assert world.send("PUT", f"/applications/{shop}", {"name": "shop"})[0] == 200


def test_what_is_in_use_stays(world):
    """Neither an application nor an environment with components can be deleted."""
    for kind, name in (("applications", "shop"), ("environments", "prod")):
        assert world.send("DELETE", f"/{kind}/{named(world, kind, name)['id']}")[0] == 409
    world.send("DELETE", world.path("bank/ledger@test"))
    test = named(world, "environments", "test")["id"]
    assert world.send("DELETE", f"/environments/{test}")[0] == 409
    world.clock.tick(1)
    assert world.send("DELETE", f"/environments/{test}")[0] == 204


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("applications", []),
        ("applications", {}),
        ("applications", {"name": ""}),
        ("applications", {"name": "\ud800"}),
        ("applications", {"name": 3}),
        ("applications", {"name": "a\nb"}),
        ("applications", {"name": "x", "labels": [3]}),
        ("applications", {"name": "x", "description": []}),
        ("environments", {"name": "x"}),
        ("environments", {"name": "x", "vpc_id": "v", "deploy_mode": "moon"}),
    ],
)
def test_nonsense(world, kind, body):
    """Invalid parameters."""
    code, answer = world.send("POST", f"/{kind}", body)
    assert (code, answer["error_code"]) == (400, "SVCSTG.00100400")


def test_action_on_an_application(world):
    """204 without a body, and all components do it, or none [06_0286]."""
    shop = named(world, "applications", "shop")["id"]
    cart, legacy = world.row("shop/cart")["id"], world.row("shop/legacy")["id"]

    def stop(*identities):
        parameters = {"components": [{"id": identity} for identity in identities]}
        return world.send("POST", f"/applications/{shop}/action", {"action": "stop", "parameters": parameters})

    assert stop(cart, legacy)[0] == 409 and world.status("shop/cart")[0] == "RUNNING"
    assert stop(cart) == (204, {}) and world.status("shop/cart")[0] == "STOPPING"
    assert stop("nobody")[0] == 401
    assert stop()[0] == 400
    assert world.send("POST", f"/applications/{shop}/action", {"action": "scale"})[1]["error_code"].endswith("418")


def test_variables_of_an_application(world):
    """By environment: set, read, removed."""
    path = f"/applications/{named(world, 'applications', 'shop')['id']}/configuration"
    prod = named(world, "environments", "prod")["id"]
    assert world.get(path)[1] == {"configuration": []}
    values = {"env": [{"name": "A", "value": "1"}]}
    code, item = world.send("PUT", path, {"environment_id": prod, "configuration": values})
    assert code == 200 and item["configuration"] == values
    assert world.get(path)[1] == world.get(path, environment_id=prod)[1] == {"configuration": [item]}
    assert world.get(path, environment_id="x")[1] == {"configuration": []}
    assert world.send("PUT", path, {"environment_id": "x", "configuration": values})[0] == 401
    project = world.sandbox.handle(
        "DELETE", f"/v3/0123456789abcdef0123456789abcdef/cas{path}", f"environment_id={prod}"
    )
    assert project.status_code == 204 and world.get(path)[1] == {"configuration": []}
