"""Reading: lists, paging, detail, records, jobs (sections 1, 3, 7 and 8)."""

import pytest

CROWD = "applications:\n" + "".join(
    f"  app{a}:\n    environment: prod\n    components:\n"
    + "".join(f"      c{a}{i:03d}: {{version: 1.0.0}}\n" for i in range(600))
    for a in range(2)
)


@pytest.fixture
def crowd(make_world):
    """1200 components in two applications."""
    return make_world(CROWD)


def names(body):
    """The names on a page."""
    return [row["name"] for row in body["components"]]


def test_applications_and_environments(world):
    """Applications count their components, times are epoch milliseconds, ids find the same thing again."""
    code, body = world.get("/applications", order="asc")
    assert code == 200
    assert [(a["name"], a["component_count"]) for a in body["applications"]] == [("shop", 4), ("bank", 2)]
    assert body["count"] == 2
    shop = body["applications"][0]
    assert world.get(f"/applications/{shop['id']}")[1] == shop
    assert isinstance(shop["create_time"], int) and shop["create_time"] > 1_700_000_000_000
    environments = world.get("/environments", order="asc")[1]
    assert [e["name"] for e in environments["environments"]] == ["prod", "test"]
    assert world.get("/environments", name="test")[1]["count"] == 1


def test_default_order_is_newest_first(world):
    """create_time descending; seeds are created in the order of the file."""
    assert names(world.get("/components")[1]) == ["ledger", "ledger", "machine", "legacy", "search", "cart"]


def test_pages_cover_everything_once(crowd):
    """offset counts rows, count is the total, pages neither overlap nor leave out."""
    found = []
    for offset in range(0, 1300, 100):
        body = crowd.get("/components", limit=100, offset=offset, order_by="name", order="asc")[1]
        assert body["count"] == 1200
        found += names(body)
    assert found == sorted(found) and len(set(found)) == 1200


def test_unpaged_is_cut_at_a_thousand(crowd):
    """Without a limit, and with limit 0, at most 1000 rows come; count still tells the total."""
    for query in ({}, {"limit": 0}):
        body = crowd.get("/components", **query)[1]
        assert (len(body["components"]), body["count"]) == (1000, 1200)


def test_application_list_and_filters(crowd):
    """The list of an application holds its components only; the project list filters by names."""
    application = crowd.get("/applications", order_by="name", order="asc")[1]["applications"][1]
    body = crowd.get(f"/applications/{application['id']}/components", limit=10)[1]
    assert body["count"] == 600 and {row["application_name"] for row in body["components"]} == {"app1"}
    assert crowd.get("/components", application_name="app0")[1]["count"] == 600
    assert names(crowd.get("/components", application_name="app0", component_name="c0007")[1]) == ["c0007"]
    assert crowd.get("/components", component_name="nobody")[1] == {"count": 0, "components": []}


@pytest.mark.parametrize("query", ["limit=101", "limit=-1", "limit=x", "limit=", "offset=-1", "offset=99999999999"])
def test_bad_paging_is_400(world, query):
    """Out of range or not a number."""
    key, _, value = query.partition("=")
    code, body = world.get("/components", **{key: value})
    assert (code, body["error_code"]) == (400, "SVCSTG.00100400")


def test_unknown_order_is_default(world):
    """An unknown order_by is treated as the default [SDK]."""
    assert world.get("/components", order_by="colour") == world.get("/components")


def test_order_by_update_time_sees_ended_jobs(world):
    """A job that ended since moves its component to the top, without anybody writing at that moment."""
    world.act("shop/cart", "restart")
    world.clock.tick(0.5)
    world.act("bank/ledger@prod", "modify_gray_rule")  # refused: must not count as an update
    world.act("bank/ledger@test", "restart")
    assert names(world.get("/components", order_by="update_time")[1])[:2] == ["ledger", "cart"]
    world.clock.tick(0.6)
    assert names(world.get("/components", order_by="update_time")[1])[:2] == ["cart", "ledger"]


def test_row_and_detail(world):
    """A row has ids and names and no replica; a detail has neither id nor names, but the configured replica."""
    row, detail = world.row("shop/cart"), world.detail("shop/cart")
    assert (row["application_name"], row["environment_name"], row["version"]) == ("shop", "prod", "1.4.2")
    assert "replica" not in row and row["status"]["replica"] == 4
    assert {"id", "application_name", "environment_name"}.isdisjoint(detail)
    assert (detail["replica"], detail["version"]) == (4, "1.4.2")
    assert detail["status"] == row["status"]
    assert detail["source"]["url"].endswith(":1.4.2")


def test_detail_of_a_past_version(world):
    """?version= shows a recorded configuration; one that is not recorded is 404."""
    assert world.detail("shop/cart", version="1.4.0")["source"]["url"].endswith(":1.4.0")
    code, body = world.get(world.path("shop/cart"), version="9.9.9")
    assert (code, body["error_code"]) == (404, "SVCSTG.00100436")


def test_records(world):
    """Newest first, exactly one in use, pages by rows."""
    records = world.records("shop/cart")
    assert [r["version"] for r in records] == ["1.4.2", "1.4.1", "1.4.0"]
    assert [r["current_used"] for r in records] == [True, False, False]
    assert [r["begin_time"] for r in records] == sorted((r["begin_time"] for r in records), reverse=True)
    code, body = world.get(f"{world.path('shop/cart')}/records", limit=1, offset=1)
    assert (code, body["count"], [r["version"] for r in body["records"]]) == (200, 3, ["1.4.1"])


def test_job_phases(world):
    """SUBMITTED for the first tenth, then RUNNING, then terminal; 2 to 4 tasks with empty messages."""
    job_id = world.act("shop/cart", "restart")[1]
    assert job_id.startswith("JOB") and len(job_id) == 39
    seen = []
    for step in (0.05, 0.1, 0.8, 0.1):
        world.clock.tick(step)
        seen.append(world.job(job_id))
    assert seen == ["SUBMITTED", "RUNNING", "RUNNING", "SUCCEEDED"]
    body = world.get(f"/jobs/{job_id}")[1]
    assert body["task_count"] == len(body["tasks"]) and 2 <= body["task_count"] <= 4
    assert {(task["status"], task["messages"]) for task in body["tasks"]} == {("SUCCEEDED", "{}")}
    assert [t["index"] for t in world.get(f"/jobs/{job_id}", limit=1, desc="true")[1]["tasks"]] == [2]


def test_seeded_jobs_can_be_read(world):
    """The last job of a component that was never touched exists and has succeeded."""
    assert world.job(world.detail("shop/cart")["status"]["last_job_id"]) == "SUCCEEDED"


def test_upper_case_jobs(make_world):
    """The switch job_case answers with the older field names (section 7)."""
    world = make_world(switches="job_case: upper")
    body = world.get(f"/jobs/{world.act('shop/cart', 'restart')[1]}")[1]
    assert body["job"]["EXECUTION_STATUS"] == "SUBMITTED"
    assert {"TASK_STATUS", "MESSAGES", "LAST_HEALTH_CHECK"} <= body["tasks"][0].keys()


def test_what_does_not_exist(world):
    """Missing objects are 401 SVCSTG.00100401 as the terraform provider meets them; jobs are 404."""
    shop = world.get("/applications", order="asc")[1]["applications"][0]["id"]
    cart = world.path("shop/cart").rpartition("/")[2]
    bank = world.get("/applications")[1]["applications"][0]["id"]
    for path in ("/applications/x", f"/applications/{shop}/components/x", f"/applications/{bank}/components/{cart}"):
        code, body = world.get(path)
        assert (code, body["error_code"]) == (401, "SVCSTG.00100401")
    code, body = world.get("/jobs/JOBx")
    assert (code, body["error_code"]) == (404, "SVCSTG.00100429")


def test_missing_as_404(make_world):
    """The switch missing: 404 gives the documented codes (section 10.2)."""
    world = make_world(switches="missing: 404")
    assert world.get("/applications/x")[1]["error_code"] == "SVCSTG.00100403"
    shop = world.get("/applications")[1]["applications"][0]["id"]
    code, body = world.get(f"/applications/{shop}/components/x")
    assert (code, body["error_code"]) == (404, "SVCSTG.00100404")


def test_another_project_is_empty(world):
    """One world holds one project; another id of 32 hexadecimal characters sees nothing."""
    for path, key in (("/components", "components"), ("/applications", "applications")):
        answer = world.sandbox.handle("GET", f"/v3/{'f' * 32}/cas{path}")
        assert (answer.status_code, answer.body) == (200, {"count": 0, key: []})
        assert world.handle("GET", f"/v3/{'f' * 32}/cas{path}", "offset=true").status_code == 400
    assert world.sandbox.handle("GET", "/v3/nonsense/cas/components").status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v3/0123456789abcdef0123456789abcdef/cas/weather"),
        ("PUT", "/v3/0123456789abcdef0123456789abcdef/cas/applications/a/components"),
        ("DELETE", "/v3/0123456789abcdef0123456789abcdef/cas/applications"),
        ("POST", "/v3/0123456789abcdef0123456789abcdef/cas/components"),
    ],
)
def test_unknown_paths(world, method, path):
    """The gateway answers what is not there, with its request id."""
    answer = world.sandbox.handle(method, path)
    assert (answer.status_code, answer.body["error_code"]) == (404, "APIGW.0101")
    assert answer.body["request_id"] == answer.request_id
