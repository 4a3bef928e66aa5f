"""The vendor's own SDK, unmodified but for its endpoint, drives the served sandbox with its own signing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkservicestage import v3 as sdk
from huaweicloudsdkservicestage.v3 import ServiceStageClient, ShowComponentsRequest
from vendor_models import NEWER, ensure_nothing_lost, part, plain, strangers

from statetool.sandbox import ControlClient

# The SDK's own use of what Python deprecates is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PROJECT_ID = "0123456789abcdef0123456789abcdef"
SEED = """
sandbox: {stale_ms: 0}
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """A served sandbox whose jobs end at once."""
    data = tmp_path_factory.mktemp("vendor") / "world.db"
    command = [sys.executable, "-m", "statetool.sandbox", "--data", str(data), "--job-seconds", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "serving" in line, line
        yield line.rpartition(" ")[2].strip()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def control(endpoint):
    """Seeds the served world, freshly for every test."""
    control = ControlClient(endpoint)
    control.seed(SEED, "seed.yaml")
    return control


def connect(endpoint, credentials=None):
    """A client of the vendor's."""
    credentials = credentials or BasicCredentials("sandbox-ak", "sandbox-sk", PROJECT_ID)
    return ServiceStageClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


@pytest.fixture
def client(endpoint, control):
    """A client with the well-known key pair."""
    return connect(endpoint)


def test_its_signatures_are_accepted(client):
    """With paging and filters in the query."""
    answer = client.show_components(ShowComponentsRequest(limit=1, order_by="name", component_name="cart"))
    assert (answer.count, answer.components[0].name) == (1, "cart")


def test_temporary_credentials(endpoint, control):
    """Key pair and security token; without the token they are refused."""
    credentials = BasicCredentials("sandbox-temporary-ak", "sandbox-temporary-sk", PROJECT_ID)
    with pytest.raises(ClientRequestException) as caught:
        connect(endpoint, credentials).show_components(ShowComponentsRequest())
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    credentials.with_security_token("sandbox-security-token")
    assert connect(endpoint, credentials).show_components(ShowComponentsRequest()).count == 2


def test_a_wrong_key(endpoint, control):
    """The SDK's own exception, with code, message and request id."""
    client = connect(endpoint, BasicCredentials("sandbox-ak", "other", PROJECT_ID))
    with pytest.raises(ClientRequestException) as caught:
        client.show_components(ShowComponentsRequest())
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    assert caught.value.request_id and "signature" in caught.value.error_msg


def test_it_looks_its_project_up(endpoint, control):
    """Without a project id the SDK asks IAM for the project of its region."""
    credentials = BasicCredentials("sandbox-ak", "sandbox-sk").with_iam_endpoint(endpoint)
    builder = ServiceStageClient.new_builder().with_credentials(credentials)
    client = builder.with_region(Region("cn-north-4", endpoint)).build()
    assert client.show_components(ShowComponentsRequest()).count == 2
    assert credentials.project_id == PROJECT_ID


STACK = sdk.RuntimeStack(name="Docker", type="Docker", version="1.0", deploy_mode="container")
NODE = sdk.ReferResourceCreate(
    id="cluster-1", type="cce", parameters=sdk.ReferResourceCreateParameters(namespace="default")
)
RULE = sdk.DeployStrategyGrayReleaseRules(type="header", key="x-tier", condition="equal", value="beta")


def act(client, ids, verb, **parameters):
    """An action, in the SDK's words."""
    body = sdk.ComponentAction(verb, sdk.ComponentActionParameters(**parameters) if parameters else None)
    return client.update_component_action(sdk.UpdateComponentActionRequest(**ids, body=body))


def show(client, ids):
    """The detail of a component."""
    return client.show_component_info(sdk.ShowComponentInfoRequest(**ids))


def status_of(detail):
    """The component_status as it came."""
    return json.loads(detail.raw_content)["status"]["component_status"]


def ids_of(client, name):
    """The ids of a seeded component, as requests want them."""
    [row] = client.show_components(ShowComponentsRequest(component_name=name)).components
    return {"application_id": row.application_id, "component_id": row.id}


def wish(**changes):
    """All that a component can be made with."""
    return {
        "name": "fresh",
        "description": "made by the vendor's SDK, später",
        "labels": [sdk.Label("team", "a")],
        "runtime_stack": STACK,
        "source": sdk.SourceObject(kind="image", url="registry.example/fresh:1.0.0", storage="swr", auth="iam"),
        "limit_cpu": 0.5,
        "limit_memory": 1.0,
        "request_cpu": 0.25,
        "request_memory": 0.5,
        "replica": 3,
        "version": "1.0.0",
        "envs": [
            sdk.ComponentEnvironment("A", "1"),
            sdk.ComponentEnvironment(
                "B", value_from=sdk.ComponentEnvironmentValueFrom("secretKey", "secret", "key", True)
            ),
        ],
        "storages": [
            sdk.ComponentStorage(
                "HostPath", "data", sdk.ComponentStorageParameters("/data"), [sdk.ComponentMount("/d", "s", False)]
            )
        ],
        "command": sdk.ComponentCommand(["run"], ["--fast"]),
        "post_start": sdk.ComponentLifecycle(type="command", command=["true"]),
        "pre_stop": sdk.ComponentLifecycle(type="http", scheme="http", host="h", port=80, path="/"),
        "mesher": sdk.Mesher(8080),
        "timezone": "Asia/Shanghai",
        "jvm_opts": "-Xmx1g",
        "tomcat_opts": sdk.ComponentModifyTomcatOpts("<Server/>"),
        "logs": [sdk.ComponentLogs("/log", "Hourly", "/host", "None")],
        "custom_metric": sdk.ComponentModifyCustomMetric("/metrics", 9090, "a,b"),
        "affinity": sdk.ComponentAffinity(["az1"], ["n1"], [sdk.ComponentAffinityAppInnerParameters("Cart", "cart")]),
        "liveness_probe": sdk.ComponentProbe("http", 5, 1, "http", "h", 80, "/live"),
        "readiness_probe": sdk.ComponentProbe("command", 5, 1, command=["true"]),
        "refer_resources": [NODE],
        **changes,
    }


# Sent only where somebody wants them.
OPTIONAL = {"build", "swimlane_id", "anti_affinity"}
# Of these a seeded component has none.
DECLARED = OPTIONAL | {
    *("command", "post_start", "pre_stop", "timezone", "mesher", "jvm_opts", "tomcat_opts", "logs", "custom_metric"),
    *("affinity", "liveness_probe", "readiness_probe"),
}


@pytest.fixture
def fresh(client):
    """The ids of a component the SDK has made, with its application and environment."""
    environment = client.create_environment(
        sdk.CreateEnvironmentRequest(sdk.EnvironmentCreate("stage", vpc_id="v1", deploy_mode="container"))
    )
    ensure_nothing_lost(environment)
    labels = [sdk.EnvironmentCreateLabels("team", "a")]
    application = client.create_application(
        sdk.CreateApplicationRequest(sdk.ApplicationCreate("web", "the web", labels=labels))
    )
    ensure_nothing_lost(application)
    assert plain(application.labels) == [{"key": "team", "value": "a"}]
    body = sdk.ComponentCreate(**wish(environment_id=environment.id))
    made = ensure_nothing_lost(client.create_component(sdk.CreateComponentRequest(application.id, body=body)))
    return {"application_id": application.id, "component_id": made.component_id}


def test_a_component_is_made_and_shown(client, fresh):
    """Everything it was made with comes back in the SDK's own model."""
    detail = ensure_nothing_lost(show(client, fresh), but=OPTIONAL)
    assert part(plain(sdk.ComponentCreate(**wish())) | {"deploy_strategy": {"type": "OneBatchRelease"}}, plain(detail))
    assert (status_of(detail), detail.status.replica) == ("RUNNING", 3)


def test_lists(client, fresh):
    """Applications, environments, components by application and by project, records, runtime stacks, the job."""
    for answer, expected in (
        (client.show_applications(sdk.ShowApplicationsRequest()), 2),
        (client.show_environments(sdk.ShowEnvironmentsRequest()), 2),
        (client.show_components(sdk.ShowComponentsRequest(limit=2)), 3),
        (client.show_components_in_application(sdk.ShowComponentsInApplicationRequest(fresh["application_id"])), 1),
        (client.show_component_records(sdk.ShowComponentRecordsRequest(**fresh)), 1),
    ):
        assert ensure_nothing_lost(answer).count == expected
    [record] = client.show_component_records(sdk.ShowComponentRecordsRequest(**fresh)).records
    job = ensure_nothing_lost(client.show_job_info(sdk.ShowJobInfoRequest(record.jobs[0].job_id)))
    assert (job.job.execution_status, job.job.job_type, job.job.rollback_enabled) == ("SUCCEEDED", "PROVISION", False)
    assert all(set(plain(task)) == set(task.attribute_map.values()) for task in job.tasks)
    assert len(ensure_nothing_lost(client.show_runtime_stacks(sdk.ShowRuntimeStacksRequest())).runtimestacks) > 5
    ensure_nothing_lost(client.show_application_info(sdk.ShowApplicationInfoRequest(fresh["application_id"])))


def test_what_is_newer_than_the_sdk(client, fresh):
    """NEWER is what really comes, and nothing more."""
    application_id = fresh["application_id"]
    answers = [
        client.create_application(sdk.CreateApplicationRequest(sdk.ApplicationCreate("other"))),
        client.modify_application(sdk.ModifyApplicationRequest(application_id, body=sdk.ApplicationModify("web2"))),
        client.show_application_info(sdk.ShowApplicationInfoRequest(application_id)),
        client.show_applications(sdk.ShowApplicationsRequest()),
        client.show_runtime_stacks(sdk.ShowRuntimeStacksRequest()),
        act(client, fresh, "restart"),
        show(client, fresh),
    ]
    answers.append(client.show_job_info(sdk.ShowJobInfoRequest(answers[-1].status.last_job_id)))
    assert set().union(*(strangers(answer, json.loads(answer.raw_content)) for answer in answers)) == NEWER.keys()


def test_every_call_of_the_sdk_is_made_here():
    """So that one of a newer SDK can't be forgotten."""
    calls = {name.removesuffix("_invoker") for name in dir(ServiceStageClient) if name.endswith("_invoker")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert len(calls) > 20 and [name for name in sorted(calls) if f".{name}(" not in text] == []


GRAY_BY_WEIGHT = sdk.DeployStrategyGrayRelease(
    type="WEIGHT",
    replica_surge_mode="EXTRA",
    deployment_mode=1,
    first_batch_weight=20,
    first_batch_replica=1,
    remaining_batch=2,
)
GRAY_BY_CONTENT = sdk.DeployStrategyGrayRelease(
    type="CONTENT",
    replica_surge_mode="NOSURGE",
    deployment_mode=3,
    rule_match_mode="all",
    rules=[RULE],
    first_batch_replica=2,
    remaining_batch=1,
)


@pytest.mark.parametrize("gray", [GRAY_BY_WEIGHT, GRAY_BY_CONTENT], ids=lambda gray: gray.type)
def test_a_gray_release(client, fresh, gray):
    """Modify with a gray strategy, look, change the rule, continue; records and jobs follow."""
    strategy = sdk.DeployStrategy(type="GrayRelease", gray_release=gray)
    body = sdk.ComponentModify(**wish(version="1.1.0", deploy_strategy=strategy))
    answer = ensure_nothing_lost(client.modify_component(sdk.ModifyComponentRequest(**fresh, body=body)))
    assert client.show_job_info(sdk.ShowJobInfoRequest(answer.job_id)).job.execution_status == "SUCCEEDED"
    detail = ensure_nothing_lost(show(client, fresh), but=OPTIONAL)
    assert plain(detail.deploy_strategy) == plain(strategy)
    assert (status_of(detail), detail.version) == ("GRAYING", "1.1.0")
    assert act(client, fresh, "modify_gray_rule").job_id
    assert act(client, fresh, "continue_deploy").job_id
    newest, oldest = client.show_component_records(sdk.ShowComponentRecordsRequest(**fresh)).records
    assert (newest.version, newest.current_used, newest.deploy_type) == ("1.1.0", True, "GrayRelease")
    assert [job.sequence for job in newest.jobs] == [1, 2]
    assert oldest.current_used is False
    act(client, fresh, "rollback_current")
    assert show(client, fresh).version == "1.0.0"


def test_other_strategies(client, fresh):
    """One batch, and rolling."""
    rolling = sdk.DeployStrategy(type="RollingRelease", rolling_release=sdk.DeployStrategyRollingRelease(3))
    for version, strategy in (("1.1.0", sdk.DeployStrategy(type="OneBatchRelease")), ("1.2.0", rolling)):
        body = sdk.ComponentModify(**wish(version=version, deploy_strategy=strategy))
        client.modify_component(sdk.ModifyComponentRequest(**fresh, body=body))
        detail = show(client, fresh)
        assert (plain(detail.deploy_strategy), detail.version) == (plain(strategy), version)


JOURNEY = [
    ("scale", "cart", {"replica": 6}, "RUNNING"),
    ("restart", "cart", {}, "RUNNING"),
    ("stop", "cart", {}, "STOPPED"),
    ("start", "cart", {}, "RUNNING"),
    ("check_gray_release", "cart", {}, "RUNNING"),
    ("rollback", "cart", {"version": "1.4.1"}, "RUNNING"),
    ("modify_gray_rule", "search", {}, "GRAYING"),
    ("continue_deploy", "search", {}, "RUNNING"),
    ("rollback_current", "search", {}, "RUNNING"),
]


GENERATIONS = [
    "action_body: new",
    "action_body: old",
    "action_body: both",
    "job_ids: some, gray_case: lower, graying_shows: stable",
    "job_ids: none, action_body: old, action_records: yes, newer_records: kept, gray_job: running",
]


@pytest.mark.parametrize("switches", GENERATIONS)
def test_every_action_of_its_enum(client, control, switches):
    """Each is accepted, has a job that succeeds, and leads where it should, in every form answers can have."""
    control.seed(SEED.replace("stale_ms: 0", f"stale_ms: 0, {switches}"), "seed.yaml")
    known = {value for name, value in vars(sdk.ComponentActionType).items() if name.isupper()}
    assert {step[0] for step in JOURNEY} == known
    for verb, name, parameters, status in JOURNEY:
        ids = ids_of(client, name)
        answer = ensure_nothing_lost(act(client, ids, verb, **parameters), but={"job_id", "result"})
        assert answer.result in ("succeeded", None)
        started = control.log()[-1]
        assert answer.job_id in ({started.job_id, None} if "job_ids" in switches else {started.job_id})
        assert started.gray_rule_body == ("empty" if verb == "modify_gray_rule" else None)
        job = ensure_nothing_lost(client.show_job_info(sdk.ShowJobInfoRequest(started.job_id)))
        assert job.job.execution_status == "SUCCEEDED"
        detail = ensure_nothing_lost(show(client, ids), but=DECLARED)
        assert status_of(detail) == status
        assert verb == "check_gray_release" or detail.status.last_job_id == started.job_id
        ensure_nothing_lost(client.show_component_records(sdk.ShowComponentRecordsRequest(**ids)))
    assert client.show_components(ShowComponentsRequest(component_name="cart")).components[0].version == "1.4.1"


def test_scaling_virtual_machines(client, control):
    """With the hosts of the SDK's parameters, and refused without."""
    control.seed(SEED.replace("replicas: 4,", "replicas: 1, platform_type: ecs,"), "seed.yaml")
    ids = ids_of(client, "cart")
    with pytest.raises(ClientRequestException) as caught:
        act(client, ids, "scale", replica=2)
    assert (caught.value.status_code, caught.value.error_code) == (400, "SVCSTG.00100400")
    ensure_nothing_lost(act(client, ids, "scale", replica=2, hosts=["ecs-1", "ecs-2"]), but={"result"})
    assert control.log()[-1].body["parameters"] == {"replica": 2, "hosts": ["ecs-1", "ecs-2"]}
    assert show(client, ids).status.replica == 2


def test_the_rest_of_its_calls(client, fresh):
    """Applications, environments and their parts are changed, read and deleted; the component first."""
    application_id = fresh["application_id"]
    detail = show(client, fresh)
    environment_id = detail.environment_id
    changed = client.modify_application(
        sdk.ModifyApplicationRequest(application_id, body=sdk.ApplicationModify("web2", description="y"))
    )
    assert ensure_nothing_lost(changed).component_count == 1
    environment = client.modify_environment(
        sdk.ModifyEnvironmentRequest(environment_id, body=sdk.EnvironmentModify("stage2"))
    )
    assert ensure_nothing_lost(environment).name == "stage2"
    resources = sdk.EnvironmentResourceModify([sdk.Resource("c1", "cluster", "cce")])
    client.modify_resource_in_environment(sdk.ModifyResourceInEnvironmentRequest(environment_id, body=resources))
    for answer in (
        client.show_environment_info(sdk.ShowEnvironmentInfoRequest(environment_id)),
        client.show_environment_resources(sdk.ShowEnvironmentResourcesRequest(environment_id)),
    ):
        assert plain(ensure_nothing_lost(answer).resources) == [{"id": "c1", "name": "cluster", "type": "cce"}]
    variables = sdk.ApplicationConfigModifyConfiguration([sdk.ApplicationConfigModifyConfigurationEnv("A", "1")])
    body = sdk.ApplicationConfigModify(environment_id, variables)
    ensure_nothing_lost(
        client.modify_application_configuration(sdk.ModifyApplicationConfigurationRequest(application_id, body=body))
    )
    found = client.show_application_configuration(sdk.ShowApplicationConfigurationRequest(application_id))
    assert plain(ensure_nothing_lost(found).configuration)[0]["configuration"] == {"env": [{"name": "A", "value": "1"}]}
    for answer, status in (
        (
            client.delete_application_configuration(
                sdk.DeleteApplicationConfigurationRequest(application_id, environment_id)
            ),
            204,
        ),
        (client.delete_component(sdk.DeleteComponentRequest(**fresh)), 200),
        (client.delete_application(sdk.DeleteApplicationRequest(application_id)), 204),
        (client.delete_environment(sdk.DeleteEnvironmentRequest(environment_id)), 204),
    ):
        assert answer.status_code == status
    with pytest.raises(ClientRequestException) as caught:
        show(client, fresh)
    assert (caught.value.status_code, caught.value.error_code) == (401, "SVCSTG.00100401")
